"""The loss is torch's own, without its integer labels; Dice at its edges."""

import pytest
import torch
from torch.nn.functional import cross_entropy

from bgb_assets.modalities.mri.learning.loss import Counts, counts, lesion_dice, macro_dice, weighted_cross_entropy
from bgb_assets.modalities.mri.learning.variants import MESHNET_5, LossParams


def made(seed=0, shape=(2, 5, 4, 3), spread=3.0):
    random = torch.Generator().manual_seed(seed)
    logits = spread * torch.randn(shape[0], 2, *shape[1:], dtype=torch.float64, generator=random)
    return logits, torch.rand(shape, generator=random) < 0.2


@pytest.mark.parametrize("params", [MESHNET_5.loss, LossParams((1.0, 1.0), 0.0), LossParams((0.1, 3.0), 0.3)])
def test_loss_and_gradient_are_those_of_torch(params):
    logits, lesion = made()
    grown = [logits.clone().requires_grad_() for _ in range(2)]
    total, weight = weighted_cross_entropy(grown[0], lesion, params)
    expected = cross_entropy(
        grown[1], lesion.long(), torch.tensor(params.class_weights).double(), label_smoothing=params.label_smoothing
    )
    torch.testing.assert_close(total / weight, expected, rtol=1e-6, atol=0)
    (total / weight).backward()
    expected.backward()
    torch.testing.assert_close(grown[0].grad, grown[1].grad, rtol=1e-6, atol=1e-12)


def test_the_cut_into_volumes_does_not_change_sum_and_weight():
    logits, lesion = made()
    whole = weighted_cross_entropy(logits, lesion, MESHNET_5.loss)
    parts = [weighted_cross_entropy(logits[i : i + 1], lesion[i : i + 1], MESHNET_5.loss) for i in range(2)]
    for number in range(2):
        torch.testing.assert_close(whole[number], parts[0][number] + parts[1][number])


def test_large_logits_give_a_finite_loss():
    logits, lesion = made(spread=1e4)
    total, _ = weighted_cross_entropy(logits.float(), lesion, MESHNET_5.loss)
    assert torch.isfinite(total)


def test_counts_are_per_volume_and_ties_are_background():
    logits = torch.zeros(2, 2, 2, 2, 2)
    logits[0, 1, 0] = 1.0  # four voxels found in the first volume
    lesion = torch.zeros(2, 2, 2, 2, dtype=torch.bool)
    lesion[0, 0, 0] = lesion[0, 1, 1] = True
    outcome = counts(logits, lesion)
    assert [value.tolist() for value in outcome] == [[2, 0], [2, 0], [2, 0], [2, 8]]
    assert lesion_dice(outcome).tolist() == [0.5, 1.0]
    assert macro_dice(outcome).tolist() == [0.5, 1.0]


def test_lesion_and_macro_dice_are_told_apart():
    outcome = Counts(*(torch.tensor([value]) for value in (748, 552, 552, 7_221_548 - 748 - 2 * 552)))
    assert float(lesion_dice(outcome)) == pytest.approx(0.5753846, abs=1e-7)
    assert float(macro_dice(outcome)) == pytest.approx(0.7876541, abs=1e-7)


@pytest.mark.parametrize("one_sided", [Counts(0, 5, 0, 3), Counts(0, 0, 5, 3)])
def test_an_empty_side_has_a_dice_of_zero(one_sided):
    outcome = Counts(*(torch.tensor([value]) for value in one_sided))
    assert float(lesion_dice(outcome)) == 0.0
