"""How a difficulty is played: the swings of each hand, and where a hand would have to cut twice the same way.

Belongs here: what joins notes into a swing, its direction, and what counts as a parity violation.
Does not belong here: mending violations (generation) and how pace or timing are measured (`timing`).
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bgb_assets.modalities.beatmap.formats.objects import Columns

JOIN_BEATS = 1 / 8
"""A note at most this far behind the one before may belong to its swing."""
RESET_S = 1.0
"""With this much time the hand moves back by itself."""

_SLACK_BEATS = 1e-6
_JOIN_DOT = 0.01
_VIOLATION_DOT = 1e-6
_HALF = math.sqrt(0.5)
_DIRECTIONS = (
    (0.0, 1.0),
    (0.0, -1.0),
    (-1.0, 0.0),
    (1.0, 0.0),
    (-_HALF, _HALF),
    (_HALF, _HALF),
    (-_HALF, -_HALF),
    (_HALF, -_HALF),
)
"""Unit vector of cuts 0 to 7; every other cut has no direction."""
_DOWN = _DIRECTIONS[1]

Vector = tuple[float, float]


@dataclass(frozen=True)
class SwingCounts:
    """How a difficulty is played.

    Attributes:
        swings: Swings of both hands.
        violations: Swings that go on in the direction of the one before, less than `RESET_S` after it.
        resets: The same with more time: the hand moves back by itself.
    """

    swings: int
    violations: int
    resets: int


@dataclass(frozen=True)
class SwingTable:
    """Every swing, one value each: those of the left hand in time order, then those of the right.

    Attributes:
        color: 0 left, 1 right.
        beat: Beat of its first note.
        violation: It goes on in the direction of the one before, less than `RESET_S` after it.
        reset: The same with more time.
    """

    color: NDArray[np.int64]
    beat: NDArray[np.float64]
    violation: NDArray[np.bool_]
    reset: NDArray[np.bool_]


@dataclass
class _Swing:
    beat: float
    first_s: float
    last_s: float
    last_beat: float
    vector: Vector | None


def count_swings(notes: Columns, times_s: NDArray[np.float64]) -> SwingCounts:
    """Count the swings of both hands; see `find_swings`."""
    found = find_swings(notes, times_s)
    return SwingCounts(len(found.beat), int(found.violation.sum()), int(found.reset.sum()))


def find_swings(notes: Columns, times_s: NDArray[np.float64]) -> SwingTable:
    """Return the swings of both hands.

    Notes of one hand, in time order, at most `JOIN_BEATS` after the one before, are one swing while they agree:
    either has no direction, or the dot product of their unit vectors is above 0.01. A swing's vector is that of
    its first directed note; of one without, the opposite of the swing before, and down for the first.

    Args:
        notes: Canonical notes; fakes are not played and not counted.
        times_s: Seconds of each note.
    """
    rows: list[tuple[int, float, bool, bool]] = []
    vectors = _vectors(notes["cut_direction"], notes["angle_deg"])
    for color in (0, 1):
        own = np.flatnonzero((notes["color"] == color) & ~notes["fake"])
        beats, seconds = notes["beat"][own].tolist(), times_s[own].tolist()
        swings = _hand_swings(beats, seconds, [vectors[row] for row in own.tolist()])
        rows += [(color, beat, violation, reset) for beat, violation, reset in _judged(swings)]
    colors, at, violations, resets = zip(*rows, strict=True) if rows else ((), (), (), ())
    return SwingTable(
        np.array(colors, np.int64), np.array(at, np.float64), np.array(violations, np.bool_), np.array(resets, np.bool_)
    )


def _hand_swings(
    beats: Sequence[float], times_s: Sequence[float], vectors: Sequence[Vector | None]
) -> Iterator[_Swing]:
    current: _Swing | None = None
    for beat, time_s, vector in zip(beats, times_s, vectors, strict=True):
        if current is not None and _joins(current, beat, vector):
            current.last_s, current.last_beat = time_s, beat
            current.vector = current.vector or vector
            continue
        if current is not None:
            yield current
        current = _Swing(beat, time_s, time_s, beat, vector)
    if current is not None:
        yield current


def _joins(swing: _Swing, beat: float, vector: Vector | None) -> bool:
    if beat - swing.last_beat > JOIN_BEATS + _SLACK_BEATS:
        return False
    return vector is None or swing.vector is None or _dot(vector, swing.vector) > _JOIN_DOT


def _judged(swings: Iterator[_Swing]) -> Iterator[tuple[float, bool, bool]]:
    """Yield (beat, violation, reset) of each swing of one hand."""
    before_vector: Vector = (-_DOWN[0], -_DOWN[1])
    before_s: float | None = None
    for swing in swings:
        vector = swing.vector or (-before_vector[0], -before_vector[1])
        again = before_s is not None and _dot(vector, before_vector) > _VIOLATION_DOT
        in_time = before_s is not None and swing.first_s - before_s >= RESET_S
        yield swing.beat, again and not in_time, again and in_time
        before_vector, before_s = vector, swing.last_s


def _vectors(cuts: NDArray[np.int64], angles_deg: NDArray[np.int64]) -> list[Vector | None]:
    directed = (cuts >= 0) & (cuts < len(_DIRECTIONS))
    base = np.array(_DIRECTIONS)[np.where(directed, cuts, 0)]
    turn = np.deg2rad(angles_deg.astype(np.float64))
    cos, sin = np.cos(turn), np.sin(turn)
    x, y = base[:, 0] * cos - base[:, 1] * sin, base[:, 0] * sin + base[:, 1] * cos
    return [(px, py) if has else None for has, px, py in zip(directed.tolist(), x.tolist(), y.tolist(), strict=True)]


def _dot(a: Vector, b: Vector) -> float:
    return a[0] * b[0] + a[1] * b[1]
