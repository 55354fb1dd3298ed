"""The losses against torch's and against their formulas."""

import dataclasses
import math

import pytest
import torch
from torch.nn import functional

from bgb_assets.modalities.eeg.learning.loss import step_losses
from bgb_assets.modalities.eeg.learning.variants import LossParams
from bgb_assets.runtime.errors import TrainingError

BCE = LossParams(kind="bce", alpha=0.5, gamma=2.0)
FOCAL = dataclasses.replace(BCE, kind="focal")
LOGITS = torch.linspace(-6, 6, 25)
TARGETS = torch.linspace(0, 1, 25)[torch.randperm(25, generator=torch.Generator().manual_seed(0))]
WEIGHT = torch.tensor(1.3868)


def test_cross_entropy_is_that_of_torch():
    expected = functional.binary_cross_entropy_with_logits(LOGITS, TARGETS, pos_weight=WEIGHT, reduction="none")
    torch.testing.assert_close(step_losses(LOGITS, TARGETS, WEIGHT, BCE), expected)


@pytest.mark.parametrize(
    ("logit", "target", "alpha"), [(0.3, 1.0, 0.5), (-2.0, 0.0, 0.5), (1.5, 1.0, 0.25), (0.7, 0.0, 0.25)]
)
def test_focal_is_its_formula(logit, target, alpha):
    p = 1 / (1 + math.exp(-logit))
    p_t, alpha_t = (p, alpha) if target else (1 - p, 1 - alpha)
    weight = 1.3868 if alpha == 0.5 and target else 1.0
    expected = alpha_t * (1 - p_t) ** 2 * -math.log(p_t) * weight
    found = step_losses(torch.tensor(logit), torch.tensor(target), WEIGHT, dataclasses.replace(FOCAL, alpha=alpha))
    assert float(found) == pytest.approx(expected, rel=1e-5)


def test_focal_without_focus_is_half_the_cross_entropy():
    flat = dataclasses.replace(FOCAL, gamma=0.0)
    torch.testing.assert_close(
        2 * step_losses(LOGITS, TARGETS, WEIGHT, flat), step_losses(LOGITS, TARGETS, WEIGHT, BCE)
    )


@pytest.mark.parametrize("params", [BCE, FOCAL])
def test_sure_and_wrong_logits_keep_a_gradient_where_a_clamp_would_lose_it(params):
    logits = torch.tensor([60.0, -60.0], requires_grad=True)
    losses = step_losses(logits, torch.tensor([0.0, 1.0]), WEIGHT, params)
    losses.sum().backward()
    assert torch.isfinite(losses).all()
    assert (losses > 20).all()
    assert (logits.grad.abs() > 0.4).all()


def test_half_logits_are_computed_in_float32():
    assert step_losses(LOGITS.bfloat16(), TARGETS, WEIGHT, BCE).dtype == torch.float32


def test_an_unknown_loss_is_refused():
    with pytest.raises(TrainingError, match=r"loss\.kind must be 'bce' or 'focal', got 'hinge'"):
        step_losses(LOGITS, TARGETS, WEIGHT, dataclasses.replace(BCE, kind="hinge"))
