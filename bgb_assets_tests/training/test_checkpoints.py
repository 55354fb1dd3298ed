"""Checkpoints: what is restored goes on identically; damage falls back to the one before."""

import pytest
import torch

from bgb_assets.runtime.errors import TrainingError
from bgb_assets.training.checkpoints import best_path, newest_checkpoint, read_best, write_best, write_checkpoint
from bgb_assets_tests.training.tiny import TinyModel


def trained(steps, seed=0):
    torch.manual_seed(seed)
    model = TinyModel(6)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, fused=True)
    advance(model, optimizer, steps)
    return model, optimizer


def advance(model, optimizer, steps):
    model.eval()
    for step in range(steps):
        model(torch.arange(10)[None] + step).square().sum().backward()
        optimizer.step()
        optimizer.zero_grad()


def save(work, step, model, optimizer, best_step=-1, run="r"):
    work.mkdir(exist_ok=True)
    state = {"run": run, "progress": {"best_step": best_step}, "data": {"epoch": 0, "batch": step}, "micro_batch": 4}
    write_checkpoint(work, step, model, optimizer, state)


def test_a_restored_run_goes_on_identically(tmp_path):
    model, optimizer = trained(5)
    save(tmp_path / "w", 5, model, optimizer)
    advance(model, optimizer, 3)
    other, fresh = trained(0, seed=9)
    checkpoint = newest_checkpoint(tmp_path / "w", "r")
    checkpoint.restore(other, fresh)
    assert checkpoint.step == 5
    assert checkpoint.state["data"] == {"epoch": 0, "batch": 5}
    advance(other, fresh, 3)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), other.parameters(), strict=True))


def test_nothing_there(tmp_path):
    assert newest_checkpoint(tmp_path / "w", "r") is None


@pytest.mark.parametrize(
    "damage",
    [
        lambda d: (d / "state.json").write_bytes(b"{"),
        lambda d: (d / "state.json").unlink(),
        lambda d: (d / "state.safetensors").unlink(),
        lambda d: (d / "state.safetensors").write_bytes((d / "state.safetensors").read_bytes()[:-1] + b"!"),
        lambda d: (d / "state.json").write_text((d / "state.json").read_text().replace('"format":1', '"format":9')),
    ],
)
def test_a_damaged_checkpoint_is_passed_over_and_can_be_written_again(tmp_path, damage):
    model, optimizer = trained(2)
    for step in (10, 20):
        save(tmp_path / "w", step, model, optimizer)
    damage(tmp_path / "w" / "checkpoints" / "step-00000020")
    assert newest_checkpoint(tmp_path / "w", "r").step == 10
    save(tmp_path / "w", 20, model, optimizer)
    assert newest_checkpoint(tmp_path / "w", "r").step == 20


def test_two_are_kept_with_the_best_weights_they_name(tmp_path):
    model, optimizer = trained(1)
    (tmp_path / "w").mkdir()
    for step, best in ((10, 10), (20, 10), (30, 30), (40, 30), (50, 30)):
        if best == step:
            write_best(tmp_path / "w", step, model)
        save(tmp_path / "w", step, model, optimizer, best)
    assert [p.name for p in sorted((tmp_path / "w" / "checkpoints").iterdir())] == ["step-00000040", "step-00000050"]
    assert sorted((tmp_path / "w").glob("best-*")) == [best_path(tmp_path / "w", 30)]


def test_best_weights_come_back(tmp_path):
    model, optimizer = trained(1)
    write_best(tmp_path, 3, model)
    expected = model.embedding.weight.detach().clone()
    advance(model, optimizer, 2)
    assert not torch.equal(model.embedding.weight, expected)
    read_best(tmp_path, 3, model)
    assert torch.equal(model.embedding.weight, expected)


def test_a_work_directory_of_another_run_is_refused(tmp_path):
    save(tmp_path / "w", 1, *trained(1), run="one")
    with pytest.raises(TrainingError, match=r"checkpoints of another run .*give another work directory"):
        newest_checkpoint(tmp_path / "w", "two")


def test_another_network_is_refused(tmp_path):
    save(tmp_path / "w", 1, *trained(1))
    model = TinyModel(8)
    with pytest.raises(TrainingError, match="step-00000001: tensor"):
        newest_checkpoint(tmp_path / "w", "r").restore(model, torch.optim.AdamW(model.parameters()))


def test_optimiser_state_that_is_no_tensor_is_refused(tmp_path):
    model, _ = trained(0)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    optimizer.state[model.embedding.weight]["count"] = 3
    with pytest.raises(TrainingError, match="optimiser state 'count' must be a tensor"):
        save(tmp_path / "w", 1, model, optimizer)
    assert not (tmp_path / "w" / "checkpoints").exists()
