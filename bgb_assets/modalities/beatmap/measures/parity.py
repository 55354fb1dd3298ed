"""Mends what a hand could not play: swings that would cut twice the same way get the nearest directions that work.

For each hand a shortest path over its swings: a swing keeps its direction or takes one of the eight, the cost is the
angle changed, and a step that would be a parity violation (see `swings`) is forbidden. Times, cells, colours and
numbers of notes stay; notes of any direction stay so.

Belongs here: choosing directions. Does not belong here: what a violation is and counting them (`swings`).
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bgb_assets.modalities.beatmap.formats.objects import Columns
from bgb_assets.modalities.beatmap.measures.swings import JOIN_BEATS, RESET_S

Vector = tuple[float, float]

ANY_DIRECTION = 8

_SLACK_BEATS, _JOIN_DOT, _VIOLATION_DOT = 1e-6, 0.01, 1e-6
_DEGREES = (90.0, -90.0, 180.0, 0.0, 135.0, 45.0, -135.0, -45.0)
"""Where cuts 0 to 7 point, counter-clockwise from the right."""
_DOWN: Vector = (0.0, -1.0)


@dataclass(frozen=True)
class Repaired:
    """A map that can be played.

    Attributes:
        objects: The objects, with the directions of some notes, and of the arcs and chains at them, changed.
        changed: How many notes have another direction.
    """

    objects: dict[str, Columns]
    changed: int


def repair_parity(objects: Mapping[str, Columns], times_s: NDArray[np.float64]) -> Repaired:
    """Return the map without parity violations, by the least sum of angles changed per hand.

    Args:
        objects: Canonical objects.
        times_s: Seconds of each note.
    """
    notes = objects["notes"]
    cuts, angles = notes["cut_direction"].copy(), notes["angle_deg"].copy()
    for color in (0, 1):
        rows = np.flatnonzero((notes["color"] == color) & ~notes["fake"])
        swings = list(_swings(rows[np.argsort(notes["beat"][rows], kind="stable")], notes, times_s))
        for swing, cut in zip(swings, _choices(swings), strict=True):
            if cut is not None:
                directed = [row for row in swing.rows if _degrees(notes, row) is not None]
                cuts[directed], angles[directed] = cut, 0
    changed = (cuts != notes["cut_direction"]) | (angles != notes["angle_deg"])
    mended = {**objects, "notes": {**notes, "cut_direction": cuts, "angle_deg": angles}}
    for kind in ("arcs", "chains"):
        mended[kind] = _follow(mended[kind], mended["notes"], changed)
    return Repaired(mended, int(np.count_nonzero(changed)))


@dataclass
class _Swing:
    """Notes cut in one go; `degrees` is where its first directed note points, None where all are of any direction."""

    rows: list[int]
    first_s: float
    last_s: float
    last_beat: float
    degrees: float | None
    directed: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class _State:
    """One way to have cut all swings so far: the last swing's vector, what it cost, the way before, the cut chosen."""

    vector: Vector
    cost: float
    before: "_State | None"
    cut: int | None


def _swings(rows: NDArray[np.intp], notes: Columns, times_s: NDArray[np.float64]) -> Iterator[_Swing]:
    swing: _Swing | None = None
    for row in rows.tolist():
        beat, second, degrees = float(notes["beat"][row]), float(times_s[row]), _degrees(notes, row)
        if swing is not None and _joins(swing, beat, degrees):
            swing.rows.append(row)
            swing.last_s, swing.last_beat = second, beat
            swing.degrees = degrees if swing.degrees is None else swing.degrees
        else:
            if swing is not None:
                yield swing
            swing = _Swing([row], second, second, beat, degrees)
        if degrees is not None:
            swing.directed.append(degrees)
    if swing is not None:
        yield swing


def _joins(swing: _Swing, beat: float, degrees: float | None) -> bool:
    if beat - swing.last_beat > JOIN_BEATS + _SLACK_BEATS:
        return False
    if degrees is None or swing.degrees is None:
        return True
    return _dot(_vector(degrees), _vector(swing.degrees)) > _JOIN_DOT


def _choices(swings: Sequence[_Swing]) -> list[int | None]:
    """Return the new cut of each swing, None where it stays, along the cheapest way."""
    states: list[_State] = []
    before: _Swing | None = None
    for swing in swings:
        free = before is None or swing.first_s - before.last_s >= RESET_S
        states = _next_states(states, swing, free)
        before = swing
    chosen: list[int | None] = []
    state = min(states, key=lambda one: one.cost, default=None)
    while state is not None:
        chosen.append(state.cut)
        state = state.before
    return chosen[::-1]


def _next_states(states: Sequence[_State], swing: _Swing, free: bool) -> list[_State]:
    """Return the cheapest way to each direction of the next swing; `free`: any direction may follow any."""
    if swing.degrees is None:
        if not states:
            return [_State(_DOWN, 0.0, None, None)]
        return [_State((-one.vector[0], -one.vector[1]), one.cost, one, None) for one in states]
    options: list[tuple[Vector, float, int | None]] = [(_vector(swing.degrees), 0.0, None)]
    options += [
        (_vector(degrees), sum(_turned(held, degrees) for held in swing.directed), cut)
        for cut, degrees in enumerate(_DEGREES)
    ]
    found = []
    for vector, cost, cut in options:
        ways = [one for one in states if free or _dot(one.vector, vector) <= _VIOLATION_DOT]
        best = min(ways, key=lambda one: one.cost, default=None)
        if best is not None or not states:
            found.append(_State(vector, cost + (best.cost if best else 0.0), best, cut))
    return found


def _follow(curves: Columns, notes: Columns, changed: NDArray[np.bool_]) -> Columns:
    """Return arcs or chains whose heads, and tails where they have a direction, point as the changed notes there."""
    held = dict(curves)
    for prefix, cut in (("", "cut"), ("tail_", "tail_cut")):
        if cut not in curves or not len(curves["beat"]):
            continue
        places = {
            (notes["beat"][row], notes["color"][row], notes["x"][row], notes["y"][row]): notes["cut_direction"][row]
            for row in np.flatnonzero(changed)
        }
        keys = zip(*(curves[name] for name in (f"{prefix}beat", "color", f"{prefix}x", f"{prefix}y")), strict=True)
        new = [places.get(key, own) for key, own in zip(keys, curves[cut], strict=True)]
        held[cut] = np.array(new, curves[cut].dtype)
    return held


def _degrees(notes: Columns, row: int) -> float | None:
    cut = int(notes["cut_direction"][row])
    return _DEGREES[cut] + float(notes["angle_deg"][row]) if 0 <= cut < ANY_DIRECTION else None


def _vector(degrees: float) -> Vector:
    radians = math.radians(degrees)
    return math.cos(radians), math.sin(radians)


def _dot(a: Vector, b: Vector) -> float:
    return a[0] * b[0] + a[1] * b[1]


def _turned(a: float, b: float) -> float:
    """Return the angle between two directions, 0 to 180."""
    return abs((a - b + 180.0) % 360.0 - 180.0)
