"""The events of many recordings in one table, so that all are scored by a few calls of numpy.

Belongs here: the table, with the checks and the order of `events.prepared`. Does not belong here: rules (`szcore`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bgb_assets.modalities.eeg.scoring.events import Events, prepared


@dataclass(frozen=True, eq=False)
class EventTable:
    """Events of recordings 0, 1, ..., sorted by recording and time, those of one recording united.

    Attributes:
        times_s: (k, 2) seconds from the start of the event's recording.
        recording: (k,) int64.
    """

    times_s: Events
    recording: NDArray[np.int64]

    def on_axis(self, rate_hz: int, samples: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the events (k, 2) in samples, all recordings laid out on one axis with a gap between any two.

        Times are rounded half to even.

        Args:
            rate_hz: Of the samples.
            samples: (recordings,) lengths: no event reaches beyond.
        """
        inside = np.minimum(np.rint(self.times_s * rate_hz).astype(np.int64), samples[self.recording, None])
        return np.asarray(inside + (self.recording * (samples.max(initial=0) + 1))[:, None], np.int64)


@dataclass(frozen=True, eq=False)
class Batch:
    """What is scored together.

    Attributes:
        references: True seizures.
        hypotheses: Detected ones.
        duration_s: (recordings,).
    """

    references: EventTable
    hypotheses: EventTable
    duration_s: NDArray[np.float64]


def batch_of(references: Sequence[Events], hypotheses: Sequence[Events], durations_s: Sequence[float]) -> Batch:
    """Return one table of references and one of hypotheses of recordings in their order.

    Raises:
        BadInput: As `events.prepared`.
    """
    duration_s = np.array(durations_s, np.float64)
    return Batch(_table(references, duration_s), _table(hypotheses, duration_s), duration_s)


def _table(lists: Sequence[Events], duration_s: NDArray[np.float64]) -> EventTable:
    recording = np.repeat(np.arange(len(lists)), [len(one) for one in lists])
    times_s = np.concatenate([np.empty((0, 2)), *lists])
    lasting = (duration_s > 0) & (duration_s < np.inf)
    start, stop = times_s.T
    whole = (start >= 0) & (start < stop) & (stop <= duration_s[recording])
    apart = (start[1:] > stop[:-1]) | (recording[1:] != recording[:-1])
    if lasting.all() and whole.all() and apart.all():
        return EventTable(times_s, recording)
    return _mended(lists, duration_s)


def _mended(lists: Sequence[Events], duration_s: NDArray[np.float64]) -> EventTable:
    """Return the table of lists that are not all sorted, united and inside their recordings."""
    mended = [prepared(one, seconds) for one, seconds in zip(lists, duration_s.tolist(), strict=True)]
    recording = np.repeat(np.arange(len(mended)), [len(one) for one in mended])
    return EventTable(np.concatenate([np.empty((0, 2)), *mended]), recording)
