"""The arithmetic of a step against plain torch."""

import dataclasses

import pytest
import torch
from lightning.pytorch import Trainer

from bgb_assets.training import loss_scale
from bgb_assets.training.conditions import quiet
from bgb_assets.training.progress import learning_rate
from bgb_assets.training.step import StepModule, parameter_groups
from bgb_assets_tests.training import tiny as tiny_model
from bgb_assets_tests.training.tiny import SPEC, tiny

PARAMS = tiny(steps=5, warmup_steps=2, clip=0.5)


def plain_model():
    torch.manual_seed(0)
    model = tiny_model.build(PARAMS)
    model.body[2].p = 0.0
    return model.train()


def ragged_batch(seed, rows):
    random = torch.Generator().manual_seed(seed)
    lengths = torch.randint(3, 12, (rows,), generator=random)
    tokens = torch.randint(0, tiny_model.VOCABULARY, (rows, 12), generator=random)
    return {"tokens": tokens, "tokens_mask": torch.arange(12) < lengths[:, None]}


def lightning_steps(module, steps):
    switches = {f"enable_{name}": False for name in ("checkpointing", "model_summary", "progress_bar")}
    loader = torch.utils.data.DataLoader(steps, batch_size=None, collate_fn=lambda parts: parts)
    with quiet():
        Trainer(accelerator="cpu", max_epochs=1, logger=False, **switches).fit(module, loader)
    return module


def test_steps_are_those_of_plain_torch_on_the_whole_batch():
    batches = [ragged_batch(seed, 6) for seed in range(5)]
    cut = [
        [{name: t[low:high] for name, t in batch.items()} for low, high in ((0, 1), (1, 4), (4, 6))]
        for batch in batches
    ]
    module = lightning_steps(StepModule(SPEC, plain_model(), PARAMS.training, 1, None), cut)

    model = plain_model()
    optimizer = torch.optim.AdamW(model.parameters(), betas=(0.9, 0.999), weight_decay=0.01)
    for step, batch in enumerate(batches):
        optimizer.param_groups[0]["lr"] = learning_rate(step, PARAMS.training)
        total, weight = tiny_model.loss(model, batch)
        (total / weight).backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        optimizer.step()
        optimizer.zero_grad()
    for own, plain in zip(module.model.parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(own, plain, rtol=1e-4, atol=1e-5)
    assert norm > 0.5, "clipping was at work"
    torch.testing.assert_close(module.last["gradient_norm"], norm, rtol=1e-4, atol=0)
    torch.testing.assert_close(module.last["loss"], (total / weight).detach(), rtol=1e-5, atol=0)
    assert (module.progress.step, module.samples) == (5, 30)


def half_steps(batches, spoil=()):
    """Train in float16; the gradient of the steps in `spoil` overflows. Return module, rates and the weights' norms."""
    rates, norms = [], []

    def loss(model, batch):
        step = len(rates)
        rates.append(module.progress.step - module.progress.skipped)
        norms.append(float(model.head.weight.detach().norm()))
        total, weight = tiny_model.loss(model, batch)
        return total * (1e30 if step in spoil else 1.0), weight

    params = dataclasses.replace(PARAMS.training, precision="float16")
    module = StepModule(dataclasses.replace(SPEC, loss=loss), plain_model(), params, 1, None)
    return lightning_steps(module, batches), rates, norms


@pytest.fixture
def small_scale(monkeypatch):
    """Start low, so that no step but a spoiled one overflows."""
    monkeypatch.setattr(loss_scale, "FIRST_SCALE", 256.0)


@pytest.mark.usefixtures("small_scale")
def test_float16_steps_are_those_of_float32_up_to_rounding():
    batches = [[ragged_batch(seed, 2), ragged_batch(seed + 9, 5)] for seed in range(4)]
    half = half_steps(batches)[0].model
    plain = lightning_steps(StepModule(SPEC, plain_model(), PARAMS.training, 1, None), batches).model
    start = plain_model()
    for own, other, first in zip(half.parameters(), plain.parameters(), start.parameters(), strict=True):
        moved = float((other - first).detach().norm())
        assert float((own - other).detach().norm()) < 0.05 * moved


@pytest.mark.usefixtures("small_scale")
def test_a_step_that_overflows_changes_nothing_and_does_not_advance_the_schedule():
    batches = [[ragged_batch(seed, 4)] for seed in range(4)]
    module, taken, norms = half_steps(batches, spoil={1})
    assert taken == [0, 1, 1, 2]
    assert norms[1] == norms[2], "skipped"
    assert len({norms[0], norms[1], norms[3]}) == 3
    assert (module.progress.step, module.progress.skipped) == (4, 1)
    assert module.loss_scale.state["scale"] == 128.0


def test_metrics_are_ratios_of_sums_and_weightless_ones_are_left_out():
    module = StepModule(SPEC, plain_model().eval(), PARAMS.training, 1, None)
    module.log_scalars = lambda scalars: None
    batches = [ragged_batch(0, 2), ragged_batch(1, 7)]
    with torch.no_grad():
        for batch in batches:
            module.validation_step([batch], 0)
        module.on_validation_epoch_end()
        sums = [tiny_model.loss(module.model, batch) for batch in batches]
    expected = sum(float(total) for total, _ in sums) / sum(float(weight) for _, weight in sums)
    assert module.progress.best_metrics == {"loss": pytest.approx(expected, rel=1e-6)}


def test_dropout_is_a_function_of_seed_step_and_part():
    seen = []

    def loss(model, batch):
        seen.append(torch.rand(()).item())
        return tiny_model.loss(model, batch)

    spec = dataclasses.replace(SPEC, loss=loss)
    steps = [[ragged_batch(0, 2), ragged_batch(0, 2)]] * 2
    for seed in (1, 1, 2):
        lightning_steps(StepModule(spec, plain_model(), PARAMS.training, seed, None), steps)
    assert seen[:4] == seen[4:8]
    assert len(set(seen[:4])) == 4
    assert not set(seen[:4]) & set(seen[8:])


def test_weight_decay_leaves_alone_what_the_model_says():
    spec = dataclasses.replace(SPEC, decayed=lambda name, parameter: parameter.ndim > 1 and "embedding" not in name)
    module = StepModule(spec, plain_model(), dataclasses.replace(PARAMS.training, weight_decay=0.5), 1, None)
    before = {name: parameter.detach().clone() for name, parameter in module.model.named_parameters()}
    for parameter in module.model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    module.configure_optimizers().step()
    for name, parameter in module.model.named_parameters():
        factor = 1 - 0.5 * PARAMS.training.learning_rate if name == "body.0.weight" else 1.0
        torch.testing.assert_close(parameter.detach(), factor * before[name])


def test_groups_hold_every_parameter_once_and_none_is_empty():
    model = plain_model()
    for decayed, sizes in ((None, [3]), (lambda name, _: True, [3]), (lambda name, _: False, [3])):
        groups = parameter_groups(model, decayed)
        assert [len(group["params"]) for group in groups] == sizes
    mixed = parameter_groups(model, lambda name, parameter: parameter.ndim > 1)
    assert sorted(id(p) for group in mixed for p in group["params"]) == sorted(map(id, model.parameters()))
    assert [group.get("weight_decay") for group in mixed] == [None, 0.0]
