"""Fitting: learns, resumes exactly after anything, and says why it cannot go on."""

import dataclasses
import multiprocessing
import os
import signal
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from bgb_assets.loading.dataset import select
from bgb_assets.runtime.errors import TrainingError
from bgb_assets.training.fit import Machine, fit, resolve_device
from bgb_assets.training.model_directory import unique_tensors
from bgb_assets.training.run import train_model
from bgb_assets_tests.training import tiny as tiny_model
from bgb_assets_tests.training.tiny import SPEC, data, store_at, tiny

MACHINE = Machine(device="cpu", checkpoint_every_steps=4, log_every_steps=5)


class Broken(Exception):
    """Stands for whatever ends a process."""


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return store_at(tmp_path_factory.mktemp("store"))


def run(store, work: Path, params=None, spec=SPEC, seed=1):
    params = params or tiny()
    return fit(spec, params, data(store, params), work=work, logs=work / "logs", seed=seed, machine=MACHINE)


def bytes_of(fitted) -> dict[str, bytes]:
    return {name: tensor.numpy().tobytes() for name, tensor in unique_tensors(fitted.model).items()}


@pytest.fixture(scope="module")
def unbroken(store, tmp_path_factory):
    return run(store, tmp_path_factory.mktemp("unbroken"))


def spec_with(loss):
    return dataclasses.replace(SPEC, loss=loss)


def failing_at(step: int, error: Exception):
    """Return a loss that raises in the given call; a step of the tiny model has three micro-batches."""
    calls = [0]

    def loss(model, batch):
        calls[0] += 1
        if calls[0] > step * 3:
            raise error
        return tiny_model.loss(model, batch)

    return loss


def test_it_learns_and_reports(unbroken):
    assert unbroken.metrics["steps"] == 24
    assert unbroken.metrics["validation"].keys() == {"loss"}
    assert unbroken.metrics["validation"]["loss"] < 0.8 * np.log(tiny_model.VOCABULARY)
    assert unbroken.observed["samples_per_s"] > 0
    assert unbroken.observed["peak_memory_bytes"] > 1 << 20
    assert not unbroken.model.training


def test_equal_runs_give_equal_bytes_and_other_seeds_do_not(store, unbroken, tmp_path):
    again = run(store, tmp_path / "again")
    assert bytes_of(again) == bytes_of(unbroken)
    assert again.metrics == unbroken.metrics
    assert bytes_of(run(store, tmp_path / "other", seed=2)) != bytes_of(unbroken)


@pytest.mark.parametrize("step", [0, 3, 4, 5, 9, 10, 11, 12, 20, 23])
def test_a_run_that_breaks_at_any_step_goes_on_exactly(store, unbroken, tmp_path, step):
    with pytest.raises(Broken):
        run(store, tmp_path, spec=spec_with(failing_at(step, Broken())))
    resumed = run(store, tmp_path)
    expected = max(saved for saved in (0, 4, 8, 10, 12, 16, 20) if saved <= step)
    assert resumed.observed["resumed_from_step"] == expected
    assert bytes_of(resumed) == bytes_of(unbroken)
    assert resumed.metrics == unbroken.metrics


def test_a_finished_run_is_not_run_again(store, unbroken, tmp_path):
    run(store, tmp_path)
    again = run(store, tmp_path, spec=spec_with(failing_at(0, Broken())))
    assert bytes_of(again) == bytes_of(unbroken)
    assert again.observed["resumed_from_step"] == 24


def test_without_validation_the_last_weights_are_kept_and_survive_a_resume(store, tmp_path):
    params = tiny(validate_every_steps=0)
    whole = run(store, tmp_path / "whole", params)
    assert whole.metrics == {"validation": {}, "best_step": 24, "steps": 24, "stopped_early": False}
    with pytest.raises(Broken):
        run(store, tmp_path / "broken", params, spec=spec_with(failing_at(14, Broken())))
    assert bytes_of(run(store, tmp_path / "broken", params)) == bytes_of(whole)
    assert bytes_of(run(store, tmp_path / "broken", params)) == bytes_of(whole), "finished: read back"


SAVING = ("checkpoints.py", "callbacks.py", "atomic.py", "model_directory.py", "run.py")


def die_at(event_number: int) -> None:
    """Have this process kill itself at the n-th call or return, Python's or C's, in the code that saves."""
    seen = [0]

    def count(frame, event, argument):
        if frame.f_code.co_filename.endswith(SAVING) and "bgb_assets" in frame.f_code.co_filename:
            seen[0] += 1
            if seen[0] == event_number:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.setprofile(count)


def train_in_process(root: Path, out: Path, work: Path, death: int = 0) -> None:
    """Train to the end; what a killed process does."""
    out.mkdir(exist_ok=True)
    if death:
        die_at(death)
    train_model(
        SPEC,
        tiny(steps=80, validate_every_steps=16),
        variant="tiny",
        tokens=root / "index",
        root=root,
        work=work,
        out=out,
        logs=work / "logs",
        seed=4,
        lineage={},
        machine=Machine(device="cpu", checkpoint_every_steps=3, log_every_steps=5),
    )


def live(root: Path, name: str, *, kill_at_step: int = 0, wait_s: float = 0.0, death: int = 0) -> int:
    """Train in a process of its own until it ends or dies; return its exit code.

    With `kill_at_step` it is killed a moment after it has saved that step.
    """
    context = multiprocessing.get_context("forkserver")
    # The server imports once and forks a clean process for each life, so that a kill costs no import.
    context.set_forkserver_preload(["bgb_assets.training.run", "bgb_assets_tests.training.tiny"])
    process = context.Process(target=train_in_process, args=(root, root / f"{name}-model", root / name, death))
    process.start()
    while kill_at_step and process.is_alive() and newest_step(root / name) < kill_at_step:
        time.sleep(0.001)
    if kill_at_step:
        time.sleep(wait_s)
        process.kill()
    process.join()
    return process.exitcode


def newest_step(work: Path) -> int:
    return max((int(path.name[-8:]) for path in (work / "checkpoints").glob("step-*")), default=0)


@pytest.fixture(scope="module")
def unbroken_life(tmp_path_factory):
    root = tmp_path_factory.mktemp("lives")
    store_at(root)
    assert live(root, "unbroken") == 0
    return root


def check_same_model(root: Path, name: str) -> None:
    names = sorted(path.name for path in (root / "unbroken-model").iterdir())
    assert "model.safetensors" in names
    for file in names:
        unbroken, killed = (root / f"{which}-model" / file for which in ("unbroken", name))
        assert unbroken.read_bytes() == killed.read_bytes(), file
    assert list((root / name / "unfinished").iterdir()) == [], "what the dead left is swept"


@pytest.mark.parametrize("seed", [0, 1])
def test_killed_at_seeded_instants_the_model_is_byte_identical(unbroken_life, seed):
    name = f"timed{seed}"
    random = np.random.default_rng(seed)
    for step in np.sort(random.choice(np.arange(3, 50), 3, replace=False)):
        code = live(unbroken_life, name, kill_at_step=int(step), wait_s=random.uniform(0, 0.02))
        assert code == -signal.SIGKILL
    assert newest_step(unbroken_life / name) >= 3
    assert live(unbroken_life, name) == 0
    check_same_model(unbroken_life, name)


@pytest.mark.parametrize("seed", [0, 1])
def test_killed_inside_saving_the_model_is_byte_identical(unbroken_life, seed):
    name = f"saving{seed}"
    # A checkpoint is some 300 events: every life saves a few and dies inside the next one or in between.
    for death in np.random.default_rng(seed).integers(200, 1500, 5):
        assert live(unbroken_life, name, death=int(death)) == -signal.SIGKILL
    assert newest_step(unbroken_life / name) >= 3
    assert live(unbroken_life, name) == 0
    check_same_model(unbroken_life, name)


def test_epochs_are_counted_in_passes_over_the_samples_and_saved_after_each(store, tmp_path):
    params = tiny(steps=0, epochs=3, validate_every_epochs=2)
    per_epoch = -(-len(data(store, params).train) // params.training.batch)
    fitted = run(store, tmp_path, params)
    assert fitted.metrics["steps"] == 3 * per_epoch
    assert fitted.metrics["best_step"] in (2 * per_epoch, 3 * per_epoch)
    params = tiny(steps=0, epochs=3, validate_every_epochs=0)
    machine = dataclasses.replace(MACHINE, checkpoint_every_steps=500)
    given = data(store, params)
    with pytest.raises(Broken):
        failing = spec_with(failing_at(2 * per_epoch + 1, Broken()))
        fit(failing, params, given, work=tmp_path / "b", logs=tmp_path / "l", seed=1, machine=machine)
    assert newest_step(tmp_path / "b") == 2 * per_epoch


def test_epochs_of_different_lengths_are_refused(store, tmp_path):
    with pytest.raises(TrainingError, match=r"epochs differ in length; give training\.steps"):
        run(store, tmp_path, tiny(steps=0, epochs=3, token_budget=100))


def test_a_float16_run_goes_on_bit_for_bit(store, tmp_path):
    params = tiny(precision="float16", steps=12)
    whole = run(store, tmp_path / "whole", params)
    with pytest.raises(Broken):
        run(store, tmp_path / "broken", params, spec=spec_with(failing_at(6, Broken())))
    resumed = run(store, tmp_path / "broken", params)
    assert resumed.observed["resumed_from_step"] == 4
    assert bytes_of(resumed) == bytes_of(whole)


def without_dropout(params):
    model = tiny_model.build(params)
    model.body[2].p = 0.0
    return model


def test_the_cut_into_micro_batches_does_not_change_the_gradient(store, tmp_path):
    spec = dataclasses.replace(SPEC, build=without_dropout)
    whole, *cut = (run(store, tmp_path / str(size), tiny(micro_batch=size), spec) for size in (0, 1, 3))
    for other in cut:
        for name, tensor in unique_tensors(whole.model).items():
            torch.testing.assert_close(tensor, unique_tensors(other.model)[name], rtol=1e-3, atol=1e-4)


def hungry(largest: int):
    """Return a loss that has memory for so many samples."""

    def loss(model, batch):
        if len(batch["tokens"]) > largest:
            raise torch.OutOfMemoryError("out of memory")
        return tiny_model.loss(model, batch)

    return loss


def test_out_of_memory_goes_on_with_smaller_micro_batches_of_the_same_batch(store, tmp_path, caplog):
    expected = run(store, tmp_path / "small", tiny(micro_batch=2))
    fitted = run(store, tmp_path / "large", tiny(micro_batch=0), spec_with(hungry(2)))
    assert fitted.observed["micro_batch"] == 2
    assert bytes_of(fitted) == bytes_of(expected)
    assert "going on with 2" in caplog.text


def test_a_resumed_run_remembers_what_fitted(store, tmp_path):
    loss = hungry(2)
    calls = [0]

    def breaking(model, batch):
        result = loss(model, batch)
        calls[0] += 1
        if calls[0] > 40:
            raise Broken
        return result

    with pytest.raises(Broken):
        run(store, tmp_path, tiny(micro_batch=0), spec_with(breaking))
    resumed = run(store, tmp_path, tiny(micro_batch=0))
    assert resumed.observed["micro_batch"] == 2
    assert resumed.observed["resumed_from_step"] > 0


def test_a_sample_that_never_fits_is_said(store, tmp_path):
    with pytest.raises(TrainingError, match="out of memory with one sample at a time"):
        run(store, tmp_path, spec=spec_with(hungry(0)))


def not_a_number_from(step):
    calls = [0]

    def loss(model, batch):
        calls[0] += 1
        total, weight = tiny_model.loss(model, batch)
        return (total * float("nan") if calls[0] > step * 3 else total), weight

    return loss


def test_a_loss_that_is_no_number_stops_the_run_and_spoils_no_checkpoint(store, unbroken, tmp_path):
    with pytest.raises(TrainingError, match="the loss of step 5 is not a finite number; lower learning_rate"):
        run(store, tmp_path, spec=spec_with(not_a_number_from(5)))
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["step-00000004"]
    assert bytes_of(run(store, tmp_path)) == bytes_of(unbroken)


def test_early_stop(store, tmp_path):
    def worse_and_worse(model, batch):
        total, weight = tiny_model.loss(model, batch)
        worse_and_worse.level += 1.0
        return {"loss": (total * 0 + worse_and_worse.level * weight, weight)}

    worse_and_worse.level = 0.0
    spec = dataclasses.replace(SPEC, metrics=worse_and_worse)
    params = tiny(steps=100, validate_every_steps=5, patience=2)
    fitted = run(store, tmp_path, params, spec)
    assert fitted.metrics["stopped_early"]
    assert (fitted.metrics["best_step"], fitted.metrics["steps"]) == (5, 15)
    again = run(store, tmp_path, params, spec_with(failing_at(0, Broken())))
    assert bytes_of(again) == bytes_of(fitted), "a stopped run stays stopped"


def test_the_best_weights_are_returned_not_the_last(store, tmp_path):
    snapshots = []

    def first_is_best(model, batch):
        snapshots.append({name: tensor.clone() for name, tensor in unique_tensors(model).items()})
        return {"loss": (torch.tensor(float(len(snapshots))), torch.ones(()))}

    fitted = run(store, tmp_path, spec=dataclasses.replace(SPEC, metrics=first_is_best))
    assert fitted.metrics["best_step"] == 10
    assert all(torch.equal(tensor, snapshots[0][name]) for name, tensor in unique_tensors(fitted.model).items())
    assert not torch.equal(snapshots[0]["embedding.weight"], snapshots[-1]["embedding.weight"])


@pytest.mark.parametrize(("splits", "name"), [([1] * 60, "train"), ([0] * 60, "val"), ([-1] * 60, "train")])
def test_an_empty_split_stops_with_the_reason(tmp_path, splits, name):
    store = store_at(tmp_path, splits=splits)
    with pytest.raises(TrainingError, match=f"split '{name}' holds no sample; ingest more uploads"):
        run(store, tmp_path / "work")


def test_a_work_directory_of_another_run_is_refused(store, tmp_path):
    run(store, tmp_path)
    with pytest.raises(TrainingError, match="checkpoints of another run"):
        run(store, tmp_path, seed=2)
    with pytest.raises(TrainingError, match="checkpoints of another run"):
        run(store, tmp_path, tiny(learning_rate=1e-3))
    work, given = tmp_path / "w", data(store, tiny())
    other = fit(SPEC, tiny(), given, work=work, logs=work / "logs", seed=1, content="other bytes", machine=MACHINE)
    assert other.metrics["steps"] == 24
    with pytest.raises(TrainingError, match="checkpoints of another run"):
        run(store, work)


def test_the_process_is_left_as_it_was(store, tmp_path, capfd):
    torch.manual_seed(123)
    expected = torch.rand(3)
    torch.manual_seed(123)
    before = (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled())
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run(store, tmp_path, tiny(cpu_threads=1, steps=4))
    assert (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()) == before
    assert torch.equal(torch.rand(3), expected)
    assert [str(warning.message) for warning in caught] == []
    assert capfd.readouterr() == ("", "")


def curve(logs: Path, name: str) -> list[int]:
    events = EventAccumulator(str(logs))
    events.Reload()
    return [point.step for point in events.Scalars(name)]


def test_curves_go_on_after_a_resume(store, tmp_path):
    with pytest.raises(Broken):
        run(store, tmp_path, spec=spec_with(failing_at(19, Broken())))
    run(store, tmp_path)
    assert curve(tmp_path / "logs", "train/loss") == [5, 10, 15, 20]
    assert curve(tmp_path / "logs", "validation/loss") == [10, 20, 24]
    for name in ("time/data_s", "time/step_s", "time/samples_per_s", "train/learning_rate", "train/gradient_norm"):
        assert curve(tmp_path / "logs", name) == [5, 10, 15, 20]


def test_token_budget_and_few_samples(tmp_path):
    store = store_at(tmp_path, 7)
    assert len(select(store, "train")) < 8
    assert run(store, tmp_path / "w", tiny(token_budget=90, steps=6)).metrics["steps"] == 6


def test_the_device_is_resolved():
    assert resolve_device("cpu") == "cpu"
    assert resolve_device("auto") == ("cuda" if torch.cuda.is_available() else "cpu")
