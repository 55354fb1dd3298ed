"""A detector that listens: chunks of any length in, probabilities and events out, four to six seconds later.

All times are seconds from the start of the stream, whatever was lost in between. Belongs here: the whole of a live
detector, gaps and lost samples included. Does not belong here: its parts (`live_signal`, `live_windows`,
`live_events`), recordings that are replayed (`detect`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bgb_assets.modalities.eeg.detection.findings import Timeline
from bgb_assets.modalities.eeg.detection.inference import Probabilities, WindowNetwork
from bgb_assets.modalities.eeg.detection.live_events import LiveEvent, LiveEvents
from bgb_assets.modalities.eeg.detection.live_signal import (
    LiveSignal,
    Microvolts,
    Source,
    Statistics,
    source_of_labels,
)
from bgb_assets.modalities.eeg.detection.live_windows import LiveTimeline
from bgb_assets.modalities.eeg.detection.postprocess import TIMELINE_HZ
from bgb_assets.modalities.eeg.detection.trained import TrainedDetector
from bgb_assets.runtime.errors import BadInput


@dataclass(frozen=True)
class Seizure:
    """One event in seconds from the start of the stream."""

    onset_s: float
    offset_s: float
    confidence: float


@dataclass(frozen=True, eq=False)
class Heard:
    """What one chunk brought to light.

    Attributes:
        timelines: The steps that are now known, NaN where not evaluated; more than one only around a gap.
        events: The events that are now certain.
    """

    timelines: tuple[Timeline, ...]
    events: tuple[Seizure, ...]

    @property
    def probabilities(self) -> Probabilities:
        """All steps that are now known."""
        return np.concatenate([np.empty(0, np.float32), *(line.probabilities for line in self.timelines)])


class StreamingDetector:
    """Hears a stream chunk by chunk; its memory does not grow.

    Args:
        trained: The detector.
        rate_hz: Of all channels.
        labels: Of the rows of a chunk, as a file would have them: `EEG FP1-REF`.
        statistics: To scale by, instead of those of the stream's past.
        source: Instead of labels, where the channels are known already.

    Raises:
        BadInput: Too few electrodes, or a rate that is too low.
    """

    def __init__(
        self,
        trained: TrainedDetector,
        rate_hz: float,
        labels: Sequence[str],
        statistics: Statistics | None = None,
        source: Source | None = None,
    ) -> None:
        self._trained = trained
        self._source = source or source_of_labels(labels, rate_hz, trained.features)
        self._rows = len(labels)
        self._statistics = statistics
        self._samples = 0
        self._stretch: _Stretch | None = None

    @property
    def now_s(self) -> float:
        """How much of the stream has come, losses included."""
        return self._samples / self._source.rate_hz

    @property
    def open_since_s(self) -> float | None:
        """Onset of the event that is going on, or None."""
        return None if self._stretch is None else self._stretch.open_since_s

    def push(self, chunk: Microvolts) -> Heard:
        """Take the next (rows, samples) in microvolts; what is no number counts as lost and is not evaluated.

        Raises:
            BadInput: The chunk has another number of rows.
        """
        if chunk.ndim != 2 or len(chunk) != self._rows:
            raise BadInput(
                f"a chunk of shape {chunk.shape!r}, expected ({self._rows}, samples)", "send one row for each label"
            )
        if self._stretch is None:
            self._stretch = _Stretch(self._trained, self._source, self._statistics, self.now_s)
        self._samples += chunk.shape[1]
        return self._stretch.push(np.asarray(chunk, dtype=np.float64))

    def lose(self, samples: int) -> Heard:
        """Say that so many samples are lost: what comes then is a new stretch, with its own first 30 seconds."""
        heard = self.close()
        self._samples += samples
        return heard

    def close(self) -> Heard:
        """Return what the end brings to light; a chunk that comes later begins a new stretch."""
        stretch, self._stretch = self._stretch, None
        return Heard((), ()) if stretch is None else stretch.close()


def joined(heard: Iterable[Heard]) -> list[Timeline]:
    """Return the pieces of timelines that a stream gave, those of one stretch put together."""
    lines: list[list[Timeline]] = []
    for line in (line for one in heard for line in one.timelines):
        if lines and abs(line.onset_s - lines[-1][-1].onset_s - len(lines[-1][-1].probabilities) / TIMELINE_HZ) < 1e-6:
            lines[-1].append(line)
        else:
            lines.append([line])
    return [
        Timeline(
            pieces[0].onset_s,
            sum(piece.duration_s for piece in pieces),
            np.concatenate([piece.probabilities for piece in pieces]),
        )
        for pieces in lines
    ]


class _Stretch:
    """What lies between two gaps: its steps count from its own first sample."""

    def __init__(self, trained: TrainedDetector, source: Source, statistics: Statistics | None, onset_s: float) -> None:
        self._onset_s = onset_s
        self._rate_hz = source.rate_hz
        self._signal = LiveSignal(source, trained.features, statistics)
        network = WindowNetwork(trained.network, trained.features.step, source.mask)
        self._timeline = LiveTimeline(network, len(source.montage.names))
        self._events = LiveEvents(trained.postprocess)
        self._holding: Microvolts | None = None
        self._samples = 0
        self._steps = 0
        self._lost: list[tuple[int, int]] = []  # steps, first and the one after the last

    @property
    def open_since_s(self) -> float | None:
        step = self._events.open_since
        return None if step is None else self._seconds(step)

    def push(self, chunk: Microvolts) -> Heard:
        held = self._hold(chunk)
        self._samples += chunk.shape[1]
        known = self._without_lost(self._timeline.push(self._signal.push(held)))
        events = self._events.push(known)
        return self._heard(known, events)

    def close(self) -> Heard:
        last = self._timeline.push(self._signal.flush())
        known = self._without_lost(np.concatenate([last, self._timeline.close()]))
        events = self._events.push(known)
        return self._heard(known, [*events, *self._events.close()])

    def _heard(self, known: Probabilities, events: Sequence[LiveEvent]) -> Heard:
        first = self._steps - len(known)
        if not len(known) and not events:
            return Heard((), ())
        duration_s = min(len(known) / TIMELINE_HZ, self._samples / self._rate_hz - first / TIMELINE_HZ)
        return Heard((Timeline(self._seconds(first), duration_s, known),), tuple(map(self._seizure, events)))

    def _seizure(self, event: LiveEvent) -> Seizure:
        offset_s = min(self._seconds(event.last), self._onset_s + self._samples / self._rate_hz)
        return Seizure(self._seconds(event.first), offset_s, event.confidence)

    def _seconds(self, step: int) -> float:
        return self._onset_s + step / TIMELINE_HZ

    def _hold(self, chunk: Microvolts) -> Microvolts:
        """Return a chunk whose lost samples last as the one before them was, and note the steps that they touch."""
        lost = ~np.isfinite(chunk)
        if self._holding is None:
            self._holding = np.zeros((len(chunk), 1))
        if not lost.any():
            self._holding = chunk[:, -1:].copy() if chunk.shape[1] else self._holding
            return chunk
        self._note(np.flatnonzero(lost.any(axis=0)))
        filled = np.concatenate([self._holding, chunk], axis=1)
        good = np.where(np.isfinite(filled), np.arange(filled.shape[1]), 0)
        filled = np.take_along_axis(filled, np.maximum.accumulate(good, axis=1), axis=1)
        self._holding = filled[:, -1:].copy()
        return filled[:, 1:]

    def _note(self, places: NDArray[np.int64]) -> None:
        steps_per_sample = TIMELINE_HZ / self._rate_hz
        for piece in np.split(places, np.flatnonzero(np.diff(places) > 1) + 1):
            first, last = self._samples + int(piece[0]), self._samples + int(piece[-1]) + 1
            self._lost.append((int(first * steps_per_sample), int(np.ceil(last * steps_per_sample))))

    def _without_lost(self, known: Probabilities) -> Probabilities:
        first, self._steps = self._steps, self._steps + len(known)
        for low, high in self._lost:
            known[max(low - first, 0) : max(high - first, 0)] = np.nan
        self._lost = [span for span in self._lost if span[1] > self._steps]
        return known
