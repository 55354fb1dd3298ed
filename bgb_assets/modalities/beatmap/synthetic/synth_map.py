"""Maps a score for two hands as people do: on what is heard, each hand swinging to and fro.

Belongs here: which notes, bombs, walls, arcs and chains a made-up map has. Does not belong here: the music
(`synth_score.py`) and the files (`synth_files.py`).

A hand's swings alternate between down and up, so that no swing starts where the one before has just come from;
only after a rest of a second may a hand swing the same way again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from bgb_assets.modalities.beatmap.formats.tempo import TempoMap
from bgb_assets.modalities.beatmap.synthetic.synth_score import Score, pick

LEFT, RIGHT = 0, 1

_FIRST_NOTE_S = 2.0
_RESET_S = 1.0
_DOWN_CUTS = ((1, 1, 1, 6, 7), (1, 1, 1, 7, 6))
_UP_CUTS = ((0, 0, 0, 4, 5), (0, 0, 0, 5, 4))
_LANES = ((0, 1, 1), (3, 2, 2))
_WEIGHTS = {"melody": 3.0, "snare": 2.0, "kick": 1.0, "crash": 4.0, "bass": 0.5}


@dataclass(frozen=True)
class Manner:
    """How dense a difficulty is.

    Attributes:
        name: The difficulty.
        steps_per_beat: Positions within a beat that it uses.
        weight: What an event must weigh to be mapped: see the voices' weights.
        gap_s: Least time between two notes of the map that are not at once.
        extras: Whether it has bombs, arcs and chains.
    """

    name: str
    steps_per_beat: tuple[int, ...]
    weight: float
    gap_s: float
    extras: bool


MANNERS = (
    Manner("Normal", (1,), 2.0, 0.40, False),
    Manner("Hard", (2,), 2.0, 0.18, True),
    Manner("Expert", (3, 4), 0.5, 0.09, True),
)


@dataclass(frozen=True)
class Note:
    """One note to cut."""

    beat: float
    hand: int
    x: int
    y: int
    cut: int


@dataclass(frozen=True)
class Wall:
    """A full-height wall, one lane wide."""

    beat: float
    beats: float
    x: int


@dataclass(frozen=True)
class Map:
    """One difficulty: `arcs` and `chains` are (head, tail) where a chain's tail is no note of its own."""

    notes: tuple[Note, ...]
    bombs: tuple[Note, ...]
    walls: tuple[Wall, ...]
    arcs: tuple[tuple[Note, Note], ...]
    chains: tuple[tuple[Note, Note], ...]


def draw_map(score: Score, manner: Manner, rng: np.random.Generator) -> Map:
    """Return a map of the score, the same for the same generator state."""
    tempo = score.tempo
    weights = _heard(score)
    beats = _mapped_beats(weights, tempo, manner)
    notes = _swing(beats, weights, tempo, rng)
    arcs = _arcs(notes, rng) if manner.extras else ()
    held = {head for head, _ in arcs}
    chains = _chains([note for note in notes if note not in held], notes, rng) if manner.extras else ()
    bombs = _bombs(notes, rng) if manner.extras else ()
    return Map(notes, bombs, _walls(score, notes, bombs), arcs, chains)


def _heard(score: Score) -> dict[float, float]:
    """Return beat -> weight of all that begins there."""
    weights: dict[float, float] = {}
    for hit in score.hits:
        weights[hit.beat] = weights.get(hit.beat, 0.0) + _WEIGHTS.get(hit.drum, 0.0)
    for tone in score.tones:
        weights[tone.beat] = weights.get(tone.beat, 0.0) + _WEIGHTS.get(tone.voice, 0.0)
    return weights


def _mapped_beats(weights: dict[float, float], tempo: TempoMap, manner: Manner) -> list[float]:
    chosen: list[float] = []
    last_s = -np.inf
    for beat in sorted(weights):
        on_grid = any(abs(beat * steps - round(beat * steps)) < 1e-9 for steps in manner.steps_per_beat)
        at_s = float(tempo.time(beat))
        if on_grid and weights[beat] >= manner.weight and at_s >= _FIRST_NOTE_S and at_s - last_s >= manner.gap_s:
            chosen.append(beat)
            last_s = at_s
    return chosen


class _Hand:
    """Where one hand is in its to and fro."""

    def __init__(self, hand: int) -> None:
        self.hand = hand
        self.down_next = True
        self.last_s = -np.inf

    def cut(self, beat: float, at_s: float, rng: np.random.Generator) -> Note:
        """Return the hand's next note; a rest of a second lets it begin anew from above."""
        if at_s - self.last_s >= _RESET_S and rng.random() < 0.5:
            self.down_next = True
        cuts, layers = (_DOWN_CUTS, (0, 0, 0, 0, 1)) if self.down_next else (_UP_CUTS, (2, 2, 1, 1, 0))
        layer = pick(rng, layers)
        # In the middle row only the outer lanes: a note before the eyes hides what follows.
        lane = _LANES[self.hand][0] if layer == 1 else pick(rng, _LANES[self.hand])
        note = Note(beat, self.hand, lane, layer, pick(rng, cuts[self.hand]))
        self.down_next = not self.down_next
        self.last_s = at_s
        return note


def _swing(
    beats: Sequence[float], weights: dict[float, float], tempo: TempoMap, rng: np.random.Generator
) -> tuple[Note, ...]:
    """Hands take turns; both strike at once where the music is strongest, on whole beats."""
    hands = (_Hand(LEFT), _Hand(RIGHT))
    notes: list[Note] = []
    turn, last = RIGHT, -np.inf
    for beat in beats:
        at_s = float(tempo.time(beat))
        both = weights[beat] >= 6.0 and beat == int(beat) and beat - last >= 0.5
        rested = beat - last >= 1.0
        for hand in (LEFT, RIGHT) if both else (turn,):
            notes.append(hands[hand].cut(beat, at_s, rng))
        if not (rested and rng.random() < 0.15):
            turn = 1 - turn
        last = beat
    return tuple(notes)


def _next_of_hand(notes: Sequence[Note]) -> list[tuple[Note, Note]]:
    """Return each note with the next one of its hand."""
    pairs = []
    for hand in (LEFT, RIGHT):
        own = [note for note in notes if note.hand == hand]
        pairs += list(pairwise(own))
    return sorted(pairs, key=lambda pair: (pair[0].beat, pair[0].hand))


def _arcs(notes: Sequence[Note], rng: np.random.Generator) -> tuple[tuple[Note, Note], ...]:
    """Join a note to the next of its hand where a beat or more lies between them, one time in four."""
    apart = [(head, tail) for head, tail in _next_of_hand(notes) if 1.0 <= tail.beat - head.beat <= 4.0]
    return tuple(pair for pair in apart if rng.random() < 0.25)


def _chains(free: Sequence[Note], notes: Sequence[Note], rng: np.random.Generator) -> tuple[tuple[Note, Note], ...]:
    """Lengthen an upward cut from the bottom row into a chain of a quarter beat, one time in three."""
    following = {head: after.beat for head, after in _next_of_hand(notes)}
    taken = {(note.beat, note.x) for note in notes}
    chains = []
    for head in free:
        room = following.get(head, np.inf) - head.beat >= 1.0 and (head.beat + 0.25, head.x) not in taken
        if head.cut == 0 and head.y == 0 and room and rng.random() < 1 / 3:
            chains.append((head, Note(head.beat + 0.25, head.hand, head.x, 2, 8)))
    return tuple(chains)


def _bombs(notes: Sequence[Note], rng: np.random.Generator) -> tuple[Note, ...]:
    """Put a bomb into the middle of some rests of a beat or more, on the inner lane of the hand before."""
    bombs = []
    for before, after in pairwise(notes):
        if after.beat - before.beat >= 1.0 and rng.random() < 0.2:
            bombs.append(Note((before.beat + after.beat) / 2, -1, (1, 2)[before.hand], 0, 8))
    return tuple(bombs)


def _walls(score: Score, notes: Sequence[Note], bombs: Sequence[Note]) -> tuple[Wall, ...]:
    """Stand a wall of two beats on an outer lane of each bar of verse that leaves the lane free."""
    walls = []
    for section in score.sections:
        for bar in range(section.first_bar, section.first_bar + section.bars):
            start = 4.0 * bar
            busy = {note.x for note in (*notes, *bombs) if start - 0.5 <= note.beat <= start + 2.5}
            free = [x for x in (0, 3) if x not in busy]
            if section.name == "verse" and free:
                walls.append(Wall(start, 2.0, free[bar % len(free)]))
    return tuple(walls)
