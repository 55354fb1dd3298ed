"""Weighted cross-entropy of two classes, and the overlap of lesions, on the device and without integer labels.

A label is one bit a voxel; as int64, which torch's cross-entropy asks for, it would take as much memory as two volumes.

Belongs here: what training minimises, and the counts it is watched by. Does not belong here: the scorer of finished
models (`measures`). torch only.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from bgb_assets.modalities.mri.learning.variants import LossParams
from bgb_assets.training.spec import Ratio


class Counts(NamedTuple):
    """Voxels of each outcome, int64, (B,): class lesion is positive."""

    true_positive: Tensor
    false_positive: Tensor
    false_negative: Tensor
    true_negative: Tensor


def weighted_cross_entropy(logits: Tensor, lesion: Tensor, params: LossParams) -> Ratio:
    """Return the sum of the loss over all voxels and the sum of the weights of their classes.

    The ratio of the two is `torch.nn.functional.cross_entropy` with class weights, label smoothing and the mean as
    reduction.

    Args:
        logits: (B, 2, X, Y, Z) float32 or wider, background first.
        lesion: (B, X, Y, Z) bool.
        params: Class weights and smoothing.
    """
    background, positive = params.class_weights
    margin = logits[:, 1] - logits[:, 0]
    if_lesion, if_background = functional.softplus(-margin), functional.softplus(margin)
    own = torch.where(lesion, positive * if_lesion, background * if_background)
    smoothed = positive * if_lesion + background * if_background
    share = params.label_smoothing
    total = ((1.0 - share) * own + 0.5 * share * smoothed).sum()
    lesions = lesion.sum()
    return total, positive * lesions + background * (lesion.numel() - lesions)


def counts(logits: Tensor, lesion: Tensor) -> Counts:
    """Return the outcomes of each volume by the larger logit; equal ones are background."""
    found = logits[:, 1] > logits[:, 0]
    axes = tuple(range(1, lesion.ndim))
    each = ((found & lesion), (found & ~lesion), (~found & lesion), (~found & ~lesion))
    return Counts(*(outcome.sum(axes) for outcome in each))


def lesion_dice(outcome: Counts) -> Tensor:
    """Return 2TP / (2TP + FP + FN) of each volume, float64 (B,); 1 where there is no lesion and none was found."""
    return _dice(outcome.true_positive, outcome)


def macro_dice(outcome: Counts) -> Tensor:
    """Return the mean of the Dice of lesion and background, float64 (B,)."""
    return (lesion_dice(outcome) + _dice(outcome.true_negative, outcome)) / 2


def _dice(right: Tensor, outcome: Counts) -> Tensor:
    wrong = outcome.false_positive + outcome.false_negative
    # A division of int64 gives float32, which cannot count the voxels of a volume; Apple's GPUs have nothing wider.
    kind = torch.float32 if right.device.type == "mps" else torch.float64
    twice = 2 * right.to(kind)
    return torch.where(right + wrong > 0, twice / (twice + wrong).clamp(min=1), 1.0)
