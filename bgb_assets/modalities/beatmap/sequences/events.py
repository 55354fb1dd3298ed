"""Events between objects and tokens: one row of at most seven tokens for each note, bomb, wall, arc or chain.

    NOTE [ANGLE] [ANGF] | BOMB | WALL LENB LENT [FINE]
    ARC NOTE LENB LENT [FINE] NOTE | CHAIN NOTE LENB LENT [FINE] NOTE SLICES

Every token has its own slot, absent ones are -1, so that whole maps are handled as one array. The order of events in
a tick (notes by id, bombs by id, walls by id and length, arcs and chains by head) is the order of the rows' tokens.

Belongs here: rows to sequences and back, their order, the mirror. Does not belong here: what the tokens mean as
objects (`tokenizer`, next in the flow) and which sequences a model may write (`grammar`).
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bgb_assets.modalities.beatmap.sequences import vocabulary as v
from bgb_assets.runtime.errors import BadInput

SLOTS = 7
ABSENT = -1

_TAIL_SLOT, _SLICES_SLOT, _ANGLE_REST_SLOT = 5, 6, 2
_FINE_PER_BAR = v.TICKS_PER_BAR * v.FINE_PER_TICK
_REMEDY = "write sequences by the grammar, and read them with the vocabulary they were written with"


@dataclass(frozen=True)
class Events:
    """Events of many maps.

    Attributes:
        map: int64 (n,), which map each belongs to.
        time: int64 (n,), in 1/960 beat from the map's first bar.
        slots: int16 (n, 7) tokens.
    """

    map: v.Ids
    time: v.Ids
    slots: NDArray[np.int16]

    def __len__(self) -> int:
        return len(self.map)

    def take(self, rows: NDArray[np.generic]) -> "Events":
        """Return some rows, by number or by mask."""
        return Events(self.map[rows], self.time[rows], self.slots[rows])

    @property
    def bar(self) -> v.Ids:
        """The bar of each event, (n,)."""
        return nearest_tick(self.time)[0] // v.TICKS_PER_BAR


class Sequences(NamedTuple):
    """Token sequences end to end.

    Attributes:
        ids: int16, all sequences.
        offsets: int64 (maps + 1,): map i is `ids[offsets[i]:offsets[i + 1]]`.
        bar_starts: int64: where each BAR stands, counted from the start of its map.
        bar_offsets: int64 (maps + 1,): the bars of map i are `bar_starts[bar_offsets[i]:bar_offsets[i + 1]]`.
    """

    ids: NDArray[np.int16]
    offsets: v.Ids
    bar_starts: v.Ids
    bar_offsets: v.Ids


def nearest_tick(time: ArrayLike) -> tuple[v.Ids, v.Ids]:
    """Return the tick of times in 1/960 beat and the rest, -9 to 10."""
    whole = np.asarray(time, np.int64)
    tick = (whole + v.FINE_PER_TICK // 2 - 1) // v.FINE_PER_TICK
    return tick, whole - v.FINE_PER_TICK * tick


def in_order(events: Events) -> Events:
    """Return the events sorted by map, time and tokens."""
    slots = events.slots.astype(np.int64) * 2
    rest = slots[:, 3:5]  # of a wall's and an arc's length: none lies between -1 and +1
    rest[rest < 0] = 2 * (v.FINE.start - v.MIN_FINE) - 1
    first = (slots[:, 0] << 44) | ((slots[:, 1] + 2) << 33) | ((slots[:, 2] + 2) << 22) | ((slots[:, 3] + 2) << 11)
    second = (slots[:, 4] << 24) | ((slots[:, 5] + 2) << 12) | (slots[:, 6] + 2)
    return events.take(np.lexsort((second, first, events.time, events.map)))


def repeats(events: Events) -> NDArray[np.bool_]:
    """Say which of the sorted events equal the one before."""
    same = np.zeros(len(events), np.bool_)
    if len(events) > 1:
        same[1:] = (events.slots[1:] == events.slots[:-1]).all(axis=1)
        same[1:] &= (events.map[1:] == events.map[:-1]) & (events.time[1:] == events.time[:-1])
    return same


def to_sequences(events: Events, headers: NDArray[np.int16], bars: v.Ids) -> Sequences:
    """Return the sequence `header (BAR (POS [FINE] event+)*)* EOS` of every map.

    Args:
        events: Sorted; every event lies in a bar of its map.
        headers: (maps, 6), BOS and the conditions.
        bars: (maps,) how many BARs each map has.
    """
    layout = _layout(events, len(headers), bars)
    ids = np.full(layout.offsets[-1], v.PAD, np.int16)
    ids[layout.offsets[:-1, None] + np.arange(v.HEADER_LENGTH)] = headers
    ids[layout.offsets[1:] - 1] = v.EOS
    bar_offsets = _starts(bars)
    bar_map = np.repeat(np.arange(len(headers)), bars)
    ids[layout.offsets[bar_map] + layout.bar_starts] = v.BAR
    _write_events(ids, events, layout)
    return Sequences(ids, layout.offsets, layout.bar_starts, bar_offsets)


def from_ids(ids: ArrayLike, offsets: ArrayLike | None = None) -> Events:
    """Return the events of sequences that lie end to end; one sequence when no offsets are given.

    Raises:
        BadInput: A token stands where none of its kind can; the message names both.
    """
    tokens = np.asarray(ids, np.int64)
    edges = np.array([0, len(tokens)]) if offsets is None else np.asarray(offsets, np.int64)
    previous = np.concatenate(([v.PAD], tokens))[: len(tokens)]
    inside = _inside(tokens)
    starts = (v.NOTE.holds(tokens) | v.BOMB.holds(tokens) | v.WALL.holds(tokens)) & ~inside
    starts |= (tokens == v.ARC) | (tokens == v.CHAIN)
    body = inside | v.SLICES.holds(tokens) | v.LENB.holds(tokens) | v.LENT.holds(tokens)
    body |= v.ANGLE.holds(tokens) | v.ANGF.holds(tokens) | (v.FINE.holds(tokens) & ~v.POS.holds(previous))
    which = np.maximum.accumulate(np.where(starts, np.arange(len(tokens)), 0))
    member = np.flatnonzero(starts | body)
    _check_starts(tokens, starts, member, which)
    event = np.cumsum(starts)[member] - 1
    slots = np.full((int(starts.sum()), SLOTS), ABSENT, np.int16)
    slots[event, _slot(tokens[member], member - which[member])] = tokens[member]
    first = np.flatnonzero(starts)
    _check_rows(slots, np.bincount(event, minlength=len(first)), first)
    return Events(np.searchsorted(edges, first, side="right") - 1, _times(tokens, edges, first), slots)


def mirrored(ids: NDArray[np.int16], table: NDArray[np.int16]) -> NDArray[np.int16]:
    """Return one sequence with left and right swapped; `table` is `vocabulary.mirror_table()`."""
    events = from_ids(ids)
    swapped = np.where(events.slots == ABSENT, ABSENT, table[events.slots]).astype(np.int16)
    bars = np.array([np.count_nonzero(ids == v.BAR)])
    ordered = in_order(Events(events.map, events.time, swapped))
    return to_sequences(ordered, ids[None, : v.HEADER_LENGTH], bars).ids


def positions(ids: ArrayLike) -> v.Ids:
    """Return the tick of each token of one sequence from its first bar: BAR at its bar, the header at 0."""
    tokens = np.asarray(ids, np.int64)
    bar_tick = (np.cumsum(tokens == v.BAR) - 1) * v.TICKS_PER_BAR
    tick = np.where(tokens == v.BAR, bar_tick, 0)
    tick = np.where(v.POS.holds(tokens), bar_tick + tokens - v.POS.start, tick)
    return np.maximum.accumulate(tick)


def note_starts(ids: ArrayLike) -> NDArray[np.bool_]:
    """Say which tokens are notes, not heads or tails of arcs and chains."""
    tokens = np.asarray(ids, np.int64)
    return v.NOTE.holds(tokens) & ~_inside(tokens)


class _Layout(NamedTuple):
    """Where everything goes: offsets of maps, BARs from the start of their map, events absolute, new ticks."""

    offsets: v.Ids
    bar_starts: v.Ids
    event_starts: v.Ids
    opens_tick: NDArray[np.bool_]


def _layout(events: Events, maps: int, bars: v.Ids) -> _Layout:
    opens = np.ones(len(events), np.bool_)
    opens[1:] = (events.time[1:] != events.time[:-1]) | (events.map[1:] != events.map[:-1])
    rest = nearest_tick(events.time)[1]
    size = (events.slots != ABSENT).sum(axis=1) + np.where(opens, 1 + (rest != 0), 0)
    before = _starts(size)
    first_event = np.searchsorted(events.map, np.arange(maps + 1))
    of_map = np.diff(before[first_event])
    offsets = _starts(v.HEADER_LENGTH + bars + of_map + 1)
    event_starts = offsets[events.map] + v.HEADER_LENGTH + events.bar + 1
    event_starts += before[:-1] - before[first_event[events.map]]
    # A BAR comes after the events of the bars before it: find them by (map, bar) as one number.
    widest = int(bars.max(initial=0)) + 1
    bar_map = np.repeat(np.arange(maps), bars)
    bar = np.arange(len(bar_map)) - _starts(bars)[bar_map]
    earlier = np.searchsorted(events.map * widest + events.bar, bar_map * widest + bar)
    bar_starts = v.HEADER_LENGTH + bar + before[earlier] - before[first_event[bar_map]]
    return _Layout(offsets, bar_starts, event_starts, opens)


def _write_events(ids: NDArray[np.int16], events: Events, layout: _Layout) -> None:
    tick, rest = nearest_tick(events.time)
    place = layout.event_starts.copy()
    opens = np.flatnonzero(layout.opens_tick)
    ids[place[opens]] = v.POS.start + tick[opens] % v.TICKS_PER_BAR
    place[opens] += 1
    uneven = opens[rest[opens] != 0]
    ids[place[uneven]] = v.fine_ids(rest[uneven])
    place[uneven] += 1
    for slot in range(SLOTS):
        present = np.flatnonzero(events.slots[:, slot] != ABSENT)
        ids[place[present]] = events.slots[present, slot]
        place[present] += 1


def _inside(tokens: v.Ids) -> NDArray[np.bool_]:
    """Say which NOTEs are the head or the tail of an arc or a chain."""
    before = np.concatenate(([v.PAD, v.PAD], tokens))
    previous, before_that = before[1:-1], before[:-2]
    head = (previous == v.ARC) | (previous == v.CHAIN)
    tail = v.LENT.holds(previous) | (v.FINE.holds(previous) & v.LENT.holds(before_that))
    return np.asarray(v.NOTE.holds(tokens) & (head | tail))


def _slot(tokens: v.Ids, offset: v.Ids) -> v.Ids:
    """Return the slot of tokens `offset` places into their event; optional ones before them may be absent."""
    slot = np.where(v.ANGF.holds(tokens), _ANGLE_REST_SLOT, offset)
    slot = np.where(v.NOTE.holds(tokens) & (offset > 1), _TAIL_SLOT, slot)
    slot = np.where(v.SLICES.holds(tokens), _SLICES_SLOT, slot)
    return np.minimum(slot, SLOTS - 1)


def _times(tokens: v.Ids, edges: v.Ids, first: v.Ids) -> v.Ids:
    """Return the time of the events that start at `first`."""
    index = np.arange(len(tokens))
    last_pos = np.maximum.accumulate(np.where(v.POS.holds(tokens), index, -1))
    last_bar = np.maximum.accumulate(np.where(tokens == v.BAR, index, -1))
    bars = np.concatenate(([0], np.cumsum(tokens == v.BAR)))
    begins = edges[np.searchsorted(edges, first, side="right") - 1]
    at = last_pos[first]
    astray = (at < last_bar[first]) | (at < begins) | (last_bar[first] < begins)
    if astray.any():
        place = int(first[astray][0])
        raise BadInput(f"token {place} is {v.name_of(int(tokens[place]))}, an event without BAR and POS", _REMEDY)
    after = tokens[np.minimum(at + 1, len(tokens) - 1)]
    rest = np.where(v.FINE.holds(after), v.fine_rest(after), 0)
    bar = bars[first] - bars[begins] - 1
    return bar * _FINE_PER_BAR + (tokens[at] - v.POS.start) * v.FINE_PER_TICK + rest


_LENGTH = ((v.LENB, True), (v.LENT, True), (v.FINE, False))
_SHAPES: tuple[tuple[v.Span, tuple[tuple[v.Span, bool] | None, ...]], ...] = (
    (v.NOTE, ((v.ANGLE, False), (v.ANGF, False), None, None, None, None)),
    (v.BOMB, (None,) * 6),
    (v.WALL, (*_LENGTH, None, None, None)),
    (v.Span(v.ARC, 1), ((v.NOTE, True), *_LENGTH, (v.NOTE, True), None)),
    (v.Span(v.CHAIN, 1), ((v.NOTE, True), *_LENGTH, (v.NOTE, True), (v.SLICES, True))),
)
"""First token -> what may (False) or must (True) stand in the other slots."""


def _check_starts(tokens: v.Ids, starts: NDArray[np.bool_], member: v.Ids, which: v.Ids) -> None:
    """Refuse tokens of an event with no event before them, or with BAR, POS or EOS in between."""
    outside = ~starts[which[member]]
    breaks = np.cumsum((tokens == v.BAR) | v.POS.holds(tokens) | (tokens <= v.EOS))
    outside |= breaks[member] != breaks[which[member]]
    if outside.any():
        place = int(member[outside][0])
        raise BadInput(f"token {place} is {v.name_of(int(tokens[place]))}, which belongs to no event", _REMEDY)


def _check_rows(slots: NDArray[np.int16], tokens_of_event: v.Ids, first: v.Ids) -> None:
    """Refuse events with a token of the wrong kind, without one they need, or with two in one slot."""
    wrong = (slots != ABSENT).sum(axis=1) != tokens_of_event
    for start, others in _SHAPES:
        rows = start.holds(slots[:, 0])
        for slot, allowed in enumerate(others, start=1):
            present = slots[:, slot] != ABSENT
            if allowed is None:
                wrong |= rows & present
                continue
            span, needed = allowed
            wrong |= rows & np.where(present, ~span.holds(slots[:, slot]), needed)
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        names = " ".join(v.name_of(int(token)) for token in slots[row] if token != ABSENT)
        raise BadInput(f"the event at token {int(first[row])} is {names}, which is no whole object", _REMEDY)


def _starts(sizes: v.Ids) -> v.Ids:
    return np.concatenate(([0], np.cumsum(sizes))).astype(np.int64)
