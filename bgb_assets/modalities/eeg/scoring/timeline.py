"""Probabilities step by step (16 Hz) against labels: exact figures from histograms.

Probabilities are stored as float16: in [0, 1] there are 15,361 of these, so that two counts for each hold everything
that a ranking or a calibration depends on. Histograms add up over recordings and patients.

Belongs here: histograms and their figures. Does not belong here: events cut out of a timeline (`thresholds`).
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bgb_assets.modalities.eeg.electrodes import RATE_HZ
from bgb_assets.modalities.eeg.scoring.overlaps import length_before
from bgb_assets.runtime.errors import BadInput
from bgb_assets.training import calibration, ranking

STEP_SAMPLES = RATE_HZ // 16
ONE = 0x3C00
"""The bits of 1.0 as float16: the bits of 0 and of all smaller positive numbers are smaller, in their order."""
_LEAST, _MOST = 2.0**-25, 1 - 2.0**-12
"""Half-way to the neighbours of 0 and 1: what probabilities rounded to these were at least, and at most."""


@dataclass(frozen=True, eq=False)
class Histogram:
    """Steps by probability.

    Attributes:
        positives: (15361,) ictal steps with each float16 of [0, 1], ascending.
        negatives: (15361,) all others that were evaluated.
    """

    positives: NDArray[np.int64]
    negatives: NDArray[np.int64]

    def __add__(self, other: "Histogram") -> "Histogram":
        return Histogram(self.positives + other.positives, self.negatives + other.negatives)

    @property
    def row(self) -> NDArray[np.int64]:
        """(30722,): positives, then negatives; rows of patients are what a bootstrap resamples."""
        return np.concatenate([self.positives, self.negatives])

    @property
    def steps(self) -> NDArray[np.int64]:
        """(15361,) evaluated steps."""
        return self.positives + self.negatives


def empty_histogram() -> Histogram:
    """Return a histogram of no step."""
    return Histogram(np.zeros(ONE + 1, np.int64), np.zeros(ONE + 1, np.int64))


def values() -> NDArray[np.float64]:
    """Return the 15,361 probabilities, ascending."""
    return np.arange(ONE + 1, dtype=np.uint16).view(np.float16).astype(np.float64)


def step_labels(seizures: NDArray[np.int64], steps: int) -> NDArray[np.bool_]:
    """Return which steps (steps,) are ictal: at least 8 of their 16 samples.

    Args:
        seizures: (k, 2) samples at 256 Hz over all segments, one after the other: disjoint, sorted.
        steps: Length of the timeline; the last step may have fewer samples.
    """
    before = length_before(seizures, np.arange(steps + 1) * STEP_SAMPLES)
    return np.asarray(2 * np.diff(before) >= STEP_SAMPLES)


def histogram(
    probabilities: NDArray[Any], labels: NDArray[np.bool_], evaluated: NDArray[np.bool_] | None = None
) -> Histogram:
    """Count steps.

    Args:
        probabilities: (steps,) in [0, 1]; rounded to float16 where they are not.
        labels: (steps,) ictal.
        evaluated: (steps,) False in gaps and where nothing was known: not counted, whatever the probability there.

    Raises:
        BadInput: Lengths differ, or an evaluated probability is no number in [0, 1].
    """
    if probabilities.shape != labels.shape:
        raise BadInput(f"{probabilities.size} probabilities and {labels.size} labels", "give one of each a step")
    kept = slice(None) if evaluated is None else evaluated
    p, ictal = probabilities[kept], labels[kept]
    bad = ~((p >= 0) & (p <= 1))
    if bad.any():
        raise BadInput(
            f"{int(bad.sum())} of {p.size} probabilities are not in [0, 1], the first is {float(p[bad][0])!r}",
            "mark steps without a probability as not evaluated",
        )
    index = (p.astype(np.float16) + np.float16(0)).view(np.uint16)
    return Histogram(*(np.bincount(index[chosen], minlength=ONE + 1) for chosen in (ictal, ~ictal)))


def auroc(steps: Histogram) -> float | None:
    """Return the area under the ROC curve; None with one class."""
    return _known(ranking.auroc(steps.positives.astype(np.float64), steps.negatives.astype(np.float64)))


def auprc(steps: Histogram) -> float | None:
    """Return the average precision; None with one class."""
    return _known(ranking.average_precision(steps.positives.astype(np.float64), steps.negatives.astype(np.float64)))


def reliability(steps: Histogram, binned_by: Literal["width", "mass"] = "width") -> calibration.Reliability:
    """Return the 15 bins of the reliability picture; its `error` is the ECE."""
    used, outcomes, weights = _weighted(steps)
    return calibration.reliability(used, outcomes, weights, binned_by=binned_by)


def brier_score(steps: Histogram) -> float | None:
    """Return the Brier score over steps; None without any."""
    return calibration.brier_score(*_weighted(steps))


def fit_temperature(steps: Histogram) -> float:
    """Return the temperature that makes the labels likeliest; 0 and 1 are taken half-way to their neighbours.

    Raises:
        BadInput: No step was evaluated.
    """
    used, outcomes, weights = _weighted(steps)
    if not weights.size:
        raise BadInput("no step was evaluated", "fit the temperature on recordings with signal")
    p = np.clip(used, _LEAST, _MOST)
    return calibration.fit_temperature(np.log(p) - np.log1p(-p), outcomes, weights)


def _weighted(steps: Histogram) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return the probabilities that occur, the share of ictal steps at each, and how many there are."""
    used = np.flatnonzero(steps.steps)
    weights = steps.steps[used].astype(np.float64)
    return values()[used], steps.positives[used] / weights, weights


def _known(value: NDArray[np.float64]) -> float | None:
    return None if np.isnan(value) else float(value)
