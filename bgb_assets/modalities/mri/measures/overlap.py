"""Overlap of a predicted and a true lesion, voxel by voxel and lesion by lesion, from exact counts.

No smoothing: where a figure has no value it has none, and where both sides are empty that is said. Lesion Dice and
macro Dice differ much on the same prediction (0.66 and 0.83), so neither is ever called Dice alone.

Belongs here: counts and the figures that follow from them. Does not belong here: distances (`surface`), all figures of
a scan (`scan`), figures of many scans (`aggregates`).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]

NEIGHBOURS_26 = np.ones((3, 3, 3), np.bool_)
"""Voxels that touch in a face, an edge or a corner belong to one lesion."""


@dataclass(frozen=True)
class Overlap:
    """Voxels by prediction and truth; whole numbers of any size, so that their products are exact."""

    tp: int
    fp: int
    fn: int
    tn: int

    @property
    def predicted(self) -> int:
        """Voxels of the predicted lesion."""
        return self.tp + self.fp

    @property
    def true(self) -> int:
        """Voxels of the true lesion."""
        return self.tp + self.fn

    @property
    def both_empty(self) -> bool:
        """Whether there is no lesion, and none was predicted."""
        return not (self.tp or self.fp or self.fn)

    def lesion_dice(self) -> float:
        """Return 2TP / (2TP + FP + FN); 1 where both are empty (Dice 1945)."""
        return _dice(self.tp, self.fp, self.fn)

    def macro_dice(self) -> float:
        """Return the mean of lesion Dice and background Dice, 2TN / (2TN + FP + FN)."""
        return (self.lesion_dice() + _dice(self.tn, self.fp, self.fn)) / 2

    def avd(self) -> float | None:
        """Return the absolute volume difference |Vp - Vt| / Vt; None where there is no lesion."""
        return abs(self.predicted - self.true) / self.true if self.true else None

    def mcc(self) -> float:
        """Return Matthews' correlation (Matthews 1975); 0 where a row or a column of the counts is empty."""
        tp, fp, fn, tn = self.tp, self.fp, self.fn, self.tn
        product = (tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)
        return (tp * tn - fp * fn) / math.sqrt(product) if product else 0.0


@dataclass(frozen=True)
class LesionMatch:
    """Lesions (26-neighbour components) by whether the other side touches them in at least one voxel."""

    found: int
    missed: int
    predicted: int
    false: int

    @property
    def true(self) -> int:
        """How many lesions there are."""
        return self.found + self.missed

    def lesion_f1(self) -> float:
        """Return 2 found / (2 found + false + missed); 1 where both sides are empty."""
        return _dice(self.found, self.false, self.missed)

    def count_difference(self) -> int:
        """Return how many more or fewer lesions were predicted than there are."""
        return abs(self.predicted - self.true)


def overlap(prediction: Mask, truth: Mask) -> Overlap:
    """Count the voxels of two masks on one grid.

    Raises:
        ValueError: They are no masks, or differ in shape.
    """
    require_masks(prediction, truth)
    tp = int(np.count_nonzero(prediction & truth))
    fp, fn = int(np.count_nonzero(prediction)) - tp, int(np.count_nonzero(truth)) - tp
    return Overlap(tp, fp, fn, truth.size - tp - fp - fn)


def match_lesions(prediction: Mask, truth: Mask) -> LesionMatch:
    """Count the lesions of two masks on one grid, and those that the other side touches.

    Raises:
        ValueError: They are no masks, or differ in shape.
    """
    require_masks(prediction, truth)
    both = prediction | truth
    if not both.any():
        return LesionMatch(0, 0, 0, 0)
    box = bounding_box(both)
    found, true = _touched(truth[box], prediction[box])
    right, predicted = _touched(prediction[box], truth[box])
    return LesionMatch(found, true - found, predicted, predicted - right)


def bounding_box(mask: Mask) -> tuple[slice, ...]:
    """Return the smallest box that holds all set voxels; there must be one."""
    axes = range(mask.ndim)
    # The last axis first: rows of it are whole, so that the others are asked on a plane.
    places = [np.flatnonzero(mask.any(axis=tuple(other for other in axes if other != axis))) for axis in axes]
    return tuple(slice(int(place[0]), int(place[-1]) + 1) for place in places)


def require_masks(prediction: Mask, truth: Mask) -> None:
    """Check that two arrays are masks on one grid.

    Raises:
        ValueError: They are not.
    """
    if prediction.shape != truth.shape:
        raise ValueError(f"masks must lie on one grid, got shapes {prediction.shape} and {truth.shape}")
    if prediction.dtype != np.bool_ or truth.dtype != np.bool_:
        raise ValueError(f"masks must be of truth values, got {prediction.dtype} and {truth.dtype}")


def _dice(both: int, first: int, second: int) -> float:
    total = 2 * both + first + second
    return 2 * both / total if total else 1.0


def _touched(mask: Mask, other: Mask) -> tuple[int, int]:
    """Return how many components of a mask the other one touches, and how many there are."""
    from scipy.ndimage import label

    numbers, count = label(mask, NEIGHBOURS_26)
    touched = np.unique(numbers[other])
    return int(np.count_nonzero(touched)), int(count)
