"""How long a channel was flat or driven to its limit.

Belongs here: runs in the recorded integers. Does not belong here: what is done about a bad channel.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

FLAT_S = 1.0
"""A value that stays the same for so long is no EEG."""
SATURATED_S = 0.02
"""The highest or lowest value of a channel, for so long; for as long as `FLAT_S` it is a flat line instead."""
_SHORTEST_RUN = 3

Integers = NDArray[np.integer]


class ChannelQuality:
    """Seconds of flat line and of saturation in a recording that comes in blocks.

    Args:
        lowest: (channels,) lowest integer of each in the whole recording.
        highest: (channels,) highest integer.
        rate_hz: Rate of the integers.
    """

    def __init__(self, lowest: Integers, highest: Integers, rate_hz: float) -> None:
        self._limits = (lowest[:, None], highest[:, None])
        self._varies = (highest > lowest)[:, None]
        self._rate_hz = rate_hz
        # A run of n equal values is a run of n - 1 values that equal the one before.
        flat, saturated = (max(math.ceil(seconds * rate_hz), _SHORTEST_RUN) for seconds in (FLAT_S, SATURATED_S))
        self._flat = _Runs(len(lowest), flat - 1)
        self._saturated = _Runs(len(lowest), saturated, below=flat)
        self._last: Integers | None = None

    def add(self, block: Integers) -> None:
        """Count a (channels, samples) block in."""
        if not block.shape[1]:
            return
        same = np.empty(block.shape, np.bool_)
        np.equal(block[:, 1:], block[:, :-1], out=same[:, 1:])
        same[:, :1] = False if self._last is None else block[:, :1] == self._last
        self._last = block[:, -1:].copy()
        self._flat.add(same)
        self._saturated.add(((block == self._limits[0]) | (block == self._limits[1])) & self._varies)

    def end_segment(self) -> None:
        """Say that the next block does not follow in time."""
        self._flat.end()
        self._saturated.end()
        self._last = None

    def flat_s(self) -> list[float]:
        """Return the seconds in flat lines of at least a second, by channel."""
        return [float(samples) / self._rate_hz for samples in self._flat.samples + self._flat.runs]

    def saturated_s(self) -> list[float]:
        """Return the seconds at a channel's limits and not in a flat line, by channel."""
        return [float(samples) / self._rate_hz for samples in self._saturated.samples]


class _Runs:
    """Runs of true values over blocks, from the shortest length and below another: their number and samples."""

    def __init__(self, channels: int, shortest: int, below: float = math.inf) -> None:
        self.samples = np.zeros(channels, np.int64)
        self.runs = np.zeros(channels, np.int64)
        self._shortest, self._below = shortest, below
        self._open = np.zeros(channels, np.int64)

    def add(self, mask: NDArray[np.bool_]) -> None:
        """Count the runs that end in a (channels, samples) block; the last one stays open."""
        for channel in np.flatnonzero(mask.any(axis=1) | (self._open > 0)).tolist():
            row = mask[channel]
            edges = np.flatnonzero(row[1:] != row[:-1]) + 1
            bounds = np.concatenate([[0], edges, [len(row)]])
            lengths = np.diff(bounds)[(0 if row[0] else 1) :: 2]
            if row[0]:
                lengths[0] += self._open[channel]
            else:
                self._close(channel, self._open[channel : channel + 1])
            self._open[channel] = lengths[-1] if row[-1] else 0
            self._close(channel, lengths[:-1] if row[-1] else lengths)

    def end(self) -> None:
        """Close all runs."""
        for channel in range(len(self._open)):
            self._close(channel, self._open[channel : channel + 1])
        self._open[:] = 0

    def _close(self, channel: int, lengths: NDArray[np.int64]) -> None:
        counted = lengths[(lengths >= self._shortest) & (lengths < self._below)]
        self.samples[channel] += counted.sum()
        self.runs[channel] += len(counted)


def seconds_by_channel(names: Sequence[str], recorded: Sequence[str], seconds: Sequence[float]) -> list[float]:
    """Return the seconds of a montage's channels from those of the recorded ones.

    A channel has those of the recorded channel of its name, else the most of the recorded channels that share an
    electrode with it, else none.
    """
    known = dict(zip(recorded, seconds, strict=True))
    return [known[name] if name in known else _most(name, known) for name in names]


def _most(name: str, known: dict[str, float]) -> float:
    electrodes = set(name.split("-"))
    return max((value for other, value in known.items() if electrodes & set(other.split("-"))), default=0.0)
