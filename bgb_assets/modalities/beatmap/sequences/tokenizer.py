"""Objects of many maps to token sequences and back, as whole columns.

48 ticks a beat make sixteenths and triplets exact. With `fine` a beat keeps 1/960 and an angle its degree; without,
beats snap to the nearest tick and angles to five degrees.

Belongs here: which object becomes which event and what is not encoded. Does not belong here: ids (`vocabulary`), the
form of a sequence (`events`), files (`tokens`, next in the flow).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bgb_assets.modalities.beatmap.formats.objects import KINDS, PLAYED_KINDS, Columns, Objects, empty_objects
from bgb_assets.modalities.beatmap.sequences import vocabulary as v
from bgb_assets.modalities.beatmap.sequences.events import (
    ABSENT,
    SLOTS,
    Events,
    Sequences,
    from_ids,
    in_order,
    nearest_tick,
    repeats,
    to_sequences,
)
from bgb_assets.runtime.errors import BadInput, ContractError

Column = NDArray[Any]
Tables = Mapping[str, Mapping[str, Column]]
"""Kind -> column -> values, as in `objects` or read from the notes tables."""

UP_TO_LAST_OBJECT = -1
"""For the number of bars: those up to the last object."""


@dataclass(frozen=True)
class Encoded:
    """Token sequences of many maps, and what they leave out.

    Attributes:
        sequences: The tokens.
        dropped: Reason -> objects not encoded, int64 (maps,).
    """

    sequences: Sequences
    dropped: Mapping[str, v.Ids]


def header(difficulty: str, characteristic: str, nps: float | None, bpm: float | None, quality: int) -> list[int]:
    """Return BOS and the five conditions; None leaves one open. `quality` is a QUAL id."""
    nps_id = v.any_of(v.NPS) if nps is None else int(v.nps_ids(nps))
    bpm_id = v.any_of(v.TEMPO) if bpm is None else int(v.tempo_ids(bpm))
    return [v.BOS, v.difficulty_id(difficulty), v.characteristic_id(characteristic), nps_id, bpm_id, quality]


def encode(
    tables: Tables,
    owners: Mapping[str, ArrayLike],
    headers: ArrayLike,
    bars: ArrayLike,
    kinds: Sequence[str] = PLAYED_KINDS,
    fine: bool = False,
) -> Encoded:
    """Encode the objects of many maps at once.

    Args:
        tables: Columns of each kind; rows in any order.
        owners: For each kind, the map of each row, 0 to maps - 1.
        headers: (maps, 6), as `header` makes them.
        bars: (maps,) BARs of each map, or `UP_TO_LAST_OBJECT`.
        kinds: The kinds to encode; other kinds are left out and not counted.
        fine: Keep 1/960 beat and single degrees.

    Raises:
        ContractError: A kind is unknown.
    """
    if unknown := set(kinds) - set(PLAYED_KINDS):
        raise ContractError(f"kinds to encode must be of {PLAYED_KINDS!r}, got {sorted(unknown)!r}")
    head = np.asarray(headers, np.int16).reshape(-1, v.HEADER_LENGTH)
    dropped: dict[str, v.Ids] = {}
    pieces = [
        _ROWS_OF[kind](_Rows(tables[kind], np.asarray(owners[kind], np.int64), len(head), dropped), fine)
        for kind in PLAYED_KINDS
        if kind in kinds and len(tables[kind]["beat"])
    ]
    events = _joined(pieces)
    wanted = _bars(events, np.broadcast_to(np.asarray(bars, np.int64), len(head)))
    late = events.bar >= wanted[events.map]
    _count(dropped, "after_audio", events.map[late], len(head))
    events = in_order(events.take(~late))
    again = repeats(events)
    _count(dropped, "repeated", events.map[again], len(head))
    return Encoded(to_sequences(events.take(~again), head, wanted), dropped)


def encode_map(
    objects: Objects,
    head: Sequence[int],
    bars: int = UP_TO_LAST_OBJECT,
    kinds: Sequence[str] = PLAYED_KINDS,
    fine: bool = False,
) -> Encoded:
    """Encode the objects of one map."""
    owners = {kind: np.zeros(len(objects[kind]["beat"]), np.int64) for kind in PLAYED_KINDS}
    return encode(objects, owners, [head], [bars], kinds, fine)


def decode(ids: ArrayLike) -> dict[str, Columns]:
    """Return the objects of one sequence; beats count from its first bar.

    What a sequence does not hold (multipliers, anchors, squish) gets its default.

    Raises:
        BadInput: The sequence is malformed.
    """
    tokens = np.asarray(ids, np.int64)
    if (tokens < 0).any() or (tokens >= v.SIZE).any():
        raise BadInput(f"tokens must be 0 to {v.SIZE - 1}, got {int(tokens.min())} to {int(tokens.max())}", "decode")
    return objects_of(from_ids(tokens))


def objects_of(events: Events) -> dict[str, Columns]:
    """Return the objects of the events of one map, each kind in canonical order."""
    first = events.slots[:, 0]
    spans = {"notes": v.NOTE, "bombs": v.BOMB, "walls": v.WALL}
    spans |= {"arcs": v.Span(v.ARC, 1), "chains": v.Span(v.CHAIN, 1)}
    objects = empty_objects()
    for kind, span in spans.items():
        rows = events.take(span.holds(first))
        if len(rows):
            objects[kind] = _typed(kind, _FIELDS_OF[kind](rows))
    return objects


@dataclass(frozen=True)
class _Rows:
    """Columns of one kind on their way in.

    Attributes:
        table: Its columns.
        owner: Map of each row.
        maps: How many maps there are.
        dropped: Counts so far, added to.
    """

    table: Mapping[str, Column]
    owner: v.Ids
    maps: int
    dropped: dict[str, v.Ids]

    def kept(self, **bad: NDArray[np.bool_]) -> "_Rows":
        """Return the rows that no check refuses; each refused row counts under the first reason that holds."""
        keep = np.ones(len(self.owner), np.bool_)
        for reason, rows in bad.items():
            _count(self.dropped, reason, self.owner[keep & rows], self.maps)
            keep &= ~rows
        table = {name: column[keep] for name, column in self.table.items()}
        return _Rows(table, self.owner[keep], self.maps, self.dropped)

    def events(self, fine: bool, **slots: ArrayLike) -> Events:
        """Return events with the given columns (`s0`, `s1`, ...), the other slots absent."""
        table = np.full((len(self.owner), SLOTS), ABSENT, np.int16)
        for name, tokens in slots.items():
            table[:, int(name[1:])] = tokens
        return Events(self.owner, _times(self.table["beat"], fine), table)


def _notes(rows: _Rows, fine: bool) -> Events:
    table = rows.table
    rows = rows.kept(
        fake=table["fake"],
        before_start=table["beat"] < 0,
        out_of_grid=_outside(table, "x", "y"),
        cut_direction=_no_direction(table["cut_direction"]),
    )
    table = rows.table
    ids = v.note_ids(table["color"], table["x"], table["y"], table["cut_direction"])
    angle, rest = _angles(table["angle_deg"], fine)
    return rows.events(fine, s0=ids, s1=angle, s2=rest)


def _bombs(rows: _Rows, fine: bool) -> Events:
    table = rows.table
    rows = rows.kept(fake=table["fake"], before_start=table["beat"] < 0, out_of_grid=_outside(table, "x", "y"))
    return rows.events(fine, s0=v.bomb_ids(rows.table["x"], rows.table["y"]))


def _walls(rows: _Rows, fine: bool) -> Events:
    table = rows.table
    x, width = table["x"].astype(np.int64), table["width"].astype(np.int64)
    shapes = [(table["y"] == y) & (table["height"] == height) for y, height in v.WALL_SHAPES]
    fits = (x >= 0) & (width >= 1) & (x < v.COLUMNS) & (x + width <= v.COLUMNS)
    rows = rows.kept(
        fake=table["fake"],
        before_start=table["beat"] < 0,
        wall_shape=~(fits & np.logical_or.reduce(shapes)),
        length=_bad_length(table["duration_beats"], fine),
    )
    table = rows.table
    ids = v.wall_ids(table["x"], table["width"], table["y"] == v.WALL_SHAPES[1][0])
    beats, ticks, rest = _lengths(table["duration_beats"], fine)
    return rows.events(fine, s0=ids, s1=beats, s2=ticks, s3=rest)


def _curves(rows: _Rows, **more: NDArray[np.bool_]) -> _Rows:
    table = rows.table
    return rows.kept(
        before_start=table["beat"] < 0,
        out_of_grid=_outside(table, "x", "y") | _outside(table, "tail_x", "tail_y"),
        cut_direction=_no_direction(table["cut"]),
        **more,
    )


def _arcs(rows: _Rows, fine: bool) -> Events:
    table = rows.table
    bad_length = _bad_length(table["tail_beat"] - table["beat"], fine)
    rows = _curves(rows, tail_cut_direction=_no_direction(table["tail_cut"]), length=bad_length)
    table = rows.table
    head = v.note_ids(table["color"], table["x"], table["y"], table["cut"])
    tail = v.note_ids(table["color"], table["tail_x"], table["tail_y"], table["tail_cut"])
    beats, ticks, rest = _lengths(table["tail_beat"] - table["beat"], fine)
    return rows.events(fine, s0=v.ARC, s1=head, s2=beats, s3=ticks, s4=rest, s5=tail)


def _chains(rows: _Rows, fine: bool) -> Events:
    table = rows.table
    slices = (table["slices"] < 1) | (table["slices"] > v.MAX_SLICES)
    rows = _curves(rows, slices=slices, length=_bad_length(table["tail_beat"] - table["beat"], fine))
    table = rows.table
    head = v.note_ids(table["color"], table["x"], table["y"], table["cut"])
    tail = v.note_ids(table["color"], table["tail_x"], table["tail_y"], v.ANY_DIRECTION)
    beats, ticks, rest = _lengths(table["tail_beat"] - table["beat"], fine)
    number = v.SLICES.start + table["slices"].astype(np.int64) - 1
    return rows.events(fine, s0=v.CHAIN, s1=head, s2=beats, s3=ticks, s4=rest, s5=tail, s6=number)


_ROWS_OF = {"notes": _notes, "bombs": _bombs, "walls": _walls, "arcs": _arcs, "chains": _chains}


def _note_columns(rows: Events) -> dict[str, Column]:
    color, x, y, direction = v.note_fields(rows.slots[:, 0])
    angle = np.where(rows.slots[:, 1] == ABSENT, 0, v.angle_degrees(rows.slots[:, 1]))
    angle = angle + np.where(rows.slots[:, 2] == ABSENT, 0, v.angle_rests(rows.slots[:, 2]))
    columns: dict[str, Column] = {"beat": _beats(rows), "x": x, "y": y, "color": color, "cut_direction": direction}
    return {**columns, "angle_deg": angle, "fake": np.zeros(len(rows), np.bool_)}


def _bomb_columns(rows: Events) -> dict[str, Column]:
    cell = rows.slots[:, 0] - v.BOMB.start
    return {"beat": _beats(rows), "x": cell // v.ROWS, "y": cell % v.ROWS, "fake": np.zeros(len(rows), np.bool_)}


def _wall_columns(rows: Events) -> dict[str, Column]:
    x, width, crouch = v.wall_fields(rows.slots[:, 0])
    shape = np.array(v.WALL_SHAPES)[crouch]
    columns: dict[str, Column] = {"beat": _beats(rows), "duration_beats": _length_beats(rows.slots[:, 1:4])}
    columns |= {"x": x, "y": shape[:, 0], "width": width, "height": shape[:, 1]}
    return {**columns, "fake": np.zeros(len(rows), np.bool_)}


def _curve_columns(rows: Events) -> dict[str, Column]:
    color, x, y, cut = v.note_fields(rows.slots[:, 1])
    _, tail_x, tail_y, tail_cut = v.note_fields(rows.slots[:, 5])
    beat = _beats(rows)
    columns: dict[str, Column] = {"beat": beat, "color": color, "x": x, "y": y, "cut": cut}
    columns |= {"tail_beat": beat + _length_beats(rows.slots[:, 2:5]), "tail_x": tail_x, "tail_y": tail_y}
    columns |= {"tail_cut": tail_cut, "mult": np.ones(len(rows)), "tail_mult": np.ones(len(rows))}
    columns |= {"mid_anchor": np.zeros(len(rows)), "slices": rows.slots[:, 6] - v.SLICES.start + 1}
    return {**columns, "squish": np.ones(len(rows))}


_FIELDS_OF = {
    "notes": _note_columns,
    "bombs": _bomb_columns,
    "walls": _wall_columns,
    "arcs": _curve_columns,
    "chains": _curve_columns,
}


def _typed(kind: str, columns: Mapping[str, Column]) -> Columns:
    """Return the columns of a kind in canonical order and types, rows sorted by all of them."""
    order = np.lexsort([columns[name] for name in reversed(tuple(KINDS[kind]))])
    return {name: columns[name][order].astype(np.dtype(kind_of)) for name, kind_of in KINDS[kind].items()}


def _times(beats: Column, fine: bool) -> v.Ids:
    """Return times in 1/960 beat, on whole ticks unless `fine`."""
    per_beat = v.FINE_PER_BEAT if fine else v.TICKS_PER_BEAT
    whole = np.floor(per_beat * beats.astype(np.float64) + 0.5).astype(np.int64)
    return whole if fine else whole * v.FINE_PER_TICK


def _beats(rows: Events) -> NDArray[np.float64]:
    return rows.time / v.FINE_PER_BEAT


def _lengths(beats: Column, fine: bool) -> tuple[v.Ids, v.Ids, v.Ids]:
    """Return LENB, LENT and FINE (or absent) of lengths in beats."""
    ticks, rest = nearest_tick(_times(beats, fine))
    uneven = np.where(rest == 0, ABSENT, v.fine_ids(rest))
    return v.LENB.start + ticks // v.TICKS_PER_BEAT, v.LENT.start + ticks % v.TICKS_PER_BEAT, uneven


def _length_beats(slots: NDArray[np.int16]) -> NDArray[np.float64]:
    tokens = slots.astype(np.int64)
    ticks = (tokens[:, 0] - v.LENB.start) * v.TICKS_PER_BEAT + tokens[:, 1] - v.LENT.start
    rest = np.where(tokens[:, 2] == ABSENT, 0, v.fine_rest(tokens[:, 2]))
    return (ticks * v.FINE_PER_TICK + rest) / v.FINE_PER_BEAT


def _bad_length(beats: Column, fine: bool) -> NDArray[np.bool_]:
    """Say which lengths are negative or do not fit below 64 beats once rounded."""
    ticks, _ = nearest_tick(_times(np.clip(beats, -1.0, v.MAX_LENGTH_BEATS), fine))
    return (beats < 0) | (ticks >= v.MAX_LENGTH_BEATS * v.TICKS_PER_BEAT)


def _angles(degrees: Column, fine: bool) -> tuple[v.Ids, v.Ids]:
    """Return ANGLE and ANGF, or absent, of whole degrees modulo 360."""
    turned = -((180 - degrees.astype(np.int64)) % 360 - 180)  # into (-180, 180]
    step = np.rint(turned / v.ANGLE_STEP_DEG).astype(np.int64) * v.ANGLE_STEP_DEG
    rest = turned - step
    step = np.where(step == -180, 180, step)
    angle = np.where(step == 0, ABSENT, v.angle_ids(step))
    return angle, np.where((rest == 0) | (not fine), ABSENT, v.angle_rest_ids(rest))


def _outside(table: Mapping[str, Column], x: str, y: str) -> NDArray[np.bool_]:
    inside = (table[x] >= 0) & (table[x] < v.COLUMNS) & (table[y] >= 0) & (table[y] < v.ROWS)
    return np.asarray(~inside)


def _no_direction(cut: Column) -> NDArray[np.bool_]:
    return np.asarray((cut < 0) | (cut > v.ANY_DIRECTION))


def _joined(pieces: Sequence[Events]) -> Events:
    if not pieces:
        return Events(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, SLOTS), np.int16))
    return Events(
        np.concatenate([piece.map for piece in pieces]),
        np.concatenate([piece.time for piece in pieces]),
        np.concatenate([piece.slots for piece in pieces]),
    )


def _bars(events: Events, asked: v.Ids) -> v.Ids:
    last = np.zeros(len(asked), np.int64)
    np.maximum.at(last, events.map, events.bar + 1)
    return np.where(asked == UP_TO_LAST_OBJECT, last, asked)


def _count(dropped: dict[str, v.Ids], reason: str, owners: v.Ids, maps: int) -> None:
    if len(owners):
        dropped[reason] = dropped.get(reason, np.zeros(maps, np.int64)) + np.bincount(owners, minlength=maps)
