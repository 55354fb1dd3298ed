"""Every figure of a set of recordings: each scored whole, summed, with intervals over patients.

A recording is what was recorded in one go, however it was cut into windows: scoring a window as a recording multiplies
its false alarms and lets a detection in the wrong window count.

Belongs here: what is computed, and from what. Does not belong here: the rules (`szcore`, `nedc`, `board`, `timeline`),
tuning (`thresholds`), files (`folders`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
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
_RANKED: Mapping[Figure, Callable[..., NDArray[np.float64]]] = {
    Figure.AUROC: auroc,
    Figure.AUPRC: average_precision,
}
"""Of (..., n) positives and negatives at rising scores."""


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
        evaluated_s: How much of it was recorded and heard, where that is less: false alarms are counted per time that
            was evaluated, while what lies how far apart is told by the recording's clock.
    """

    name: str
    patient: str
    duration_s: float
    reference: Events
    hypothesis: Events
    steps: Histogram | None = None
    evaluated_s: float | None = None


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What was found.

    Attributes:
        scores: Over all recordings.
        patients: In the order of their names.
        tables: Scorer -> (patients, 4) counts in the order of `counts.COLUMNS`.
        steps: The timelines of all recordings together; None where some have none.
        recordings: How many.
        ranked: Figure of the timeline -> (patients,), NaN where a patient has one class only; empty without timelines.
    """

    scores: Scores
    patients: tuple[str, ...]
    tables: Mapping[Scorer, NDArray[np.float64]]
    steps: Histogram | None
    recordings: int
    ranked: Mapping[Figure, NDArray[np.float64]] = field(default_factory=dict)

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
            "by_patient": {patient: self._patient(row) for row, patient in enumerate(self.patients)},
        }

    def _patient(self, row: int) -> dict[str, dict[str, float | None]]:
        """Return scorer -> counts and figures of one patient; None where a figure is undefined."""
        found: dict[str, dict[str, float | None]] = {}
        for scorer, table in self.tables.items():
            figures = {str(figure): _known(rate(table[row])) for figure, rate in _rates_of(scorer).items()}
            found[str(scorer)] = dict(zip(counts.COLUMNS, table[row].tolist(), strict=True)) | figures
        if self.ranked:
            found[str(Scorer.TIMELINE)] = {str(figure): _known(values[row]) for figure, values in self.ranked.items()}
        return found


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
    ranked = {} if rows is None else _ranked(rows)
    return Evaluation(Scores(found), tuple(patients.tolist()), tables, steps, len(recordings), ranked)


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
    table = _counted(scorer, recordings)
    shorter = [place for place, one in enumerate(recordings) if one.evaluated_s is not None]
    table[shorter, counts.COLUMNS.index("duration_s")] = [recordings[place].evaluated_s for place in shorter]
    return table


def _counted(scorer: Scorer, recordings: Sequence[Recording]) -> NDArray[np.float64]:
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
    return {Metric(scorer, figure): draws.interval(table, rate) for figure, rate in _rates_of(scorer).items()}


def _rates_of(scorer: Scorer) -> Mapping[Figure, Rate]:
    """Return the figures of a scorer's counts; false alarms that are epochs are told in seconds."""
    if scorer is not Scorer.NEDC_EPOCH:
        return _RATES
    return {**_RATES, Figure.FALSE_ALARMS: _times(EPOCH_S, counts.false_alarms_per_day)}


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


def _halved(of: Callable[..., NDArray[np.float64]], half: int) -> Rate:
    return lambda sums: of(sums[..., :half], sums[..., half:])


def _ranked(rows: NDArray[np.int64]) -> dict[Figure, NDArray[np.float64]]:
    """Return AUROC and AUPRC of each patient, (patients,)."""
    sums = rows.astype(np.float64)
    return {figure: _halved(of, timeline.ONE + 1)(sums) for figure, of in _RANKED.items()}


def _known(value: Any) -> float | None:
    return None if np.isnan(value) else float(value)


def _timeline(rows: NDArray[np.int64], steps: Histogram, draws: _Draws) -> dict[Metric, Interval]:
    """Return the figures of the timeline; probabilities that never occur are left out of what is resampled."""
    used = np.flatnonzero(steps.steps)
    half = len(used)
    occurring = rows[:, np.concatenate([used, used + timeline.ONE + 1])]
    found = {
        Metric(Scorer.TIMELINE, figure): draws.interval(occurring, _halved(of, half)) for figure, of in _RANKED.items()
    }
    kinds: Mapping[Figure, Literal["width", "mass"]] = {Figure.ECE_WIDTH: "width", Figure.ECE_MASS: "mass"}
    plain = {figure: timeline.reliability(steps, kind).error for figure, kind in kinds.items()}
    plain[Figure.BRIER] = timeline.brier_score(steps)
    return found | {
        Metric(Scorer.TIMELINE, figure): Interval(value, None, None, len(rows), 0, 0) for figure, value in plain.items()
    }
