"""Noise of a given spectrum, as correlated over the head as a given distance says.

Belongs here: what background and episodes are both made of. Single precision: recordings hold 16 bits.
"""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from bgb_assets.modalities.eeg.electrodes import CANONICAL, FLAT_POSITIONS

Signal: TypeAlias = NDArray[np.float32]
"""(electrodes, samples) in microvolts, electrodes in canonical order."""

_CORRELATION_LENGTH = 0.6


def positions() -> NDArray[np.float64]:
    """Return the places of the electrodes on the flat head, (19, 2)."""
    return np.array([FLAT_POSITIONS[name] for name in CANONICAL])


def distances() -> NDArray[np.float64]:
    """Return the distance of every electrode to every other on the flat head, (19, 19)."""
    places = positions()
    apart: NDArray[np.float64] = np.linalg.norm(places[:, None] - places[None], axis=2)
    return apart


def head_noise(
    rng: np.random.Generator,
    samples: int,
    rate_hz: int,
    amplitude: Callable[[NDArray[np.float64]], NDArray[np.float64]],
) -> Signal:
    """Return noise of variance 1 on all electrodes with covariance exp(-d / 0.6).

    Args:
        rng: One draw of it is used up for each frequency and electrode.
        samples: Length, faster when it has small factors.
        rate_hz: Sample rate.
        amplitude: Frequencies in Hz, without 0, -> amplitude in any unit.
    """
    from scipy.fft import irfft, next_fast_len, rfftfreq

    # A second at least, so that every band holds frequencies.
    length = next_fast_len(max(samples, rate_hz), real=True)
    frequencies = rfftfreq(length, 1.0 / rate_hz)
    shape = np.zeros(len(frequencies))
    shape[1:] = amplitude(frequencies[1:])
    shape *= length / np.sqrt(2.0 * np.sum(2.0 * shape**2))
    drawn = rng.standard_normal((len(CANONICAL), len(frequencies), 2), dtype=np.float32).view(np.complex64)[..., 0]
    mixing = np.linalg.cholesky(np.exp(-distances() / _CORRELATION_LENGTH)).astype(np.float32)
    drawn *= shape.astype(np.float32)
    noise: Signal = irfft(drawn, length, axis=1)[:, :samples]
    return mixing @ noise


def power_law(exponent: float, from_hz: float) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """Return the amplitude of noise with power 1/f^exponent from a frequency on and none below."""
    return lambda hz: np.where(hz >= from_hz, hz ** (-exponent / 2.0), 0.0)


def band(from_hz: float, to_hz: float) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """Return the amplitude of noise that is even between two frequencies, with soft edges of a tenth."""

    def amplitude(hz: NDArray[np.float64]) -> NDArray[np.float64]:
        rise = np.clip((hz / from_hz - 0.9) / 0.1, 0.0, 1.0)
        fall = np.clip((1.1 - hz / to_hz) / 0.1, 0.0, 1.0)
        return np.sqrt(rise * fall)

    return amplitude


def slow(rng: np.random.Generator, samples: int, rate_hz: int, every_s: float) -> NDArray[np.float32]:
    """Return a curve through random normal points, one each `every_s` seconds."""
    knots = int(samples / rate_hz / every_s) + 2
    at = np.arange(samples, dtype=np.float64) / (rate_hz * every_s)
    return np.interp(at, np.arange(knots), rng.standard_normal(knots)).astype(np.float32)
