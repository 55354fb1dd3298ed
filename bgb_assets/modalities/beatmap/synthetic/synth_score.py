"""Composes made-up songs: tempo, sections, drums, bass, chords and a melody, as events on beats.

Belongs here: what is played when. Does not belong here: how it sounds (`synth_sound.py`) and how it is mapped
(`synth_map.py`). Only `Generator.random` is drawn from, whose stream numpy keeps from version to version.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from bgb_assets.modalities.beatmap.audio.beat_grid import BEATS_PER_BAR
from bgb_assets.modalities.beatmap.formats.tempo import TempoMap, tempo_from_events

T = TypeVar("T")

_TARGET_S = 24.0
_SCALES = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10)}
_PROGRESSIONS = ((0, 4, 5, 3), (5, 3, 0, 4), (0, 5, 3, 4), (0, 3, 5, 4))
# Offsets of the melody's notes in a bar; thirds are triplets.
_MOTIFS = (
    (0.0, 1.0, 1.5, 2.0, 3.0, 3.5),
    (0.0, 0.5, 1.0, 2.0, 2.5, 3.0),
    (0.0, 0.75, 1.5, 2.0, 2.75, 3.5),
    (0.0, 0.5, 0.75, 1.0, 2.0, 2.5, 2.75, 3.0),
    (0.0, 1 / 3, 2 / 3, 1.0, 2.0, 2 + 1 / 3, 2 + 2 / 3, 3.0),
)
_DRUMS: dict[str, dict[str, tuple[float, ...]]] = {
    "intro": {"kick": (0.0,), "hat": (0.0, 1.0, 2.0, 3.0)},
    "verse": {"kick": (0.0, 2.0, 2.5), "snare": (1.0, 3.0), "hat": tuple(k / 2 for k in range(8))},
    "chorus": {"kick": (0.0, 1.0, 2.0, 3.0), "snare": (1.0, 3.0), "hat": tuple(k / 4 for k in range(2, 16, 4))},
    "end": {"kick": (0.0,), "crash": (0.0,)},
}


@dataclass(frozen=True)
class Section:
    """A stretch of bars in one manner: intro, verse, chorus or end."""

    name: str
    first_bar: int
    bars: int


@dataclass(frozen=True)
class Hit:
    """One drum stroke; `drum` is kick, snare, hat or crash."""

    beat: float
    drum: str


@dataclass(frozen=True)
class Tone:
    """One note of an instrument; `voice` is bass, chord or melody, `pitch` a MIDI number."""

    beat: float
    beats: float
    pitch: int
    voice: str


@dataclass(frozen=True)
class Score:
    """A whole song.

    Attributes:
        bpm: Tempo at the beginning.
        changes: (beat, bpm) of each later change.
        sections: In order, without gaps.
        hits: Drum strokes, by beat.
        tones: Notes of the instruments, by beat.
    """

    bpm: float
    changes: tuple[tuple[float, float], ...]
    sections: tuple[Section, ...]
    hits: tuple[Hit, ...]
    tones: tuple[Tone, ...]

    @property
    def beats(self) -> int:
        """Length of the song."""
        return BEATS_PER_BAR * sum(section.bars for section in self.sections)

    @property
    def tempo(self) -> TempoMap:
        """The tempo map of the song."""
        beats, bpms = [beat for beat, _ in self.changes], [bpm for _, bpm in self.changes]
        return tempo_from_events(self.bpm, beats, bpms).tempo


@dataclass(frozen=True)
class Key:
    """Root as a MIDI number, and the semitones of the seven degrees above it."""

    root: int
    scale: tuple[int, ...]

    def pitch(self, degree: int, octave: int = 0) -> int:
        """Return the MIDI number of a degree, 0 being the root; 7 is an octave up."""
        octaves, step = divmod(degree, len(self.scale))
        return self.root + 12 * (octave + octaves) + self.scale[step]


def pick(rng: np.random.Generator, options: Sequence[T]) -> T:
    """Return one of the options."""
    return options[int(rng.random() * len(options))]


def compose(rng: np.random.Generator, with_changes: bool) -> Score:
    """Return a song of about 24 s, with one or two changes of tempo or with none."""
    bpm = float(86 + int(rng.random() * 84))
    sections = _sections(max(8, round(_TARGET_S * bpm / 60.0 / BEATS_PER_BAR)))
    changes = _changes(rng, bpm, sections) if with_changes else ()
    hits = [hit for section in sections for hit in _drums(rng, section)]
    tones = _instruments(rng, sections)
    hits.sort(key=lambda hit: hit.beat)
    tones.sort(key=lambda tone: tone.beat)
    return Score(bpm, changes, sections, tuple(hits), tuple(tones))


def _sections(bars: int) -> tuple[Section, ...]:
    """Two bars of intro, verses and choruses of four, one bar of end."""
    sections, first, names = [Section("intro", 0, 2)], 2, ("verse", "chorus")
    while first < bars - 1:
        length = min(4, bars - 1 - first)
        sections.append(Section(names[len(sections) % 2 - 1], first, length))
        first += length
    return (*sections, Section("end", first, 1))


def _changes(rng: np.random.Generator, bpm: float, sections: tuple[Section, ...]) -> tuple[tuple[float, float], ...]:
    """Change the tempo where a chorus begins, and in half the songs back where it ends."""
    chorus = next(index for index, section in enumerate(sections) if section.name == "chorus")
    other = round(bpm * pick(rng, (0.8, 0.9, 1.1, 1.25)) * 2) / 2
    changes = [(float(sections[chorus].first_bar * BEATS_PER_BAR), other)]
    if rng.random() < 0.5:
        changes.append((float(sections[chorus + 1].first_bar * BEATS_PER_BAR), bpm))
    return tuple(changes)


def _drums(rng: np.random.Generator, section: Section) -> list[Hit]:
    hits = []
    for bar in range(section.first_bar, section.first_bar + section.bars):
        start = float(bar * BEATS_PER_BAR)
        pattern = _DRUMS[section.name]
        hits += [Hit(start + offset, drum) for drum, offsets in pattern.items() for offset in offsets]
    if section.name == "chorus":
        hits.append(Hit(float(section.first_bar * BEATS_PER_BAR), "crash"))
    if section.name in ("verse", "chorus"):
        last = float((section.first_bar + section.bars) * BEATS_PER_BAR)
        fill = pick(rng, ((1.0, 0.75, 0.5, 0.25), (1.0, 0.5), (0.75, 0.5, 0.25)))
        present = {hit.beat for hit in hits if hit.drum == "snare"}
        hits += [Hit(last - before, "snare") for before in fill if last - before not in present]
    return hits


def _instruments(rng: np.random.Generator, sections: tuple[Section, ...]) -> list[Tone]:
    key = Key(45 + int(rng.random() * 10), _SCALES[pick(rng, ("major", "minor"))])
    progression = pick(rng, _PROGRESSIONS)
    motifs = {name: (pick(rng, _MOTIFS), pick(rng, _MOTIFS)) for name in ("verse", "chorus")}
    tones: list[Tone] = []
    degree = 7
    for section in sections:
        for index in range(section.bars):
            start = float((section.first_bar + index) * BEATS_PER_BAR)
            chord = 0 if section.name == "end" else progression[index % len(progression)]
            tones += _harmony(key, start, chord, section.name)
            if section.name in motifs:
                # Three bars of one motif, then its answer.
                motif = motifs[section.name][index % 4 == 3]
                degrees = _melody(rng, motif, chord, degree)
                degree = degrees[-1]
                ends = (*motif[1:], float(BEATS_PER_BAR))
                tones += [
                    Tone(start + offset, 0.9 * (end - offset), key.pitch(step, octave=1), "melody")
                    for offset, end, step in zip(motif, ends, degrees, strict=True)
                ]
    return tones


def _harmony(key: Key, start: float, chord: int, section: str) -> list[Tone]:
    chords = [Tone(start, 3.9, key.pitch(chord + step, octave=1), "chord") for step in (0, 2, 4)]
    if section == "intro":
        return chords
    step = 0.5 if section == "chorus" else 1.0
    count = 1 if section == "end" else round(BEATS_PER_BAR / step)
    length = 3.0 if section == "end" else 0.9 * step
    return chords + [Tone(start + k * step, length, key.pitch(chord, octave=-1), "bass") for k in range(count)]


def _melody(rng: np.random.Generator, motif: tuple[float, ...], chord: int, degree: int) -> list[int]:
    """Walk along the scale from a degree; on whole beats go to the nearest note of the chord."""
    degrees = []
    of_chord = [chord + 7 * octave + step for octave in (0, 1) for step in (0, 2, 4)]
    for offset in motif:
        degree = min(13, max(4, degree + pick(rng, (-2, -1, -1, 0, 1, 1, 2))))
        if offset == int(offset):
            wanted = degree
            degree = min(of_chord, key=lambda near: (abs(near - wanted), near))
        degrees.append(degree)
    return degrees
