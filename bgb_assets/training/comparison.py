"""Whether one model is better than another: Wilcoxon's signed ranks, paired, and Holm's adjustment for many pairs.

Written here because a machine that only trains has no scipy; tests hold both against it. Belongs here: tests of paired
figures. Does not belong here: which figures are paired (by upload, by patient: the caller), intervals (`intervals`).
"""

from dataclasses import dataclass
from math import erfc, sqrt

import numpy as np
from numpy.typing import NDArray

_MOST_EXACT = 50
_MOST_EXACT_TIED = 13
"""Pairs up to which the null distribution is counted out, the second where differences are tied or 0: scipy's rule."""


@dataclass(frozen=True)
class SignedRanks:
    """A two-sided signed-rank test.

    Attributes:
        statistic: The smaller of the rank sums of positive and of negative differences.
        p_value: Two-sided; 1 where all pairs are equal.
        pairs: How many differ; equal ones are left out, as Wilcoxon does.
    """

    statistic: float
    p_value: float
    pairs: int


def signed_ranks(first: NDArray[np.float64], second: NDArray[np.float64]) -> SignedRanks:
    """Test whether paired figures (n,) differ in location (Wilcoxon 1945).

    Exact up to 50 pairs, up to 13 where differences are tied or 0; above, normal with the correction for ties and none
    for continuity. The figures are those of `scipy.stats.wilcoxon` with its defaults.

    Raises:
        ValueError: The two differ in length, or a figure is not finite.
    """
    if first.shape != second.shape:
        raise ValueError(f"figures must be paired, got {first.shape} and {second.shape}")
    all_differences = first - second
    if not np.isfinite(all_differences).all():
        raise ValueError("a figure is not finite; leave its pair out with a reason")
    differences = all_differences[all_differences != 0]
    if not differences.size:
        return SignedRanks(0.0, 1.0, 0)
    doubled = _doubled_ranks(np.abs(differences))
    positive, total = int(doubled[differences > 0].sum()), int(doubled.sum())
    smaller = min(positive, total - positive)
    distinct = len(np.unique(doubled)) == len(all_differences)
    exact = len(all_differences) <= (_MOST_EXACT if distinct else _MOST_EXACT_TIED)
    p_value = 2 * _share_up_to(doubled, smaller) if exact else _normal(doubled, smaller)
    return SignedRanks(smaller / 2, min(1.0, p_value), len(doubled))


def holm(p_values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return adjusted p-values (m,) in the order given (Holm 1979).

    Ascending, the i-th of m is multiplied by m - i + 1; then the running maximum, at most 1.
    """
    order = np.argsort(p_values, kind="stable")
    count = len(p_values)
    adjusted = np.empty(count)
    adjusted[order] = np.minimum(1, np.maximum.accumulate(p_values[order] * np.arange(count, 0, -1)))
    return adjusted


def _doubled_ranks(sizes: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return twice the ranks, ties at their mean: whole numbers."""
    _, place, counts = np.unique(sizes, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray(2 * last - counts + 1, np.int64)[place]


def _share_up_to(doubled: NDArray[np.int64], most: int) -> float:
    """Return the share of all sign patterns whose positive ranks sum to at most `most` (in doubled ranks)."""
    share = np.zeros(int(doubled.sum()) + 1)
    share[0] = 1.0
    for rank in doubled:
        moved = np.zeros_like(share)
        moved[rank:] = share[:-rank]
        share = (share + moved) / 2
    return float(share[: most + 1].sum())


def _normal(doubled: NDArray[np.int64], smaller: int) -> float:
    """Return the two-sided p-value of the normal that has the statistic's mean and variance, ties included."""
    ranks = doubled / 2
    z = (smaller / 2 - ranks.sum() / 2) / sqrt(float((ranks**2).sum()) / 4)
    return erfc(abs(z) / sqrt(2))
