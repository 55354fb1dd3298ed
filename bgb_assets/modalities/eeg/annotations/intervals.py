"""Half-open intervals of time: uniting, clipping, comparing them, and what samples they are.

An interval list is an array (k, 2) of [start, stop). Times are float64 seconds since the start of the recording,
samples int64 at 256 Hz, counted over all segments of the recording, which lie one after the other.

Belongs here: arithmetic on intervals. Does not belong here: which events are seizures (`labels`), windows (`windows`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from bgb_assets.modalities.eeg.electrodes import RATE_HZ
from bgb_assets.modalities.eeg.signal.resampling import resampled_length

Number = TypeVar("Number", np.float64, np.int64)


@dataclass(frozen=True)
class Segments:
    """The uninterrupted pieces of a recording at 256 Hz.

    Attributes:
        start_sample: int64, where each begins in the samples of all segments one after the other.
        samples: int64, how many it has.
        onset_s: float64, where it begins on the clock of the recording.
        duration_s: float64, how long it is; at most half a sample more or less than its samples.
    """

    start_sample: NDArray[np.int64]
    samples: NDArray[np.int64]
    onset_s: NDArray[np.float64]
    duration_s: NDArray[np.float64]


def unite(intervals: NDArray[Number]) -> NDArray[Number]:
    """Return the union of the intervals: sorted, touching ones joined, empty ones left out."""
    kept = intervals[intervals[:, 1] > intervals[:, 0]]
    if not len(kept):
        return kept
    kept = kept[np.argsort(kept[:, 0], kind="stable")]
    reach = np.maximum.accumulate(kept[:, 1])
    first = np.flatnonzero(np.concatenate([[True], kept[1:, 0] > reach[:-1]]))
    return np.stack([kept[first, 0], np.maximum.reduceat(kept[:, 1], first)], axis=1)


def clip(intervals: NDArray[Number], low: float, high: float) -> NDArray[Number]:
    """Return the parts of the intervals inside [low, high), in their order; what lies outside is left out."""
    inside = np.clip(intervals, low, high)
    return inside[inside[:, 1] > inside[:, 0]]


def total(intervals: NDArray[Number]) -> float:
    """Return the summed length of intervals that do not overlap."""
    return float((intervals[:, 1] - intervals[:, 0]).sum())


def symmetric_difference(first: NDArray[Number], second: NDArray[Number]) -> float:
    """Return the length of what only one of two united lists covers."""
    both = unite(np.concatenate([first, second]))
    return max(0.0, 2 * total(both) - total(first) - total(second))


def segments_at_rate(segments: Sequence[Sequence[float]], rate_hz: float) -> Segments:
    """Return segments of native samples as segments at 256 Hz.

    Args:
        segments: (first native sample, native samples, onset in seconds) of each, in order.
        rate_hz: The native rate. A segment of n samples becomes one of `resampled_length(n, rate)`, as its signal does.
    """
    table = np.array(segments, np.float64).reshape(-1, 3)
    samples = np.array([resampled_length(int(native), rate_hz) for _, native, _ in segments], np.int64)
    return Segments(np.cumsum(samples) - samples, samples, table[:, 2], table[:, 1] / rate_hz)


def to_samples(intervals_s: NDArray[np.float64], samples: int, onset_s: float = 0.0) -> NDArray[np.int64]:
    """Return the samples of intervals in one stretch of signal: floor of both ends, united, clipped to the stretch.

    Args:
        intervals_s: (k, 2) seconds.
        samples: Length of the stretch at 256 Hz.
        onset_s: Where the stretch begins.
    """
    found = np.floor((intervals_s - onset_s) * RATE_HZ).astype(np.int64)
    return unite(clip(found, 0, samples))


def to_samples_of_segments(intervals_s: NDArray[np.float64], segments: Segments) -> NDArray[np.int64]:
    """Return the samples of intervals in a recording with gaps; an interval across a gap becomes two.

    Two that meet where one segment ends and the next begins stay two, as there are no samples between them but time.
    """
    pieces = [
        to_samples(intervals_s, int(samples), float(onset_s)) + start
        for start, samples, onset_s in zip(segments.start_sample, segments.samples, segments.onset_s, strict=True)
    ]
    return np.concatenate([np.empty((0, 2), np.int64), *pieces])


def seconds_in_segments(intervals_s: NDArray[np.float64], segments: Segments) -> float:
    """Return how many seconds of a united list were recorded: gaps do not count."""
    ends_s = segments.onset_s + segments.duration_s
    pieces = [clip(intervals_s, low, high) for low, high in zip(segments.onset_s, ends_s, strict=True)]
    return sum((total(piece) for piece in pieces), 0.0)
