"""Which token may come next: whatever a model prefers, what it writes is a map.

The rules: BAR until the window has its bars, then EOS; POS rises within a bar; each POS has an event; events in
canonical order; one note or bomb in a cell and tick; at most three notes of a hand in a tick; one saber and no arrows
where the characteristic says so; arcs and chains start at a note of their tick and keep its colour; full walls leave
a lane free.

Belongs here: the state of one sequence and its mask. Does not belong here: probabilities (`decoding`, next in the
flow) and what the tokens stand for (`tokenizer`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from bgb_assets.modalities.beatmap.formats.objects import PLAYED_KINDS
from bgb_assets.modalities.beatmap.sequences import vocabulary as v
from bgb_assets.runtime.errors import BadInput

Mask = NDArray[np.bool_]

MAX_NOTES_OF_A_HAND = 3

_CELLS = v.COLUMNS * v.ROWS
_NOTES, _BOMBS, _WALLS, _ARCS, _CHAINS = range(len(PLAYED_KINDS))
_ALL_LANES = (1 << v.COLUMNS) - 1


@dataclass(frozen=True)
class Rules:
    """What one window may hold.

    Attributes:
        bars: BARs of the window.
        characteristic: `OneSaber` allows the right hand only, `NoArrows` notes of any direction only.
        kinds: Kinds of objects that the model has seen.
        fine: The sequence may hold FINE and ANGF.
    """

    bars: int
    characteristic: str = "Standard"
    kinds: Sequence[str] = PLAYED_KINDS
    fine: bool = False


class Grammar:
    """The state of one sequence after its header.

    `mask` says what may come next; `push` takes the choice. `bar` is the
    bar it is in, -1 before the first.
    """

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.bar = -1
        self.done = False
        self._allowed = _allowed_notes(rules)
        self._kinds = [kind in rules.kinds for kind in PLAYED_KINDS]
        self._next: Callable[[Mask], None] = self._structure
        self._pos, self._rest = -1, v.MIN_FINE - 1
        self._wall_lanes, self._wall_ticks = 0, 0
        self._lane_ends = [0] * v.COLUMNS
        self._color, self._curve = 0, v.ARC
        self._new_tick()

    def mask(self) -> Mask:
        """Return which of the 832 tokens may come next; at least one, until EOS."""
        mask = np.zeros(v.SIZE, np.bool_)
        if not self.done:
            self._next(mask)
        return mask

    @property
    def in_curve(self) -> bool:
        """Whether a NOTE now would be the head or the tail of an arc or a chain."""
        return self._next in (self._tail, self._head)

    def push(self, token: int) -> None:
        """Take the next token.

        Raises:
            BadInput: The grammar does not allow it here.
        """
        if not self.mask()[token]:
            raise BadInput(f"{v.name_of(token)} is not allowed in bar {self.bar}", "choose among the tokens of mask()")
        self.advance(token)

    def advance(self, token: int) -> None:
        """Take the next token, known to be one that `mask` allows."""
        if token == v.BAR:
            self.bar += 1
            self._pos, self._rest = -1, v.MIN_FINE - 1
            self._new_tick()
            self._next = self._structure
        elif token == v.EOS:
            self.done = True
        elif v.POS.start <= token < v.POS.stop:
            self._open(token - v.POS.start)
        elif token >= v.FINE.start:
            self._detail(token)
        elif self.in_curve:
            self._curve_note(token)
        elif token >= v.LENB.start:
            self._length(token)
        else:
            self._event(token)

    # What each state allows.

    def _structure(self, mask: Mask) -> None:
        """After the header or a BAR: BAR, POS or the end."""
        if self.bar + 1 < self.rules.bars:
            mask[v.BAR] = True
        else:
            mask[v.EOS] = True
        if self.bar < 0:
            return
        mask[v.POS.start + self._pos + 1 : v.POS.stop] = True
        if self.rules.fine and self._pos >= 0 and self._rest < v.MAX_FINE:
            mask[v.POS.start + self._pos] = self._room_left()

    def _continue(self, mask: Mask) -> None:
        """After a whole event."""
        self._structure(mask)
        self._events(mask)

    def _angle(self, mask: Mask) -> None:
        """After a NOTE."""
        self._continue(mask)
        mask[v.ANGLE.slice] = True
        mask[v.ANGF.slice] = self.rules.fine

    def _angle_rest(self, mask: Mask) -> None:
        """After an ANGLE."""
        self._continue(mask)
        mask[v.ANGF.slice] = self.rules.fine

    def _after_pos(self, mask: Mask) -> None:
        """FINE above the last one of this tick, or an event where rest 0 is above it."""
        if self.rules.fine:
            lowest = max(self._rest + 1, 0 if self.bar == 0 and self._pos == 0 else v.MIN_FINE)
            rests = np.array([rest for rest in range(lowest, v.MAX_FINE + 1) if rest], np.int64)
            mask[v.fine_ids(rests)] = True
        if self._rest < 0:
            self._events(mask)

    def _events(self, mask: Mask) -> None:
        """The events that may follow in canonical order."""
        stage, kinds = self._stage, self._kinds
        if kinds[_NOTES] and stage == _NOTES:
            mask[v.NOTE.slice] = self._free.reshape(-1)
            mask[v.NOTE.start : self._from] = False
        if kinds[_BOMBS] and stage <= _BOMBS:
            mask[v.BOMB.slice] = ~self._taken
            if stage == _BOMBS:
                mask[v.BOMB.start : self._from] = False
        if kinds[_WALLS] and stage <= _WALLS:
            mask[v.WALL.slice] = _walls_beside(self._blocked())
            if stage == _WALLS:
                mask[v.WALL.start : self._from] = False
        if kinds[_ARCS] and stage <= _ARCS:
            mask[v.ARC] = len(self._heads(_ARCS)) > 0
        if kinds[_CHAINS]:
            mask[v.CHAIN] = len(self._heads(_CHAINS)) > 0

    def _head(self, mask: Mask) -> None:
        mask[self._heads(_ARCS if self._curve == v.ARC else _CHAINS)] = True

    def _length_beats(self, mask: Mask) -> None:
        mask[v.LENB.slice] = True

    def _length_ticks(self, mask: Mask) -> None:
        mask[v.LENT.slice] = True

    def _wall_end(self, mask: Mask) -> None:
        self._continue(mask)
        self._length_rest(mask)

    def _tail(self, mask: Mask) -> None:
        if not self._rest_written:
            self._length_rest(mask)
        hand = mask[v.NOTE.slice].reshape(2, _CELLS, v.DIRECTIONS)[self._color]
        only_dots = self._curve == v.CHAIN or self.rules.characteristic == "NoArrows"
        hand[:, v.ANY_DIRECTION if only_dots else slice(None)] = True

    def _slices(self, mask: Mask) -> None:
        mask[v.SLICES.slice] = True

    def _length_rest(self, mask: Mask) -> None:
        """FINE of a length: never below 0 beats."""
        if self.rules.fine:
            mask[v.FINE.slice] = True
            if self._wall_ticks == 0:
                mask[v.FINE.start : v.FINE.start - v.MIN_FINE] = False

    # What each token does.

    def _open(self, pos: int) -> None:
        if pos != self._pos:
            self._new_tick()
            self._pos = pos
        else:
            self._new_group()
        self._next = self._after_pos

    def _detail(self, token: int) -> None:
        """FINE, ANGLE or ANGF."""
        if token >= v.ANGF.start:
            self._next = self._continue
        elif token >= v.ANGLE.start:
            self._next = self._angle_rest
        elif self._next == self._after_pos:
            self._rest = int(v.fine_rest(token))
            self._in_group = True
            self._next = self._events
        elif self._next == self._tail:
            self._rest_written = True
        else:
            self._next = self._continue

    def _event(self, token: int) -> None:
        if not self._in_group:
            self._rest, self._in_group = 0, True
        if token in (v.ARC, v.CHAIN):
            self._curve = token
            self._enter(_ARCS if token == v.ARC else _CHAINS, v.NOTE.start)
            self._next = self._head
        elif token >= v.WALL.start:
            self._enter(_WALLS, token + 1)
            x, width, crouch = (int(field) for field in v.wall_fields(token))
            self._wall_lanes = 0 if crouch else ((1 << width) - 1) << x
            self._next = self._length_beats
        elif token >= v.BOMB.start:
            self._enter(_BOMBS, token + 1)
            self._take(token - v.BOMB.start)
            self._next = self._continue
        else:
            self._note(token)

    def _note(self, token: int) -> None:
        color, cell = divmod((token - v.NOTE.start) // v.DIRECTIONS, _CELLS)
        self._enter(_NOTES, token + 1)
        self._take(cell)
        self._hands[color] += 1
        if self._hands[color] == MAX_NOTES_OF_A_HAND:
            self._free[color] = False
        self._notes.append(token)
        self._next = self._angle

    def _curve_note(self, token: int) -> None:
        if self._next == self._head:
            self._from = token + 1
            self._color = int(token >= v.NOTE.start + v.NOTES_PER_COLOR)
            self._rest_written = False
            self._next = self._length_beats
        else:
            self._next = self._slices if self._curve == v.CHAIN else self._continue

    def _length(self, token: int) -> None:
        """LENB, LENT or SLICES."""
        if token >= v.SLICES.start:
            self._next = self._continue
        elif token < v.LENT.start:
            self._wall_ticks = (token - v.LENB.start) * v.TICKS_PER_BEAT
            self._next = self._length_ticks
        else:
            self._wall_ticks += token - v.LENT.start
            if self._stage == _WALLS:
                self._block()
                self._next = self._wall_end
            else:
                self._next = self._tail

    # The state of the tick.

    def _new_tick(self) -> None:
        self._free = self._allowed.copy()
        self._taken = np.zeros(_CELLS, np.bool_)
        self._hands = [0, 0]
        self._rest = v.MIN_FINE - 1
        self._new_group()

    def _new_group(self) -> None:
        """Begin the events of one time: in fine mode a tick may hold several times."""
        self._stage, self._from = _NOTES, v.NOTE.start
        self._notes: list[int] = []
        self._in_group = False
        self._rest_written = False

    def _enter(self, stage: int, lowest: int) -> None:
        same = stage == self._stage and stage in (_ARCS, _CHAINS)
        self._stage, self._from = stage, self._from if same else lowest

    def _take(self, cell: int) -> None:
        self._taken[cell] = True
        self._free[:, cell] = False

    def _heads(self, stage: int) -> list[int]:
        """Return the notes of the tick that an arc or a chain may still start at."""
        lowest = self._from if self._stage == stage else v.NOTE.start
        return [note for note in self._notes if note >= lowest]

    def _room_left(self) -> bool:
        """Say whether another time of this tick could hold an event."""
        notes = self._kinds[_NOTES] and bool(self._free.any())
        bombs = self._kinds[_BOMBS] and not bool(self._taken.all())
        return notes or bombs

    def _now(self) -> int:
        return self.bar * v.TICKS_PER_BAR + self._pos

    def _blocked(self) -> int:
        now = self._now()
        return sum(1 << lane for lane, end in enumerate(self._lane_ends) if end > now)

    def _block(self) -> None:
        """Close the lanes of a full wall until the tick in which it ends, at least for its own."""
        end = self._now() + self._wall_ticks + 1
        for lane in range(v.COLUMNS):
            if self._wall_lanes >> lane & 1:
                self._lane_ends[lane] = max(self._lane_ends[lane], end)


def _allowed_notes(rules: Rules) -> Mask:
    """Return which notes the characteristic has: (hand, cell, direction)."""
    allowed = np.ones((2, _CELLS, v.DIRECTIONS), np.bool_)
    if rules.characteristic == "OneSaber":
        allowed[0] = False
    if rules.characteristic == "NoArrows":
        allowed[:, :, : v.ANY_DIRECTION] = False
    return allowed


@cache
def _walls_beside(blocked: int) -> Mask:
    """Return the walls that leave a lane free beside those that stand; the array is shared."""
    x, width, crouch = v.wall_fields(np.arange(v.WALL.start, v.WALL.stop))
    lanes = np.where(crouch == 1, 0, ((1 << width) - 1) << x)
    free: Mask = (lanes | blocked) != _ALL_LANES
    free.setflags(write=False)
    return free
