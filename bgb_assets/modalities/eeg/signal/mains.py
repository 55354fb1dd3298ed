"""Which mains frequency hums in a recording.

Belongs here: the choice between 50 and 60 Hz. Does not belong here: the notch (`filters.py`).
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

MAINS_HZ = (50.0, 60.0)

_LINE_HZ = 0.5
_NEIGHBOURS_HZ = 5.0
_GUARD_HZ = 1.5
_SHORTEST_S = 4


def louder_mains_hz(pieces: Iterable[NDArray[np.float64]], rate_hz: float) -> float | None:
    """Return 50.0 or 60.0, whose line stands higher above its neighbours; None where the rate can hold neither.

    The power within 0.5 Hz of the line is held against that from 1.5 to 5 Hz beside it, in the mean over all pieces
    and channels.

    Args:
        pieces: (channels, samples) each, of one length; what is shorter than 4 seconds is filled up with zeros.
        rate_hz: Their rate.
    """
    candidates = [line_hz for line_hz in MAINS_HZ if line_hz + _NEIGHBOURS_HZ < rate_hz / 2]
    if not candidates:
        return None
    frequencies_hz, power = _mean_power(pieces, rate_hz)
    heights = {line_hz: _height(frequencies_hz, power, line_hz) for line_hz in candidates}
    return max(candidates, key=lambda line_hz: heights[line_hz])


def _mean_power(
    pieces: Iterable[NDArray[np.float64]], rate_hz: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    powers: list[NDArray[np.float64]] = []
    count = 0
    for piece in pieces:
        count = max(piece.shape[1], round(_SHORTEST_S * rate_hz))
        tapered = (piece - piece.mean(axis=1, keepdims=True)) * np.hanning(piece.shape[1])
        spectrum = np.fft.rfft(tapered, count, axis=1)
        powers.append((spectrum.real**2 + spectrum.imag**2).mean(axis=0))
    return np.asarray(np.fft.rfftfreq(count, 1 / rate_hz), np.float64), np.sum(powers, axis=0)


def _height(frequencies_hz: NDArray[np.float64], power: NDArray[np.float64], line_hz: float) -> float:
    away_hz = np.abs(frequencies_hz - line_hz)
    beside = power[(away_hz > _GUARD_HZ) & (away_hz <= _NEIGHBOURS_HZ)].mean()
    return float(power[away_hz <= _LINE_HZ].mean() / (beside or 1.0))
