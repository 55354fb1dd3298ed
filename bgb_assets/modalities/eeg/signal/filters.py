"""Band-pass and notch filters with a state that outlives a block, and their zero-phase form.

Belongs here: coefficients, filtering blocks of one rate. Does not belong here: resampling (`resampling.py`), finding
the mains frequency (`mains.py`).
"""

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from bgb_assets.modalities.eeg.electrodes import RATE_HZ

_ORDER = 3
_NOTCH_Q = 30.0
_HIGHEST_SHARE = 0.49
"""The upper edge of the band stays below this share of the recording's own rate."""
_BLOCK = 65_536

Floats = NDArray[np.float64]


def usable_band(bandpass_hz: tuple[float, float], native_rate_hz: float) -> tuple[float, float]:
    """Return the band that a recording of that rate can hold: its upper edge is lowered where it must be."""
    low_hz, high_hz = bandpass_hz
    return low_hz, min(high_hz, _HIGHEST_SHARE * min(native_rate_hz, RATE_HZ))


def notches_hz(line_hz: float | None, native_rate_hz: float, *, harmonics: bool) -> tuple[float, ...]:
    """Return where to notch: the mains frequency and, if asked, its harmonics, below the Nyquist frequency."""
    if line_hz is None:
        return ()
    nyquist_hz = min(native_rate_hz, RATE_HZ) / 2
    most = math.ceil(nyquist_hz / line_hz) - 1
    return tuple(line_hz * number for number in range(1, (most if harmonics else min(most, 1)) + 1))


def sections(band_hz: tuple[float, float], notched_hz: Sequence[float], rate_hz: float = RATE_HZ) -> Floats:
    """Return (sections, 6) second-order sections: a Butterworth band-pass of order 3, then notches of Q 30."""
    from scipy import signal

    band = signal.butter(_ORDER, band_hz, "bandpass", fs=rate_hz, output="sos")
    notches = [signal.tf2sos(*signal.iirnotch(line_hz, _NOTCH_Q, fs=rate_hz)) for line_hz in notched_hz]
    coefficients: Floats = np.concatenate([band, *notches])
    return coefficients


class CausalFilter:
    """A filter that goes on where the last block ended; any cut into blocks gives the same bits.

    It starts as if the first sample had lasted for ever. Its sections must stop a constant, as a band-pass does: then
    that is the same as taking the first sample away, which leaves a flat channel exactly zero.

    Args:
        coefficients: (sections, 6), as of `sections`.
    """

    def __init__(self, coefficients: Floats) -> None:
        self._coefficients = coefficients
        self._first: Floats | None = None
        self._state = np.zeros((len(coefficients), 0, 2))

    def push(self, block: Floats) -> Floats:
        """Return the next (channels, samples) filtered."""
        from scipy import signal

        if not block.shape[1]:
            return block
        if self._first is None:
            self._first = block[:, :1].copy()
            self._state = np.zeros((len(self._coefficients), len(block), 2))
        filtered: Floats
        filtered, self._state = signal.sosfilt(self._coefficients, block - self._first, axis=1, zi=self._state)
        return filtered


def filter_both_ways(samples: Floats, coefficients: Floats) -> None:
    """Filter one channel forth and back in place: no shift in time, twice the attenuation.

    The values are those of `scipy.signal.sosfiltfilt`, ends extended by their odd mirror image, with a few blocks of
    memory beside the samples. A channel too short for scipy's extension gets as much of it as there is,
    a single sample is a constant.
    """
    from scipy import signal

    if len(samples) < 2:
        samples[:] = 0.0
        return
    reach = min(_extension(coefficients), len(samples) - 1)
    before = 2 * samples[0] - samples[reach:0:-1]
    after = 2 * samples[-1] - samples[-2 : -reach - 2 : -1]
    steady = signal.sosfilt_zi(coefficients)
    state = steady * before[0]
    _, state = signal.sosfilt(coefficients, before, zi=state)
    for piece in _pieces(samples):
        piece[:], state = signal.sosfilt(coefficients, piece, zi=state)
    after, _ = signal.sosfilt(coefficients, after, zi=state)
    state = steady * after[-1]
    _, state = signal.sosfilt(coefficients, after[::-1], zi=state)
    for piece in _pieces(samples[::-1]):
        piece[:], state = signal.sosfilt(coefficients, piece, zi=state)


def _extension(coefficients: Floats) -> int:
    """Return the samples of scipy's default extension at each end: three times the filter's order, about."""
    zeros = min(int((coefficients[:, 2] == 0).sum()), int((coefficients[:, 5] == 0).sum()))
    return 3 * (2 * len(coefficients) + 1 - zeros)


def _pieces(samples: Floats) -> Iterator[Floats]:
    return (samples[start : start + _BLOCK] for start in range(0, len(samples), _BLOCK))
