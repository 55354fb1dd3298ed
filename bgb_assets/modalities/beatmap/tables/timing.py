"""Pace and timing of a difficulty's notes: notes per second, distance from the grid, and the audit by the audio.

Belongs here: pure measures of note times. Does not belong here: how a hand plays them (`swings`) and the
thresholds that exclude a difficulty (`manifest`). Next in the flow: `notes` writes them into its tables.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

TICKS_PER_BEAT = 48
OFF_GRID_BEATS = 0.001
PEAK_WINDOW_S = 4.0
AFTER_AUDIO_S = 2.0
"""Notes later than this behind the end of the audio mark the difficulty."""

_MAX_SHIFT_MS = 150
_SHIFT_STEP_MS = 5

Float64 = NDArray[np.float64]


@dataclass(frozen=True)
class TimingAudit:
    """How well the notes meet the music.

    Attributes:
        shift_ms: By how much the notes come before the onsets they meet best.
        ratio: Mean onset strength there over the mean of the whole song.
    """

    shift_ms: float
    ratio: float


def notes_per_second(times_s: Float64) -> float | None:
    """Return notes / (last - first); None where all are at one time or there is none."""
    length_s = float(times_s.max() - times_s.min()) if len(times_s) else 0.0
    return len(times_s) / length_s if length_s > 0 else None


def peak_notes_per_second(times_s: Float64) -> float | None:
    """Return the most notes in any `PEAK_WINDOW_S` (begin included, end not), per second."""
    if not len(times_s):
        return None
    ordered = np.sort(times_s)
    ends = np.searchsorted(ordered, ordered + PEAK_WINDOW_S, side="left")
    return float((ends - np.arange(len(ordered))).max()) / PEAK_WINDOW_S


def off_grid(beats: Float64, divisions: int = TICKS_PER_BEAT) -> NDArray[np.bool_]:
    """Say which beats are further than `OFF_GRID_BEATS` from the nearest of a number of divisions of the beat."""
    return np.asarray(np.abs(beats - np.rint(beats * divisions) / divisions) > OFF_GRID_BEATS)


def audit_timing(times_s: Float64, onset: NDArray[np.float32], hop_s: float) -> TimingAudit | None:
    """Compare note times with the onset strength, shifted by -150 to 150 ms in steps of 5 ms.

    The strength between frames is interpolated, and is 0 beyond the audio. Of equal shifts the smallest in
    size wins.

    Args:
        times_s: Seconds of each note; each distinct time counts once.
        onset: Onset strength, frame k at k * hop_s.
        hop_s: Seconds between frames.

    Returns:
        None where there are no notes, or the song is silent.
    """
    distinct = np.unique(times_s)
    mean = float(onset.mean(dtype=np.float64)) if len(onset) else 0.0
    if not len(distinct) or mean <= 0:
        return None
    frames_s = np.arange(len(onset)) * hop_s
    shifts_ms = np.arange(-_MAX_SHIFT_MS, _MAX_SHIFT_MS + 1, _SHIFT_STEP_MS)
    at_s = distinct[None, :] + shifts_ms[:, None] / 1000.0
    strengths = np.interp(at_s.ravel(), frames_s, onset, left=0.0, right=0.0).reshape(at_s.shape).mean(axis=1)
    best = np.lexsort((np.abs(shifts_ms), -strengths))[0]
    return TimingAudit(float(shifts_ms[best]), float(strengths[best]) / mean)
