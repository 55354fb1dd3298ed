"""What a detector found in one recording: events in seconds from its start, and how probable a seizure was when.

Belongs here: from the timelines of segments to one account of the recording. Does not belong here: how the timelines
came about (`detect`, `streaming`), files of events (`export`, next in the flow).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bgb_assets.modalities.eeg.detection.postprocess import (
    TIMELINE_HZ,
    PostprocessParams,
    evaluated,
    events_of,
    fixed_point,
    runs,
)

FORMAT = 1


@dataclass(frozen=True, eq=False)
class Timeline:
    """The probabilities of one segment.

    Attributes:
        onset_s: When the segment begins, from the start of the recording.
        duration_s: How long it is; its last step may reach beyond.
        probabilities: (steps,) 16 a second, NaN where not evaluated.
    """

    onset_s: float
    duration_s: float
    probabilities: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Findings:
    """Events of one recording, and what they were cut out of.

    Attributes:
        name: Of the recording.
        start: ISO 8601 time of its first sample, or None.
        duration_s: From its first sample to its end, gaps included.
        timelines: Of its segments, in order.
        events: (k, 2) onset and offset in seconds from the start, sorted, none touching another.
        confidence: (k,) mean probability of each.
        made_with: What a reader needs to make them again: thresholds, model, mode. Plain JSON values.
    """

    name: str
    start: str | None
    duration_s: float
    timelines: tuple[Timeline, ...]
    events: NDArray[np.float64]
    confidence: NDArray[np.float64]
    made_with: dict[str, Any] = field(default_factory=dict)

    @property
    def probabilities(self) -> NDArray[np.float32]:
        """All segments' timelines, one after the other."""
        return np.concatenate([np.empty(0, np.float32), *(line.probabilities for line in self.timelines)])

    @property
    def not_evaluated_s(self) -> NDArray[np.float64]:
        """(m, 2) seconds of gaps and of steps without a probability."""
        pieces = [
            np.clip(line.onset_s + runs(evaluated(line.probabilities)) / TIMELINE_HZ, 0.0, _end(line))
            for line in self.timelines
        ]
        return complement(np.concatenate([np.empty((0, 2)), *pieces]), self.duration_s)

    def background_rows(self) -> list[tuple[float, float, float]]:
        """Return (onset, offset, confidence) of the time between the events; 0.0 where nothing was evaluated."""
        return [
            (onset_s, offset_s, self._background_confidence(onset_s, offset_s))
            for onset_s, offset_s in complement(self.events, self.duration_s).tolist()
        ]

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON values, without the timelines."""
        return {
            "format": FORMAT,
            "recording": self.name,
            "start": self.start,
            "duration_s": self.duration_s,
            "events": [
                {"onset_s": onset_s, "offset_s": offset_s, "confidence": confidence}
                for (onset_s, offset_s), confidence in zip(self.events.tolist(), self.confidence.tolist(), strict=True)
            ],
            "not_evaluated_s": self.not_evaluated_s.tolist(),
            "made_with": self.made_with,
        }

    def _background_confidence(self, onset_s: float, offset_s: float) -> float:
        times_s, used, sums = self._steps
        low, high = np.searchsorted(times_s, [onset_s, offset_s])
        steps = int(used[high] - used[low])
        return 1.0 - float(sums[high] - sums[low]) / float(fixed_point(np.ones(1))[0]) / steps if steps else 0.0

    @cached_property
    def _steps(self) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
        """Return the middle of each step in seconds, and before each step how many count and the sum of those."""
        times_s = [line.onset_s + (np.arange(len(line.probabilities)) + 0.5) / TIMELINE_HZ for line in self.timelines]
        probabilities = self.probabilities
        used = evaluated(probabilities)
        parts = fixed_point(np.where(used, probabilities, 0.0))
        counted = np.concatenate([[0], np.cumsum(used, dtype=np.int64)])
        return np.concatenate([np.empty(0), *times_s]), counted, np.concatenate([[0], np.cumsum(parts)])


def findings_of(
    name: str,
    timelines: Sequence[Timeline],
    params: PostprocessParams,
    *,
    start: str | None = None,
    duration_s: float | None = None,
    made_with: dict[str, Any] | None = None,
) -> Findings:
    """Cut the events out of a recording's timelines; none crosses a gap.

    Args:
        name: Of the recording.
        timelines: Of its segments, in order.
        params: Thresholds and lengths.
        start: ISO 8601 time of the first sample, where known.
        duration_s: Of the recording; to the end of its last segment where None.
        made_with: Kept beside the events.
    """
    events, confidence = [np.empty((0, 2))], [np.empty(0)]
    for line in timelines:
        found = events_of(line.probabilities, params)
        events.append(np.clip(line.onset_s + found.events, 0.0, _end(line)))
        confidence.append(found.confidence)
    ends = max((_end(line) for line in timelines), default=0.0)
    return Findings(
        name,
        start,
        ends if duration_s is None else duration_s,
        tuple(timelines),
        np.concatenate(events),
        np.concatenate(confidence),
        made_with or {},
    )


def complement(intervals: NDArray[np.float64], duration_s: float) -> NDArray[np.float64]:
    """Return the time from 0 to the end outside sorted, disjoint intervals: (m, 2)."""
    edges = np.concatenate([[0.0], intervals.ravel(), [duration_s]]).reshape(-1, 2)
    outside: NDArray[np.float64] = edges[edges[:, 1] > edges[:, 0]]
    return outside


def _end(line: Timeline) -> float:
    return line.onset_s + line.duration_s
