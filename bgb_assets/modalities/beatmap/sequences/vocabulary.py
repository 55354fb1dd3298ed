"""The 832 token ids: which number means what, and the left-right mirror of every id.

Belongs here: id ranges, names, and the arithmetic between a value and its id. Does not belong here: the order of
tokens in a sequence (`tokenizer` writes it, `grammar` enforces it). Next in the flow: `tokenizer`.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bgb_assets.modalities.beatmap.formats.naming import DIFFICULTIES
from bgb_assets.runtime.errors import BadInput

Ids = NDArray[np.int64]

SIZE = 832
TICKS_PER_BEAT = 48
BEATS_PER_BAR = 4
TICKS_PER_BAR = TICKS_PER_BEAT * BEATS_PER_BAR
FINE_PER_TICK = 20
FINE_PER_BEAT = TICKS_PER_BEAT * FINE_PER_TICK
FRAMES_PER_BEAT = 16
FRAMES_PER_BAR = FRAMES_PER_BEAT * BEATS_PER_BAR
TICKS_PER_FRAME = TICKS_PER_BEAT // FRAMES_PER_BEAT
HEADER_LENGTH = 6
"""BOS and the five conditions."""

COLUMNS, ROWS, DIRECTIONS = 4, 3, 9
ANY_DIRECTION = 8
CHARACTERISTICS = ("Standard", "OneSaber", "NoArrows", "360Degree", "90Degree", "Legacy", "Lawless")
QUALITY_EDGES = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
MIN_ANGLE_DEG, MAX_ANGLE_DEG, ANGLE_STEP_DEG = -175, 180, 5
MAX_ANGLE_REST_DEG = 2
MIN_FINE, MAX_FINE = -9, 10
MAX_LENGTH_BEATS = 64
MAX_SLICES = 32


@dataclass(frozen=True)
class Span:
    """Consecutive ids of one meaning.

    Attributes:
        start: First id.
        count: How many.
    """

    start: int
    count: int

    @property
    def stop(self) -> int:
        """One past the last id."""
        return self.start + self.count

    @property
    def slice(self) -> slice:
        """The ids as a slice of an array over the vocabulary."""
        return slice(self.start, self.stop)

    def holds(self, ids: ArrayLike) -> NDArray[np.bool_]:
        """Say which ids are of this meaning."""
        array = np.asarray(ids)
        return (array >= self.start) & (array < self.stop)


PAD, BOS, EOS, BAR = 0, 1, 2, 3
DIFF = Span(5, 5)
CHAR = Span(11, 8)
NPS = Span(20, 32)
TEMPO = Span(53, 32)
QUAL = Span(86, 8)
POS = Span(96, TICKS_PER_BAR)
NOTE = Span(288, 216)
BOMB = Span(504, 12)
WALL = Span(516, 20)
ARC, CHAIN = 536, 537
LENB = Span(538, MAX_LENGTH_BEATS)
LENT = Span(602, TICKS_PER_BEAT)
SLICES = Span(650, MAX_SLICES)
FINE = Span(682, 19)
ANGLE = Span(701, 71)
ANGF = Span(772, 4)

CONDITIONS = (DIFF, CHAR, NPS, TEMPO, QUAL)
"""The header after BOS, in order; one past the end of each is its ANY."""

CONDITION_COLUMNS = ("token_difficulty", "token_characteristic", "token_nps", "token_tempo", "token_quality")
"""Columns of `samples.parquet` with a sample's conditions, in the same order."""

NOTES_PER_COLOR = COLUMNS * ROWS * DIRECTIONS
WALLS_PER_KIND = 10
WALL_X_OFFSETS = (0, 4, 7, 9)
WALL_SHAPES = ((0, 5), (2, 3))
"""(y, height) of a full and a crouch wall."""


def any_of(condition: Span) -> int:
    """Return the id that leaves a condition open."""
    return condition.stop


def difficulty_id(name: str) -> int:
    """Return DIFF of a canonical name.

    Raises:
        BadInput: The name is not one of the five.
    """
    if name not in DIFFICULTIES:
        raise BadInput(f"difficulty must be one of {', '.join(DIFFICULTIES)}, got {name!r}", "use a canonical name")
    return DIFF.start + DIFFICULTIES.index(name)


def characteristic_id(name: str) -> int:
    """Return CHAR of a characteristic; unknown ones share one id."""
    known = CHARACTERISTICS.index(name) if name in CHARACTERISTICS else len(CHARACTERISTICS)
    return CHAR.start + known


def nps_ids(notes_per_s: ArrayLike) -> Ids:
    """Return NPS: half a note per second a step."""
    return NPS.start + np.clip(np.floor(2.0 * np.asarray(notes_per_s, np.float64)), 0, 31).astype(np.int64)


def tempo_ids(bpm: ArrayLike) -> Ids:
    """Return TEMPO: ten beats per minute a step from 40."""
    return TEMPO.start + np.clip(np.floor((np.asarray(bpm, np.float64) - 40.0) / 10.0), 0, 31).astype(np.int64)


def quality_id(score: float | None, official: bool = False) -> int:
    """Return QUAL of a popularity score in [0, 1]; without one it is left open."""
    if official:
        return QUAL.start + len(QUALITY_EDGES) + 1
    if score is None:
        return any_of(QUAL)
    return QUAL.start + int(np.searchsorted(QUALITY_EDGES, score, side="right"))


def note_ids(color: ArrayLike, x: ArrayLike, y: ArrayLike, direction: ArrayLike) -> Ids:
    """Return NOTE of notes inside the grid."""
    cell = np.asarray(x, np.int64) * ROWS + np.asarray(y, np.int64)
    place: Ids = np.asarray(color, np.int64) * COLUMNS * ROWS + cell
    return NOTE.start + place * DIRECTIONS + np.asarray(direction, np.int64)


def note_fields(ids: ArrayLike) -> tuple[Ids, Ids, Ids, Ids]:
    """Return color, x, y and cut direction of NOTE ids."""
    value = np.asarray(ids, np.int64) - NOTE.start
    cell, direction = value // DIRECTIONS, value % DIRECTIONS
    return cell // (COLUMNS * ROWS), cell // ROWS % COLUMNS, cell % ROWS, direction


def bomb_ids(x: ArrayLike, y: ArrayLike) -> Ids:
    """Return BOMB of bombs inside the grid."""
    return BOMB.start + np.asarray(x, np.int64) * ROWS + np.asarray(y, np.int64)


def wall_ids(x: ArrayLike, width: ArrayLike, crouch: ArrayLike) -> Ids:
    """Return WALL of walls inside the grid: x + width <= 4, width >= 1."""
    offset: Ids = np.array(WALL_X_OFFSETS, np.int64)[np.asarray(x, np.int64)]
    return WALL.start + WALLS_PER_KIND * np.asarray(crouch, np.int64) + offset + np.asarray(width, np.int64) - 1


def wall_fields(ids: ArrayLike) -> tuple[Ids, Ids, Ids]:
    """Return x, width and whether one must crouch of WALL ids."""
    crouch, shape = np.divmod(np.asarray(ids, np.int64) - WALL.start, WALLS_PER_KIND)
    x = np.searchsorted(WALL_X_OFFSETS, shape, side="right") - 1
    return x, shape - np.array(WALL_X_OFFSETS)[x] + 1, crouch


def fine_ids(rest: ArrayLike) -> Ids:
    """Return FINE of rests other than 0, in 1/960 beat."""
    value = np.asarray(rest, np.int64)
    return FINE.start + value - MIN_FINE - (value > 0)


def fine_rest(ids: ArrayLike) -> Ids:
    """Return the rest in 1/960 beat of FINE ids."""
    value = np.asarray(ids, np.int64) - FINE.start + MIN_FINE
    return value + (value >= 0)


def angle_ids(degrees: ArrayLike) -> Ids:
    """Return ANGLE of multiples of 5 other than 0."""
    value = np.asarray(degrees, np.int64)
    return ANGLE.start + (value - MIN_ANGLE_DEG) // ANGLE_STEP_DEG - (value > 0)


def angle_degrees(ids: ArrayLike) -> Ids:
    """Return the degrees of ANGLE ids."""
    value = (np.asarray(ids, np.int64) - ANGLE.start) * ANGLE_STEP_DEG + MIN_ANGLE_DEG
    return value + ANGLE_STEP_DEG * (value >= 0)


def angle_rest_ids(rest: ArrayLike) -> Ids:
    """Return ANGF of rests of -2, -1, 1 or 2 degrees."""
    value = np.asarray(rest, np.int64)
    return ANGF.start + value + MAX_ANGLE_REST_DEG - (value > 0)


def angle_rests(ids: ArrayLike) -> Ids:
    """Return the degrees of ANGF ids."""
    value = np.asarray(ids, np.int64) - ANGF.start - MAX_ANGLE_REST_DEG
    return value + (value >= 0)


def mirror_table() -> NDArray[np.int16]:
    """Return the id permutation that swaps left and right: colours, columns, cuts, walls and angles."""
    table = np.arange(SIZE)
    color, x, y, direction = note_fields(np.arange(NOTE.start, NOTE.stop))
    swapped_cut = np.array([0, 1, 3, 2, 5, 4, 7, 6, 8])
    table[NOTE.slice] = note_ids(1 - color, COLUMNS - 1 - x, y, swapped_cut[direction])
    cell = np.arange(BOMB.count)
    table[BOMB.slice] = bomb_ids(COLUMNS - 1 - cell // ROWS, cell % ROWS)
    x, width, crouch = wall_fields(np.arange(WALL.start, WALL.stop))
    table[WALL.slice] = wall_ids(COLUMNS - x - width, width, crouch)
    degrees = angle_degrees(np.arange(ANGLE.start, ANGLE.stop))
    table[ANGLE.slice] = angle_ids(np.where(degrees == MAX_ANGLE_DEG, degrees, -degrees))
    table[ANGF.slice] = angle_rest_ids(-angle_rests(np.arange(ANGF.start, ANGF.stop)))
    return table.astype(np.int16)


def digest() -> str:
    """Return the SHA-256 of the vocabulary: a model belongs to the one it was trained on."""
    return hashlib.sha256(repr(sorted(named_spans().items())).encode()).hexdigest()


def named_spans() -> Mapping[str, tuple[int, int]]:
    """Return name -> (first id, count) of every meaning."""
    spans = {"DIFF": DIFF, "CHAR": CHAR, "NPS": NPS, "TEMPO": TEMPO, "QUAL": QUAL, "POS": POS, "NOTE": NOTE}
    spans |= {"BOMB": BOMB, "WALL": WALL, "LENB": LENB, "LENT": LENT, "SLICES": SLICES, "FINE": FINE}
    spans |= {"ANGLE": ANGLE, "ANGF": ANGF}
    single = {"PAD": PAD, "BOS": BOS, "EOS": EOS, "BAR": BAR, "ARC": ARC, "CHAIN": CHAIN}
    single |= {f"{name}_ANY": any_of(spans[name]) for name in ("DIFF", "CHAR", "NPS", "TEMPO", "QUAL")}
    return {name: (span.start, span.count) for name, span in spans.items()} | {
        name: (value, 1) for name, value in single.items()
    }


def name_of(token: int) -> str:
    """Return a token's name: `POS_24`, `BAR`, `DIFF_ANY`."""
    for name, (start, count) in named_spans().items():
        if start <= token < start + count:
            return name if count == 1 else f"{name}_{token - start}"
    raise BadInput(f"token {token!r} has no meaning", f"tokens are 0 to {SIZE - 1}, reserved ones left out")
