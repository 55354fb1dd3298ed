"""Which difficulties are left out of training, each with one reason.

Belongs here: the rules, as data and pure functions. Does not belong here: duplicates and splits, which depend on
other songs (`manifest_rows`). A difficulty that cannot be read is a row too; its status is the reason.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

NO_SCORE_WEIGHT = 1.0
DUPLICATE = "duplicate"


@dataclass(frozen=True)
class FilterParams:
    """What a difficulty must be like to be trained on.

    Attributes:
        audio: Leave out what has no audio.
        requirements: Mods a map may require; any other changes how its objects are placed.
        max_off_grid_share: Most notes that may lie off the 1/48 beat, as a share.
        min_timing_ratio: Least onset strength at the notes over that of the whole song.
        min_timing_shift_ms: Least lead of the notes before the onsets.
        max_timing_shift_ms: Most lead of the notes before the onsets.
        max_nps: Most notes per second.
        min_notes: Least notes.
        min_bpm: Least beats per minute at any time.
        max_bpm: Most beats per minute at any time.
        notes_after_audio: Keep maps with notes later than the audio.
        auto_generated: Keep maps that a program made, as far as the source says so.
        characteristics: The ones to keep; empty for all.
        difficulties: The ones to keep; empty for all.
        rotation: Keep maps that turn the player.
        song_time_offset: Keep maps with a time offset, which players of different age apply differently.
        shuffle: Keep maps with the editor's shuffle.
        duplicates: Keep a difficulty that another upload of the same recording has too.
    """

    audio: bool = True
    requirements: tuple[str, ...] = ("Chroma",)
    max_off_grid_share: float = 0.20
    min_timing_ratio: float = 1.3
    min_timing_shift_ms: float = 0.0
    max_timing_shift_ms: float = 80.0
    max_nps: float = 20.0
    min_notes: int = 16
    min_bpm: float = 30.0
    max_bpm: float = 500.0
    notes_after_audio: bool = False
    auto_generated: bool = False
    characteristics: tuple[str, ...] = ()
    difficulties: tuple[str, ...] = ()
    rotation: bool = False
    song_time_offset: bool = False
    shuffle: bool = False
    duplicates: bool = False


@dataclass(frozen=True, slots=True)
class Difficulty:
    """One difficulty of one upload: what the filters and the row need.

    Attributes:
        upload: Key of the upload.
        characteristic: Its canonical name.
        difficulty: Its canonical name.
        song_hash: Identity of the song with all its difficulties.
        beatmap_id: Identity of the objects; None where they cannot be read.
        audio_id: Identity of the recording; None without audio.
        tempo_id: Identity of the tempo map; None where it cannot be read.
        status: `ok`, or why it cannot be read.
        flags: Marks of a readable one: `rotation`, `shuffle`, `song_time_offset`, `notes_after_audio` and others.
        requirements: Mods that the map requires.
        notes: Number of notes; 0 where they cannot be read.
        nps: Notes per second; None for notes at one time.
        off_grid_share: Share of notes off the 1/48 beat.
        timing_ratio: Of the timing audit; None without audio.
        timing_shift_ms: Of the timing audit; None without audio.
        bpm: Base beats per minute.
        bpm_range: Least and most beats per minute at any time.
        auto_generated: Whether the source says that a program made it.
    """

    upload: str
    characteristic: str
    difficulty: str
    song_hash: str
    beatmap_id: str | None
    audio_id: str | None
    tempo_id: str | None
    status: str
    flags: frozenset[str]
    requirements: tuple[str, ...]
    notes: int
    nps: float | None
    off_grid_share: float | None
    timing_ratio: float | None
    timing_shift_ms: float | None
    bpm: float | None
    bpm_range: tuple[float, float] | None
    auto_generated: bool


Rule = Callable[[Difficulty, FilterParams], bool]
"""Says whether a readable difficulty must be left out."""


def reason_to_leave_out(difficulty: Difficulty, filters: FilterParams) -> str:
    """Return the first reason that holds, in the order of `RULES`, or an empty string."""
    if difficulty.beatmap_id is None:
        return difficulty.status
    return next((reason for reason, rule in RULES.items() if rule(difficulty, filters)), "")


def _mistimed(one: Difficulty, filters: FilterParams) -> bool:
    if one.timing_ratio is None or one.timing_shift_ms is None:
        return False
    within = filters.min_timing_shift_ms <= one.timing_shift_ms <= filters.max_timing_shift_ms
    return one.timing_ratio < filters.min_timing_ratio or not within


def _bpm(one: Difficulty, filters: FilterParams) -> bool:
    if one.bpm_range is None:
        return False
    return one.bpm_range[0] < filters.min_bpm or one.bpm_range[1] > filters.max_bpm


def _flagged(flag: str) -> Rule:
    """Return the rule that leaves out what has a flag, unless the params of that name keep it."""
    return lambda one, filters: flag in one.flags and not getattr(filters, flag)


RULES: Mapping[str, Rule] = {
    "no_notes": lambda one, _: one.notes == 0,
    "no_audio": lambda one, filters: filters.audio and one.audio_id is None,
    "requirements": lambda one, filters: not set(one.requirements) <= set(filters.requirements),
    "off_grid": lambda one, filters: (one.off_grid_share or 0.0) > filters.max_off_grid_share,
    "mistimed": _mistimed,
    "nps": lambda one, filters: (one.nps or 0.0) > filters.max_nps,
    "too_few_notes": lambda one, filters: one.notes < filters.min_notes,
    "bpm": _bpm,
    "notes_after_audio": _flagged("notes_after_audio"),
    "auto_generated": lambda one, filters: one.auto_generated and not filters.auto_generated,
    "characteristic": lambda one, filters: (
        bool(filters.characteristics) and one.characteristic not in filters.characteristics
    ),
    "difficulty": lambda one, filters: bool(filters.difficulties) and one.difficulty not in filters.difficulties,
    "rotation": _flagged("rotation"),
    "song_time_offset": _flagged("song_time_offset"),
    "shuffle": _flagged("shuffle"),
}
