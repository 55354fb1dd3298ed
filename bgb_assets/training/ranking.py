"""How well scores rank: area under the ROC curve, average precision, equal error rate.

All take counts of positives and negatives at the distinct scores in ascending order, (..., n): leading axes are
resamples or groups, so that a bootstrap is one call. Belongs here: figures of a ranking. Does not belong here:
probabilities as such (`calibration`), intervals (`intervals`).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.float64]


def counts_of(scores: NDArray[Any], labels: NDArray[np.bool_]) -> tuple[Counts, Counts, NDArray[Any]]:
    """Return positives, negatives and the distinct scores, ascending, of scores (n,) and labels (n,).

    Raises:
        ValueError: A score is not a number: it has no rank.
    """
    if np.isnan(scores).any():
        raise ValueError(f"{int(np.isnan(scores).sum())} of {scores.size} scores are NaN; leave them out with a reason")
    values, place = np.unique(scores, return_inverse=True)
    total = np.bincount(place, minlength=len(values)).astype(np.float64)
    positives = np.bincount(place, weights=labels, minlength=len(values)).astype(np.float64)
    return positives, total - positives, values


def auroc(positives: Counts, negatives: Counts) -> NDArray[np.float64]:
    """Return the probability that a positive outranks a negative, ties half; NaN where a class is absent.

    Equals the trapezoidal area under the ROC curve (Hanley and McNeil 1982).
    """
    below = np.cumsum(negatives, -1) - negatives / 2
    pairs = positives.sum(-1) * negatives.sum(-1)
    return _divided((positives * below).sum(-1), pairs)


def average_precision(positives: Counts, negatives: Counts) -> NDArray[np.float64]:
    """Return the mean precision over the recall gained at each distinct score, without interpolation.

    NaN where a class is absent, as for `auroc`.
    """
    found = _from_above(positives)
    precision = _divided(found, found + _from_above(negatives), empty=0.0)
    total = positives.sum(-1)
    both = np.where(negatives.sum(-1) > 0, total, 0)
    return _divided((positives * precision).sum(-1), both)


def equal_error_rate(positives: Counts, negatives: Counts) -> NDArray[np.float64]:
    """Return where misses equal false alarms, linear between the points of the ROC curve; NaN where a class is absent.

    Args:
        positives: (..., n).
        negatives: (..., n).
    """
    missed = _with_zero(_divided(np.cumsum(positives, -1), positives.sum(-1)[..., None]))
    false = 1 - _with_zero(_divided(np.cumsum(negatives, -1), negatives.sum(-1)[..., None]))
    gap = missed - false
    after = np.argmax(gap >= 0, -1)[..., None]
    before = np.maximum(after - 1, 0)
    gap_before, gap_after = (np.take_along_axis(gap, place, -1) for place in (before, after))
    along = _divided(-gap_before, gap_after - gap_before, empty=0.0)
    low, high = (np.take_along_axis(missed, place, -1) for place in (before, after))
    rate = (low + along * (high - low))[..., 0]
    return np.where(np.isnan(gap).any(-1), np.nan, rate)


def _from_above(counts: Counts) -> Counts:
    return np.cumsum(counts[..., ::-1], -1)[..., ::-1]


def _with_zero(shares: Counts) -> Counts:
    return np.concatenate([np.where(np.isnan(shares[..., :1]), np.nan, 0.0), shares], -1)


def _divided(above: Any, below: Any, *, empty: float = np.nan) -> NDArray[np.float64]:
    above, below = np.broadcast_arrays(np.asarray(above, np.float64), np.asarray(below, np.float64))
    divided: NDArray[np.float64] = np.divide(above, below, out=np.full(above.shape, empty), where=below > 0)
    return divided
