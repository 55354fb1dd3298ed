"""Scaling channels to standard deviations, and those to 16-bit integers.

Belongs here: statistics over a recording or over the recent past, the stored scale. Does not belong here: filters,
files.
"""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bgb_assets.modalities.eeg.electrodes import RATE_HZ

LARGEST = 32_767
UNSCALED_STEP_UV = 0.1
"""Microvolts of one step where nothing is normalised."""

_TINY = 1e-8
_HALF_LIFE_S = 300
_WARM_UP_S = 30
_SIGNIFICANT = 12

Floats = NDArray[np.float64]


class Normaliser(Protocol):
    """Something that scales a signal block by block; any cut into blocks gives the same bits.

    Attributes:
        mean: (channels,) that is taken away now.
        std: (channels,) that is divided by now.
    """

    mean: Floats
    std: Floats

    def push(self, block: Floats) -> Floats:
        """Return the next (channels, samples) scaled; it may hold samples back."""
        ...

    def flush(self) -> Floats:
        """Return what was held back."""
        ...


class FixedNormaliser:
    """(x - mean) / (std + 1e-8) with statistics that are known.

    Args:
        mean: (channels,).
        std: (channels,).
    """

    def __init__(self, mean: Floats, std: Floats) -> None:
        self.mean, self.std = mean, std

    def push(self, block: Floats) -> Floats:
        """Return the next (channels, samples) scaled."""
        return _scaled(block, self.mean, self.std)

    def flush(self) -> Floats:
        """Return nothing: nothing was held back."""
        return np.zeros((len(self.mean), 0))


class NoNormaliser:
    """Microvolts as they are.

    Args:
        channels: How many.
    """

    def __init__(self, channels: int) -> None:
        self.mean, self.std = np.zeros(channels), np.ones(channels)

    def push(self, block: Floats) -> Floats:
        """Return the next (channels, samples)."""
        return block

    def flush(self) -> Floats:
        """Return nothing: nothing was held back."""
        return np.zeros((len(self.mean), 0))


class RunningNormaliser:
    """(x - mean) / (std + 1e-8) with exponential mean and variance of the past, half-life 300 s.

    The statistics change after each whole second. A second is scaled by those of all seconds before it; the first 30
    seconds are held back and scaled by their own.

    Attributes:
        mean: (channels,) as of now.
        std: (channels,) as of now.
    """

    def __init__(self, channels: int, half_life_s: float = _HALF_LIFE_S, warm_up_s: int = _WARM_UP_S) -> None:
        self.mean, self.std = np.zeros(channels), np.ones(channels)
        self._decay = 0.5 ** (1 / half_life_s)
        self._weight = 0.0
        self._sums = np.zeros((2, channels))
        self._warm_up = warm_up_s * RATE_HZ
        self._warm = False
        self._pending = np.zeros((channels, 0))  # samples that are not in the statistics yet
        self._given = 0  # of the pending ones

    def push(self, block: Floats) -> Floats:
        """Return what of the next (channels, samples) can be scaled."""
        self._pending = np.concatenate([self._pending, block], axis=1)
        scaled = []
        if not self._warm:
            if self._pending.shape[1] < self._warm_up:
                return block[:, :0]
            scaled.append(self._warmed(self._warm_up))
        whole = self._pending.shape[1] // RATE_HZ * RATE_HZ
        for start in range(0, whole, RATE_HZ):
            second = self._pending[:, start : start + RATE_HZ]
            scaled.append(_scaled(second[:, self._given :], self.mean, self.std))
            self._learn(second)
            self._given = 0
        self._pending = self._pending[:, whole:]
        scaled.append(_scaled(self._pending[:, self._given :], self.mean, self.std))
        self._given = self._pending.shape[1]
        return np.concatenate(scaled, axis=1)

    def flush(self) -> Floats:
        """Return what was held back: a signal shorter than the warm-up, scaled by its own statistics."""
        return self._pending[:, :0] if self._warm else self._warmed(self._pending.shape[1])

    def _warmed(self, count: int) -> Floats:
        """Return the first samples scaled by what all of them tell."""
        first, self._pending = self._pending[:, :count], self._pending[:, count:]
        for start in range(0, count, RATE_HZ):
            self._learn(first[:, start : start + RATE_HZ])
        self._warm = True
        return _scaled(first, self.mean, self.std)

    def _learn(self, second: Floats) -> None:
        share = second.shape[1] / RATE_HZ
        self._weight = self._decay * self._weight + share
        self._sums = self._decay * self._sums + share * np.stack([second.mean(axis=1), (second**2).mean(axis=1)])
        self.mean = self._sums[0] / self._weight
        self.std = np.sqrt(np.maximum(self._sums[1] / self._weight - self.mean**2, 0.0))


class ChannelStatistics:
    """Mean and standard deviation of each channel of a signal that comes in blocks.

    They are rounded to 12 digits: the order in which a processor adds does not show in the bytes made with them.
    """

    def __init__(self, channels: int) -> None:
        self._count = 0
        self._sums = np.zeros((2, channels))

    def add(self, block: NDArray[np.float32]) -> None:
        """Count a (channels, samples) block in."""
        wide = block.astype(np.float64)
        self._sums[0] += wide.sum(axis=1)
        np.square(wide, out=wide)
        self._sums[1] += wide.sum(axis=1)
        self._count += block.shape[1]

    def mean_and_std(self) -> tuple[Floats, Floats]:
        """Return both, (channels,) each; the standard deviation is that of the samples themselves (ddof 0)."""
        mean = self._sums[0] / max(self._count, 1)
        std = np.sqrt(np.maximum(self._sums[1] / max(self._count, 1) - mean**2, 0.0))
        return _rounded(mean), _rounded(std)


def quantise(scaled: Floats, step: float) -> tuple[NDArray[np.int16], int]:
    """Return a signal in whole steps, and how many of its samples had to be clipped to 32,767 steps."""
    steps = np.rint(scaled / step)
    clipped = int(np.count_nonzero(np.abs(steps) > LARGEST))
    if clipped:
        np.clip(steps, -LARGEST, LARGEST, out=steps)
    return steps.astype(np.int16), clipped


def _scaled(block: Floats, mean: Floats, std: Floats) -> Floats:
    return (block - mean[:, None]) / (std[:, None] + _TINY)


def _rounded(values: Floats) -> Floats:
    return np.array([float(f"{value:.{_SIGNIFICANT}g}") for value in values])
