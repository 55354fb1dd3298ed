"""From STFT frames to a fixed number of rows per beat, by linear interpolation at the beats' times.

Belongs here: the grid's length and the interpolation. Does not belong here: which second a beat lies at
(`tempo.py`), the arrays' scale and files (`features.py`).
"""

import math

import numpy as np
from numpy.typing import NDArray

BEATS_PER_BAR = 4

_ROWS_PER_BLOCK = 8_192


def whole_bar_rows(last_beat: float, frames_per_beat: int) -> int:
    """Return the grid's length for a song that ends at `last_beat`: whole bars, at least one."""
    bars = max(1, math.ceil(last_beat / BEATS_PER_BAR))
    return bars * BEATS_PER_BAR * frames_per_beat


def grid_beats(rows: int, frames_per_beat: int) -> NDArray[np.float64]:
    """Return the beat of each row (rows,)."""
    return np.arange(rows, dtype=np.float64) / frames_per_beat


def sample_rows(
    frames: NDArray[np.float32], row_times_s: NDArray[np.float64], hop_s: float, seconds: float, outside: float
) -> NDArray[np.float32]:
    """Return the values of a time-major array at given times, linear between frames.

    Between the last frame and the end of the audio the last frame holds; before second 0 and beyond the end is
    `outside`.

    Args:
        frames: (frames, bands) or (frames,); frame i lies at `i * hop_s`.
        row_times_s: Seconds, in any order: regions of a tempo map may leave gaps and overlap.
        hop_s: Seconds between frames.
        seconds: Where the audio ends.
        outside: The value where there is no audio.

    Returns:
        (rows, bands) or (rows,), float32.
    """
    result = np.empty((len(row_times_s), *frames.shape[1:]), np.float32)
    for start in range(0, len(row_times_s), _ROWS_PER_BLOCK):
        times_s, rows = row_times_s[start : start + _ROWS_PER_BLOCK], result[start : start + _ROWS_PER_BLOCK]
        _lerp(frames, times_s / hop_s, rows)
        rows[(times_s < 0.0) | (times_s > seconds)] = outside
    return result


def _lerp(frames: NDArray[np.float32], position: NDArray[np.float64], out: NDArray[np.float32]) -> None:
    """Write `frames` at fractional frame numbers into `out`: two gathers of whole rows, no loop over bands."""
    position = np.clip(position, 0.0, len(frames) - 1)
    left = np.minimum(position.astype(np.int64), max(0, len(frames) - 2))
    right = np.minimum(left + 1, len(frames) - 1)
    fraction = (position - left).astype(np.float32).reshape(-1, *[1] * (frames.ndim - 1))
    np.take(frames, left, axis=0, out=out)
    step = np.take(frames, right, axis=0)
    step -= out
    step *= fraction
    out += step
