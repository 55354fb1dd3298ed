"""From any rate to 256 Hz: polyphase in blocks, or by one Fourier transform.

Belongs here: the fraction, the length, the resampler and its state. Does not belong here: filters of the EEG's band
(`filters.py`). Polyphase because it is local: the edges of a drifting recording do not reach into each other.
"""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from bgb_assets.modalities.eeg.electrodes import RATE_HZ

_LARGEST_DENOMINATOR = 10_000
_TAPS_PER_SIDE = 10
_KAISER_BETA = 5.0

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class RateChange:
    """Samples out per sample in, as a fraction.

    Attributes:
        up: Numerator.
        down: Denominator.
        error: By how much the fraction misses the ratio of the rates, relative; 0.0 where it is exact.
    """

    up: int
    down: int
    error: float


UNCHANGED = RateChange(1, 1, 0.0)


def rate_change(rate_hz: float) -> RateChange:
    """Return the fraction that leads to 256 Hz: exact, or the nearest with a denominator of at most 10,000."""
    exact = RATE_HZ / Fraction(rate_hz)
    used = exact.limit_denominator(_LARGEST_DENOMINATOR)
    error = abs(float(used / exact - 1))
    # A rate such as 256/3 is no number of binary digits: what its float misses is no error of the fraction.
    return RateChange(used.numerator, used.denominator, error if error > np.finfo(np.float64).eps else 0.0)


def resampled_length(samples: int, rate_hz: float) -> int:
    """Return how many samples of 256 Hz so many samples of that rate become, half to even."""
    return round(samples * RATE_HZ / rate_hz)


class PolyphaseResampler:
    """A resampler that goes on where the last block ended; any cut into blocks gives the same bits.

    What `scipy.signal.resample_poly` does, in blocks: the low-pass is centred, so each sample waits for ten of the
    slower rate's samples after it. Beyond the ends the signal is taken to lie on a line through its first sample; that
    line is taken away before and added after, so that the filter's ripple does not show on it.

    Args:
        change: The fraction.
        slope: (channels,) rise of that line per sample in, where the end of the signal is known: from the first to
            the last sample this is scipy's `padtype="line"`, but for that ripple (5e-4 of the line). None: level.
    """

    def __init__(self, change: RateChange, slope: Floats | None = None) -> None:
        self._up, self._down = change.up, change.down
        self._slope = slope
        self._first: Floats | None = None
        self._half = _TAPS_PER_SIDE * max(self._up, self._down)
        lead = -self._half % self._down
        self._taps = _low_pass(self._up, self._down, self._half, lead)
        self._delay = (self._half + lead) // self._down
        self._buffer: Floats = np.zeros((0, 0))
        self._buffer_start = 0  # of the input; a multiple of `down`, where the phases of input and output agree
        self._read = 0
        self._written = 0

    def push(self, block: Floats) -> Floats:
        """Return what the next (channels, samples) complete: none or more samples of the new rate."""
        count = block.shape[1]
        if not count:
            return block
        if self._first is None:
            self._first = block[:, :1].copy()
            self._buffer = np.zeros((len(block), 0))
        if self._up == self._down:
            self._read += count
            self._written += count
            return block
        places = np.arange(self._read, self._read + count, dtype=np.float64)
        self._buffer = np.concatenate([self._buffer, block - self._line(places)], axis=1)
        self._read += count
        return self._up_to((self._read * self._up - 1 - self._half) // self._down + 1)

    def flush(self, total: int | None = None) -> Floats:
        """Return the samples that are left.

        Args:
            total: How many samples the whole signal is to have become; by default all that begin before its end.
        """
        if self._first is None:
            return np.zeros((len(self._buffer), 0))
        return self._up_to(-(-self._read * self._up // self._down) if total is None else total)

    def _up_to(self, stop: int) -> Floats:
        """Return the samples from those already given to `stop`."""
        from scipy import signal

        count = max(stop - self._written, 0)
        if not count:
            return np.zeros((len(self._buffer), 0))
        at = self._written + self._delay - self._buffer_start // self._down * self._up
        given = np.zeros((len(self._buffer), count))
        if self._buffer.shape[1]:
            found = signal.upfirdn(self._taps, self._buffer, self._up, self._down, axis=1)[:, at : at + count]
            given[:, : found.shape[1]] = found
        places = np.arange(self._written, self._written + count, dtype=np.float64) * self._down / self._up
        self._written += count
        self._forget()
        return given + self._line(places)

    def _forget(self) -> None:
        """Drop the inputs that no later sample is made of."""
        needed = max(-(-(self._written * self._down - self._half) // self._up), 0)
        drop = needed // self._down * self._down - self._buffer_start
        if drop > 0:
            self._buffer = self._buffer[:, drop:]
            self._buffer_start += drop

    def _line(self, places: Floats) -> Floats:
        """Return the line at places in samples of the input."""
        if self._first is None:
            raise RuntimeError("a line begins at the first sample; push one")
        return self._first if self._slope is None else self._first + self._slope[:, None] * places


def resample_by_fft(samples: Floats, total: int) -> Floats:
    """Return one channel as `total` samples by one Fourier transform of the whole of it: its ends ring."""
    from scipy import signal

    resampled: Floats = signal.resample(samples, total)
    return resampled


def _low_pass(up: int, down: int, half: int, lead: int) -> Floats:
    """Return the taps at `up` times the input's rate, `lead` zeros before them, as `resample_poly` chooses them."""
    from scipy import signal

    taps = signal.firwin(2 * half + 1, 1.0 / max(up, down, 2), window=("kaiser", _KAISER_BETA)) * up
    padded: Floats = np.concatenate([np.zeros(lead), taps])
    return padded
