"""From timelines to operating points: which threshold detects how much at which price.

Belongs here: thresholds to try, what each gives, and choosing among them. Does not belong here: how a timeline is cut
into events (`detection.postprocess`, handed in). Thresholds are chosen on the validation split only: what is handed in
decides that.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bgb_assets.modalities.eeg.scoring import counts
from bgb_assets.modalities.eeg.scoring.evaluation import Recording, score_all
from bgb_assets.modalities.eeg.scoring.events import Events
from bgb_assets.modalities.eeg.scoring.metrics import FALSE_ALARM_LIMITS, Figure, Metric, Scorer
from bgb_assets.modalities.eeg.scoring.timeline import Histogram, values
from bgb_assets.runtime.errors import BadInput
from bgb_assets.training.intervals import RESAMPLES, Interval, bootstrap_sums, group_sums

STEPS = 200

Detect: TypeAlias = Callable[[NDArray[Any], float], Events]
"""(probabilities of one recording, threshold) -> (k, 2) seconds."""


@dataclass(frozen=True, eq=False)
class Timeline:
    """One recording with its probabilities.

    Attributes:
        patient: Whose it is.
        duration_s: How long it is.
        reference: (k, 2) seconds, true seizures.
        probabilities: (steps,) as `Detect` takes them.
        evaluated_s: See `evaluation.Recording`.
    """

    patient: str
    duration_s: float
    reference: Events
    probabilities: NDArray[Any]
    evaluated_s: float | None = None


@dataclass(frozen=True, eq=False)
class OperatingPoints:
    """What each threshold gives.

    Attributes:
        scorer: Who counted.
        thresholds: (t,) ascending.
        table: (patients, t, 4) counts in the order of `counts.COLUMNS`.
    """

    scorer: Scorer
    thresholds: NDArray[np.float64]
    table: NDArray[np.float64]

    @property
    def sensitivity(self) -> NDArray[np.float64]:
        """(t,) over all patients; NaN without references."""
        return counts.sensitivity(self.table.sum(0))

    @property
    def false_alarms_per_day(self) -> NDArray[np.float64]:
        """(t,) over all patients."""
        return counts.false_alarms_per_day(self.table.sum(0))

    @property
    def f1(self) -> NDArray[np.float64]:
        """(t,) over all patients; NaN with neither reference nor false alarm."""
        return counts.f1(self.table.sum(0))


def candidate_thresholds(steps: Histogram, count: int = STEPS) -> NDArray[np.float64]:
    """Return the distinct quantiles of the probabilities at 0, 1/count, ..., 1, ascending.

    Each is a probability that occurs: the smallest one with at least that share of the steps at or below it.

    Raises:
        BadInput: No step was evaluated.
    """
    up_to = np.cumsum(steps.steps)
    if not up_to[-1]:
        raise BadInput("no step was evaluated", "choose thresholds on recordings with signal")
    wanted = np.maximum(1, -(-np.arange(count + 1) * up_to[-1] // count))
    return np.asarray(values()[np.unique(np.searchsorted(up_to, wanted))], np.float64)


def operating_points(
    timelines: Sequence[Timeline], detect: Detect, thresholds: NDArray[np.float64], scorer: Scorer
) -> OperatingPoints:
    """Cut every timeline into events anew at every threshold, and score.

    Raises:
        BadInput: There is no timeline, or one cannot be scored.
    """
    if not timelines:
        raise BadInput("there is no timeline to choose a threshold on", "give recordings with probabilities")
    rows = [
        score_all(scorer, [_detected(place, one, detect, at) for place, one in enumerate(timelines)])
        for at in thresholds.tolist()
    ]
    patients, place = np.unique([one.patient for one in timelines], return_inverse=True)
    flat = np.stack(rows, 1).reshape(len(timelines), -1)
    table = group_sums(flat, place, len(patients)).reshape(len(patients), len(thresholds), len(counts.COLUMNS))
    return OperatingPoints(scorer, thresholds, table)


def _detected(place: int, one: Timeline, detect: Detect, threshold: float) -> Recording:
    events = detect(one.probabilities, threshold)
    return Recording(f"timeline {place}", one.patient, one.duration_s, one.reference, events, None, one.evaluated_s)


def best_threshold(points: OperatingPoints) -> float:
    """Return the threshold with the largest F1; of equal ones the highest, which alarms least.

    Raises:
        BadInput: F1 is undefined at all of them: there is no seizure.
    """
    f1 = points.f1
    if np.isnan(f1).all():
        raise BadInput("no recording has a seizure, so that no threshold is better than another", "add some that have")
    return float(points.thresholds[np.flatnonzero(f1 == np.nanmax(f1))[-1]])


def sensitivity_at(points: OperatingPoints, limit: float) -> tuple[float | None, float | None]:
    """Return the largest sensitivity with at most `limit` false alarms in 24 hours, and its threshold.

    Sensitivity 0 without a threshold where even the highest one alarms more often: nothing but silence is allowed.
    None without references.
    """
    best = float(_best_within(points.table.sum(0), limit))
    if np.isnan(best):
        return None, None
    fits = (points.false_alarms_per_day <= limit) & (points.sensitivity == best)
    return best, float(points.thresholds[np.flatnonzero(fits)[-1]]) if fits.any() else None


def sensitivities(
    points: OperatingPoints,
    limits: Sequence[float] = FALSE_ALARM_LIMITS,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[Metric, Interval]:
    """Return the sensitivity at each limit with its interval over patients; a resample chooses its own thresholds."""
    patients, shape = len(points.table), points.table.shape[1:]
    flat = points.table.reshape(patients, -1)

    def at(limit: float) -> Interval:
        return bootstrap_sums(
            flat, lambda sums: _best_within(sums.reshape(-1, *shape), limit), resamples=resamples, seed=seed
        )

    return {Metric(points.scorer, Figure.SENSITIVITY_AT, float(limit)): at(limit) for limit in limits}


def _best_within(table: NDArray[np.float64], limit: float) -> NDArray[np.float64]:
    """Return (...) the best sensitivity within the limit of counts (..., t, 4), 0 if none; NaN without references."""
    sensitivity = counts.sensitivity(table)
    allowed = counts.false_alarms_per_day(table) <= limit
    best = np.where(allowed, sensitivity, 0.0).max(-1)
    return np.asarray(np.where(np.isnan(sensitivity).all(-1), np.nan, best))
