"""The scale of float16: gradients come out as they were, overflow is seen, the state goes on."""

import pytest
import torch

from bgb_assets.training.loss_scale import FIRST_SCALE, GROWTH_STEPS, LossScale


def stepped(scale, factor):
    weight = torch.nn.Parameter(torch.tensor([1.0, 2.0]))
    optimizer = torch.optim.AdamW([weight])
    scale.scale((weight * factor).sum()).backward()
    return scale.unscale(optimizer), weight.grad


def test_gradients_come_out_unscaled():
    overflowed, gradient = stepped(LossScale("cpu"), 1e-7)
    assert not overflowed
    torch.testing.assert_close(gradient, torch.tensor([1e-7, 1e-7]))


@pytest.mark.parametrize("factor", [1e38, float("nan")])
def test_overflow_is_told_and_halves_the_scale(factor):
    scale = LossScale("cpu")
    assert stepped(scale, factor)[0]
    assert scale.state["scale"] == FIRST_SCALE / 2
    assert not stepped(scale, 1.0)[0]


def test_the_scale_grows_and_its_state_goes_on():
    scale = LossScale("cpu")
    for _ in range(GROWTH_STEPS - 1):
        stepped(scale, 1.0)
    assert scale.state["scale"] == FIRST_SCALE
    again = LossScale("cpu", scale.state)
    assert not stepped(again, 1.0)[0]
    assert again.state["scale"] == 2 * FIRST_SCALE
