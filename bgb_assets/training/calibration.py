"""Whether probabilities mean what they say: reliability, expected calibration error, Brier score, temperature.

Belongs here: one definition of each for all models. A sample may be a row with a count (a histogram's value with its
share of positives), or one sample with outcome 0 or 1; for several classes it is the confidence of the chosen class
and whether it was right. Does not belong here: rankings (`ranking`), pictures (each modality's report).
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

BINS = 15
_MOST_ITERATIONS = 200
_SMALLEST_STEP = 1e-13
_COLDEST, _HOTTEST = 1e-4, 1e4


@dataclass(frozen=True, eq=False)
class Reliability:
    """Bins of a reliability picture, empty ones left out, in ascending order of probability.

    Attributes:
        probability: (bins,) mean probability said.
        outcome: (bins,) share that came true.
        weight: (bins,) how many samples.
    """

    probability: NDArray[np.float64]
    outcome: NDArray[np.float64]
    weight: NDArray[np.float64]

    @property
    def error(self) -> float | None:
        """Expected calibration error: mean |outcome - probability| over samples (Naeini 2015); None without any."""
        if not self.weight.size:
            return None
        return float(np.average(np.abs(self.outcome - self.probability), weights=self.weight))


def reliability(
    probabilities: NDArray[Any],
    outcomes: NDArray[Any],
    weights: NDArray[Any] | None = None,
    *,
    bins: int = BINS,
    binned_by: Literal["width", "mass"] = "width",
) -> Reliability:
    """Sort samples into bins.

    Args:
        probabilities: (n,) in [0, 1].
        outcomes: (n,) 0 or 1, or the share of a row's samples that came true.
        weights: (n,) samples of a row; 1 each where left out.
        bins: How many.
        binned_by: "width": equal width, each bin with its lower end, the last one also with 1. "mass": equal number of
            samples; equal probabilities stay together, whatever their order.

    Raises:
        ValueError: A probability or outcome is no number in [0, 1].
    """
    p, o, w = _checked(probabilities, outcomes, weights)
    place = _by_width(p, bins) if binned_by == "width" else _by_mass(p, w, bins)
    mass = np.bincount(place, weights=w, minlength=bins)
    full = mass > 0
    said, came = (np.bincount(place, weights=w * x, minlength=bins)[full] / mass[full] for x in (p, o))
    return Reliability(said, came, np.asarray(mass[full], np.float64))


def brier_score(
    probabilities: NDArray[Any], outcomes: NDArray[Any], weights: NDArray[Any] | None = None
) -> float | None:
    """Return the mean squared distance of probability and outcome (Brier 1950); None without samples.

    Raises:
        ValueError: A probability or outcome is no number in [0, 1].
    """
    p, o, w = _checked(probabilities, outcomes, weights)
    if not w.sum():
        return None
    return float(np.average(o * (1 - p) ** 2 + (1 - o) * p**2, weights=w))


def fit_temperature(logits: NDArray[Any], outcomes: NDArray[Any], weights: NDArray[Any] | None = None) -> float:
    """Return the temperature T that makes softmax(logits / T) likeliest (Guo 2017); probabilities change, ranks do not.

    The likelihood is concave in 1 / T: Newton's steps within a bracket, to 1e-13 of the value.

    Args:
        logits: (n,) of two classes (sigmoid), or (n, classes); finite.
        outcomes: (n,) share of positives, or the number of the right class.
        weights: (n,) samples of a row.

    Returns:
        T between 1e-4 and 1e4; an end where the samples say that nothing (or everything) is certain.

    Raises:
        ValueError: A logit is not finite, or there is no sample.
    """
    z = np.asarray(logits, np.float64)
    if not np.isfinite(z).all():
        raise ValueError(f"{int((~np.isfinite(z)).sum())} of {z.size} logits are not finite")
    w = np.ones(len(z)) if weights is None else np.asarray(weights, np.float64)
    if not w.sum():
        raise ValueError("a temperature needs samples, got none")
    if z.ndim == 1:
        rows = np.stack([np.zeros_like(z), z], 1)
        right = z * np.asarray(outcomes, np.float64)
    else:
        rows, right = z, np.take_along_axis(z, np.asarray(outcomes, np.int64)[:, None], 1)[:, 0]
    return 1 / _root(rows, right, w)


def _root(rows: NDArray[np.float64], right: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    """Return the b where the slope of the mean loss of softmax(b * rows) is 0: it grows with b."""
    low, high, b = 1 / _HOTTEST, 1 / _COLDEST, 1.0
    if _slope_and_curve(rows, right, weights, high)[0] <= 0:
        return high
    if _slope_and_curve(rows, right, weights, low)[0] >= 0:
        return low
    for _ in range(_MOST_ITERATIONS):
        slope, curve = _slope_and_curve(rows, right, weights, b)
        low, high = (b, high) if slope < 0 else (low, b)
        step = b - slope / curve if curve > 0 else np.inf
        following = step if low < step < high else float(np.sqrt(low * high))
        if abs(following - b) <= _SMALLEST_STEP * b or slope == 0:
            return b if slope == 0 else following
        b = following
    return b


def _slope_and_curve(
    rows: NDArray[np.float64], right: NDArray[np.float64], weights: NDArray[np.float64], b: float
) -> tuple[float, float]:
    scaled = b * rows
    p = np.exp(scaled - scaled.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    mean = (p * rows).sum(1)
    variance = (p * (rows - mean[:, None]) ** 2).sum(1)
    return float(np.average(mean - right, weights=weights)), float(np.average(variance, weights=weights))


def _by_width(p: NDArray[np.float64], bins: int) -> NDArray[np.int64]:
    edges = np.linspace(0, 1, bins + 1)
    return np.minimum(np.searchsorted(edges, p, side="right") - 1, bins - 1)


def _by_mass(p: NDArray[np.float64], weights: NDArray[np.float64], bins: int) -> NDArray[np.int64]:
    """Return the bin of each sample: that of the middle of the samples that share its probability."""
    values, place = np.unique(p, return_inverse=True)
    mass = np.bincount(place, weights=weights, minlength=len(values))
    middle = np.cumsum(mass) - mass / 2
    total = mass.sum()
    index = np.floor(bins * middle / total).astype(np.int64) if total else np.zeros(len(values), np.int64)
    return np.asarray(np.minimum(index, bins - 1)[place], np.int64)


def _checked(
    probabilities: NDArray[Any], outcomes: NDArray[Any], weights: NDArray[Any] | None
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    p, o = np.asarray(probabilities, np.float64), np.asarray(outcomes, np.float64)
    for name, values in (("probability", p), ("outcome", o)):
        bad = ~((values >= 0) & (values <= 1))
        if bad.any():
            raise ValueError(f"{name} must lie in [0, 1], got {float(values[bad][0])!r} and {int(bad.sum()) - 1} more")
    w = np.ones(len(p)) if weights is None else np.asarray(weights, np.float64)
    return p, o, w
