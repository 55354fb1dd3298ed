"""Whole recordings of a split heard by a network: their timelines, thresholds for them and their scores.

A score of a window is no score: false alarms and found seizures are counted in recordings. So each is stitched from
windows that overlap, and only then cut into events. No event crosses a gap between segments. Times are those of the
recording's clock, so that two events on both sides of a gap are as far apart as they were: SzCORE makes one of them
where the gap is short and leaves them two where it is long. Time that was not recorded is no time without alarms.

Belongs here: what a network says of recordings that an index lists. Does not belong here: stitching and cutting
(`detection`), counting (`scoring`), files (`evaluation`, next in the flow). torch, numpy and pyarrow only.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from bgb_assets.modalities.eeg.detection.inference import WindowNetwork, timeline
from bgb_assets.modalities.eeg.detection.postprocess import (
    TIMELINE_HZ,
    PostprocessParams,
    evaluated,
    smoothed,
    spans_of,
)
from bgb_assets.modalities.eeg.electrodes import RATE_HZ
from bgb_assets.modalities.eeg.scoring.events import Events
from bgb_assets.modalities.eeg.scoring.metrics import Figure, Metric, Scorer
from bgb_assets.modalities.eeg.scoring.thresholds import OperatingPoints, Timeline, best_threshold, operating_points
from bgb_assets.modalities.eeg.scoring.timeline import Histogram, auroc, empty_histogram, histogram, step_labels
from bgb_assets.modalities.eeg.windows.index import WindowIndex

HYSTERESIS = 0.08
"""tau_on minus tau_off."""

COARSE_THRESHOLDS = np.round(np.arange(0.10, 0.96, 0.05), 2)
"""Tried at each validation; what the model keeps is tuned on all that occur."""

MONITOR = Metric(Scorer.SZCORE_EVENT, Figure.F1).name


@dataclass(frozen=True, eq=False)
class Heard:
    """A recording and what a network says of it.

    Attributes:
        key: Of its upload.
        patient: Whose it is.
        duration_s: From its start to its end, gaps included.
        reference: (k, 2) seconds, true seizures; one across a gap is two.
        probabilities: (steps,) float16, 16 a second, segment after segment.
        labels: (steps,) whether a step is seizure.
        onsets_s: (steps,) when each step begins, by the recording's clock.
        cuts: Where segments begin among the steps, and the end: (segments + 1,).
        missing_s: Seconds that were not recorded before each segment: (segments,).
    """

    key: str
    patient: str
    duration_s: float
    reference: Events
    probabilities: NDArray[np.float16]
    labels: NDArray[np.bool_]
    onsets_s: NDArray[np.float64]
    cuts: NDArray[np.int64]
    missing_s: NDArray[np.float64]

    @property
    def evaluated_s(self) -> float | None:
        """What of it was recorded; None where that is all of it."""
        missing_s = float(self.missing_s[-1])
        return self.duration_s - missing_s if missing_s > 0 else None

    def without_gaps(self, events: Events) -> Events:
        """Return events, (k, 2), in seconds of signal: as if its segments lay one after the other."""
        segment = np.searchsorted(self.onsets_s[self.cuts[:-1]], events[:, 0], side="right") - 1
        return np.asarray(events - self.missing_s[segment, None], np.float64)

    @property
    def steps(self) -> Histogram:
        """Its timeline against its labels."""
        return histogram(self.probabilities, self.labels)

    def smoothed(self, params: PostprocessParams) -> NDArray[np.float64]:
        """Return (steps + segments, 2): onset and smoothed probability of each step, a row of NaN after a segment."""
        pieces = []
        for first, last in zip(self.cuts[:-1].tolist(), self.cuts[1:].tolist(), strict=True):
            line = self.probabilities[first:last]
            smooth = smoothed(line, params.smooth_s, TIMELINE_HZ, evaluated(line))
            pieces += [np.column_stack([self.onsets_s[first:last], smooth]), np.full((1, 2), np.nan)]
        return np.concatenate([np.empty((0, 2)), *pieces])

    def events(self, params: PostprocessParams) -> Events:
        """Return its events, (k, 2) seconds."""
        return cut(self.smoothed(params), params)


def hear(
    network: torch.nn.Module, index: WindowIndex, patients: Mapping[int, str], device: torch.device | None = None
) -> Iterator[Heard]:
    """Yield recordings of an index with the probabilities of a network.

    Args:
        network: In eval mode; moved to the device.
        index: The windows.
        patients: Recordings to hear, by number, and whose each is.
        device: Where the network runs; where it lies, if None.
    """
    device = device or next(network.parameters()).device
    for recording, patient in patients.items():
        signals, scale, mask = _signals(index, recording)
        heard = WindowNetwork(network, scale, mask, device)
        lines = [timeline(heard, signal).astype(np.float16) for signal in signals]
        yield _heard(index, recording, patient, lines)


def f1_of(heard: Sequence[Heard], params: PostprocessParams, thresholds: NDArray[np.float64]) -> tuple[float, float]:
    """Return the largest event F1 over the thresholds, and the threshold that gives it.

    Raises:
        BadInput: There is no recording, or none has a seizure.
    """
    points = points_of(heard, params, thresholds, Scorer.SZCORE_EVENT)
    best = best_threshold(points)
    return float(points.f1[np.flatnonzero(thresholds == best)[0]]), best


def points_of(
    heard: Sequence[Heard], params: PostprocessParams, thresholds: NDArray[np.float64], scorer: Scorer
) -> OperatingPoints:
    """Return what a scorer counts at each threshold: event lists are cut anew for each.

    Raises:
        BadInput: There is no recording.
    """
    lines = [
        Timeline(one.patient, one.duration_s, one.reference, one.smoothed(params), one.evaluated_s) for one in heard
    ]
    return operating_points(lines, lambda smooth, tau: cut(smooth, at_threshold(params, tau)), thresholds, scorer)


def measures(heard: Sequence[Heard], params: PostprocessParams) -> dict[str, float]:
    """Return what a validation reports of whole recordings: event F1, the threshold that gives it, AUROC."""
    best_f1, tau_on = f1_of(heard, params, COARSE_THRESHOLDS)
    ranked = auroc(together(heard))
    known = {} if ranked is None else {Metric(Scorer.TIMELINE, Figure.AUROC).name: ranked}
    return {MONITOR: best_f1, "tau_on": tau_on, **known}


def together(heard: Sequence[Heard]) -> Histogram:
    """Return the steps of all recordings."""
    return sum((one.steps for one in heard), empty_histogram())


def at_threshold(params: PostprocessParams, tau_on: float) -> PostprocessParams:
    """Return the params with another threshold, and `tau_off` below it by the design's distance."""
    # Both stay thresholds of a probability, however close to 0 a network that has learned nothing puts them.
    tau_on = min(1.0, max(tau_on, 1e-6))
    return replace(params, tau_on=tau_on, tau_off=max(tau_on - HYSTERESIS, tau_on / 2))


def cut(smooth: NDArray[np.float64], params: PostprocessParams) -> Events:
    """Return the events of a table of `Heard.smoothed`, (k, 2) seconds."""
    spans = spans_of(smooth[:, 1], params)
    return np.column_stack([smooth[spans[:, 0], 0], smooth[spans[:, 1] - 1, 0] + 1 / TIMELINE_HZ])


def _signals(index: WindowIndex, recording: int) -> tuple[list[NDArray[np.int16]], float, NDArray[np.bool_]]:
    """Return the segments of a recording, (n, channels) each, what one step of them is and which channels it has."""
    first = index.read([int(np.searchsorted(index.recording, recording))])
    signals = []
    for start, count in index.segments(recording).tolist():
        if count:
            signals.append(np.empty((count, len(index.channels)), np.int16))
            index.signals.read_into(signals[-1], recording, start)
    return signals, float(first["scale"][0]), first["channel_mask"][0].astype(np.bool_)


def _heard(index: WindowIndex, recording: int, patient: str, lines: Sequence[NDArray[np.float16]]) -> Heard:
    seizures, segments, begins_s = index.intervals(recording), index.segments(recording), index.onsets_s(recording)
    segments, begins_s = segments[segments[:, 1] > 0], begins_s[segments[:, 1] > 0]
    labels, onsets_s, reference = [], [], [np.empty((0, 2))]
    for (start, count), begin_s, line in zip(segments.tolist(), begins_s.tolist(), lines, strict=True):
        inside = np.clip(seizures - start, 0, count)
        inside = inside[inside[:, 1] > inside[:, 0]]
        labels.append(step_labels(inside, len(line)))
        onsets_s.append(begin_s + np.arange(len(line)) / TIMELINE_HZ)
        reference.append(begin_s + inside / RATE_HZ)
    return Heard(
        key=index.keys[recording],
        patient=patient,
        duration_s=float(begins_s[-1]) + int(segments[-1, 1]) / RATE_HZ,
        reference=np.concatenate(reference),
        probabilities=np.concatenate(lines),
        labels=np.concatenate(labels),
        onsets_s=np.concatenate(onsets_s),
        cuts=np.cumsum([0, *map(len, lines)]),
        # To the microsecond: what is left of a recording without gaps is rounding.
        missing_s=np.round(begins_s - segments[:, 0] / RATE_HZ, 6),
    )
