"""Every figure of a set of recordings: each scored whole, summed, with intervals over patients.

A recording is what was recorded in one go, however it was cut into windows: scoring a window as a recording multiplies
its false alarms and lets a detection in the wrong window count.

Belongs here: what is computed, and from what. Does not belong here: the rules (`szcore`, `nedc`, `board`, `timeline`),
tuning (`thresholds`), files (`folders`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bgb_assets.modalities.eeg.scoring import counts, timeline
from bgb_assets.modalities.eeg.scoring.batch import Batch, batch_of
from bgb_assets.modalities.eeg.scoring.board import over_patients, szcore_board
from bgb_assets.modalities.eeg.scoring.counts import Counts
from bgb_assets.modalities.eeg.scoring.events import Events
from bgb_assets.modalities.eeg.scoring.latency import latencies_s
from bgb_assets.modalities.eeg.scoring.metrics import STD_OF, Figure, Metric, Scorer, Scores
from bgb_assets.modalities.eeg.scoring.nedc import EPOCH_S, nedc_epoch, nedc_overlap, nedc_taes
from bgb_assets.modalities.eeg.scoring.szcore import szcore_event, szcore_events, szcore_sample, szcore_samples
from bgb_assets.modalities.eeg.scoring.timeline import Histogram
from bgb_assets.runtime.errors import BadInput
from bgb_assets.training.intervals import RESAMPLES, Interval, bootstrap_sums, group_sums
from bgb_assets.training.ranking import auroc, average_precision

Score: TypeAlias = Callable[[Events, Events, float], Counts]
SCORERS: Mapping[Scorer, Score] = {
    Scorer.SZCORE_EVENT: szcore_event,
    Scorer.SZCORE_SAMPLE: szcore_sample,
    Scorer.SZCORE_BOARD: szcore_board,
    Scorer.NEDC_OVERLAP: nedc_overlap,
    Scorer.NEDC_TAES: nedc_taes,
    Scorer.NEDC_EPOCH: nedc_epoch,
}
_TOGETHER: Mapping[Scorer, Callable[[Batch], NDArray[np.float64]]] = {
    Scorer.SZCORE_EVENT: szcore_events,
    Scorer.SZCORE_SAMPLE: szcore_samples,
}
"""Scorers that take all recordings at once."""
Rate: TypeAlias = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""Counts (..., 4) -> figures (...)."""
_RATES: Mapping[Figure, Rate] = {
    Figure.SENSITIVITY: counts.sensitivity,
    Figure.PRECISION: counts.precision,
    Figure.F1: counts.f1,
    Figure.FALSE_ALARMS: counts.false_alarms_per_day,
}


@dataclass(frozen=True, eq=False)
class Recording:
    """What is scored.

    Attributes:
        name: Of the recording.
        patient: Whose it is: intervals resample patients.
        duration_s: How long it is.
        reference: (k, 2) seconds, true seizures.
        hypothesis: (k, 2) seconds, detected ones.
        steps: Its timeline against its labels; None where only events are known.
    """

    name: str
    patient: str
    duration_s: float
    reference: Events
    hypothesis: Events
    steps: Histogram | None = None


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What was found.

    Attributes:
        scores: Over all recordings.
        patients: In the order of their names.
        tables: Scorer -> (patients, 4) counts in the order of `counts.COLUMNS`.
        steps: The timelines of all recordings together; None where some have none.
        recordings: How many.
    """

    scores: Scores
    patients: tuple[str, ...]
    tables: Mapping[Scorer, NDArray[np.float64]]
    steps: Histogram | None
    recordings: int

    def total(self, scorer: Scorer) -> Counts:
        """Return what a scorer counted over all recordings."""
        return Counts(*self.tables[scorer].sum(0).tolist())

    def to_json(self) -> dict[str, Any]:
        """Return what JSON holds: counts, figures with intervals, and figures by patient."""
        columns = counts.COLUMNS
        return {
            "recordings": self.recordings,
            "patients": len(self.patients),
            "counts": {
                str(one): dict(zip(columns, table.sum(0).tolist(), strict=True)) for one, table in self.tables.items()
            },
            "scores": self.scores.to_json(),
            "by_patient": {
                patient: {
                    str(one): dict(zip(columns, table[row].tolist(), strict=True)) for one, table in self.tables.items()
                }
                for row, patient in enumerate(self.patients)
            },
        }


def evaluate(recordings: Sequence[Recording], *, resamples: int = RESAMPLES, seed: int = 0) -> Evaluation:
    """Score recordings with every scorer.

    The timeline's figures are given where every recording has steps.

    Args:
        recordings: At least one.
        resamples: Of patients, for each interval.
        seed: Of the resamples.

    Raises:
        BadInput: There is no recording, or one cannot be scored; the message names it.
    """
    if not recordings:
        raise BadInput("there is no recording to score", "give recordings with a reference and a hypothesis")
    patients, place = np.unique([one.patient for one in recordings], return_inverse=True)
    tables = {scorer: group_sums(score_all(scorer, recordings), place, len(patients)) for scorer in SCORERS}
    draws = _Draws(resamples, seed)
    found = {
        metric: interval
        for scorer, table in tables.items()
        for metric, interval in _rates(scorer, table, draws).items()
    }
    found |= _latency(recordings, place, len(patients), draws)
    rows = _step_rows(recordings, place, len(patients))
    steps = None if rows is None else Histogram(*rows.sum(0).reshape(2, -1))
    if rows is not None and steps is not None:
        found |= _timeline(rows, steps, draws)
    return Evaluation(Scores(found), tuple(patients.tolist()), tables, steps, len(recordings))


@dataclass(frozen=True)
class _Draws:
    """The draws are the same for all figures, so that these can be compared."""

    resamples: int
    seed: int

    def interval(self, sums: NDArray[Any], statistic: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> Interval:
        return bootstrap_sums(sums, statistic, resamples=self.resamples, seed=self.seed)


def score_all(scorer: Scorer, recordings: Sequence[Recording]) -> NDArray[np.float64]:
    """Return (recordings, 4) counts in the order of `counts.COLUMNS`.

    Raises:
        BadInput: A recording cannot be scored; the message names it.
    """
    if scorer not in _TOGETHER:
        return _one_by_one(scorer, recordings)
    lists = [one.reference for one in recordings], [one.hypothesis for one in recordings]
    try:
        batch = batch_of(*lists, [one.duration_s for one in recordings])
    except BadInput:
        return _one_by_one(scorer, recordings)  # Which raises for the recording that is bad, with its name.
    return _TOGETHER[scorer](batch)


def _one_by_one(scorer: Scorer, recordings: Sequence[Recording]) -> NDArray[np.float64]:
    return np.array([_row(SCORERS[scorer], one) for one in recordings], np.float64).reshape(-1, len(counts.COLUMNS))


def _row(score: Score, recording: Recording) -> tuple[float, float, float, float]:
    try:
        return score(recording.reference, recording.hypothesis, recording.duration_s).row
    except BadInput as error:
        raise BadInput(f"{recording.name}: {error.reason}", error.remedy) from error


def _rates(scorer: Scorer, table: NDArray[np.float64], draws: _Draws) -> dict[Metric, Interval]:
    if scorer is Scorer.SZCORE_BOARD:
        return _board(table, draws)
    weight = EPOCH_S if scorer is Scorer.NEDC_EPOCH else 1.0
    found = {}
    for figure, rate in _RATES.items():
        factor = weight if figure is Figure.FALSE_ALARMS else 1.0
        found[Metric(scorer, figure)] = draws.interval(table, _times(factor, rate))
    return found


def _times(factor: float, rate: Rate) -> Rate:
    return lambda sums: factor * rate(sums)


def _board(table: NDArray[np.float64], draws: _Draws) -> dict[Metric, Interval]:
    """Return the means over patients with intervals, and the standard deviations as they are."""
    found = {}
    for figure, rate in _RATES.items():
        figures = rate(table)
        known = np.stack([np.nan_to_num(figures), ~np.isnan(figures)], 1)
        found[Metric(Scorer.SZCORE_BOARD, figure)] = draws.interval(known, _mean)
        std = over_patients(figures).std
        found[Metric(Scorer.SZCORE_BOARD, STD_OF[figure])] = Interval(std, None, None, len(table), 0, 0)
    return found


def _mean(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return totals over numbers of rows (..., 2); NaN where there is nothing."""
    empty = np.full(sums.shape[:-1], np.nan)
    return np.asarray(np.divide(sums[..., 0], sums[..., 1], out=empty, where=sums[..., 1] > 0))


def _latency(
    recordings: Sequence[Recording], place: NDArray[np.intp], patients: int, draws: _Draws
) -> dict[Metric, Interval]:
    """Return the mean latency over found seizures."""
    found = [latencies_s(one.reference, one.hypothesis, one.duration_s) for one in recordings]
    rows = np.array([(one.sum(), one.size) for one in found], np.float64)
    key = Metric(Scorer.NEDC_OVERLAP, Figure.LATENCY)
    return {key: draws.interval(group_sums(rows, place, patients), _mean)}


def _step_rows(recordings: Sequence[Recording], place: NDArray[np.intp], patients: int) -> NDArray[np.int64] | None:
    """Return (patients, 30722) histograms; None where a recording has none."""
    rows = np.zeros((patients, 2 * (timeline.ONE + 1)), np.int64)
    for recording, patient in zip(recordings, place.tolist(), strict=True):
        if recording.steps is None:
            return None
        rows[patient] += recording.steps.row
    return rows


def _timeline(rows: NDArray[np.int64], steps: Histogram, draws: _Draws) -> dict[Metric, Interval]:
    """Return the figures of the timeline; probabilities that never occur are left out of what is resampled."""
    used = np.flatnonzero(steps.steps)
    half = len(used)
    occurring = rows[:, np.concatenate([used, used + timeline.ONE + 1])]
    ranked: Mapping[Figure, Rate] = {
        Figure.AUROC: lambda sums: auroc(sums[..., :half], sums[..., half:]),
        Figure.AUPRC: lambda sums: average_precision(sums[..., :half], sums[..., half:]),
    }
    found = {Metric(Scorer.TIMELINE, figure): draws.interval(occurring, of) for figure, of in ranked.items()}
    kinds: Mapping[Figure, Literal["width", "mass"]] = {Figure.ECE_WIDTH: "width", Figure.ECE_MASS: "mass"}
    plain = {figure: timeline.reliability(steps, kind).error for figure, kind in kinds.items()}
    plain[Figure.BRIER] = timeline.brier_score(steps)
    return found | {
        Metric(Scorer.TIMELINE, figure): Interval(value, None, None, len(rows), 0, 0) for figure, value in plain.items()
    }
