"""Gives players time before the first note: whole beats of silence in front, everything moved by as much.

Belongs here: how many beats, and moving objects and tempo. Does not belong here: the silence in the audio
(`export_audio.game_audio`) and writing files. Next in the flow: `export`.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from bgb_assets.modalities.beatmap.formats.objects import Objects, count
from bgb_assets.modalities.beatmap.formats.tempo import TempoMap, tempo_from_events
from bgb_assets.modalities.beatmap.writing.lights import Lights
from bgb_assets.modalities.beatmap.writing.song_to_write import DifficultyToWrite, SongToWrite
from bgb_assets.runtime.errors import ContractError

MIN_FIRST_NOTE_S = 2.0

_MOVED = ("beat", "tail_beat")
_ROUNDING = 1e-9


@dataclass(frozen=True)
class LeadIn:
    """A song with its first note late enough.

    Attributes:
        song: The song, moved; its audio is as it was.
        silence_s: What must be put in front of the audio; whole beats of the first tempo.
    """

    song: SongToWrite
    silence_s: float


def with_lead_in(song: SongToWrite, first_note_s: float = MIN_FIRST_NOTE_S) -> LeadIn:
    """Move a song by the fewest whole beats that bring its first note to `first_note_s` or later.

    Beats before stay beats, so that beat 0 lies on a beat of the music whatever is put in front. The song has one
    tempo map: that of difficulties with their own would have other beats in front.

    Raises:
        ContractError: A difficulty has a tempo map of its own.
    """
    if any(item.tempo is not None for item in song.difficulties):
        raise ContractError("with_lead_in: moves a song of one tempo map, a difficulty has its own")
    firsts_s = [
        float(song.tempo.time(item.objects["notes"]["beat"].min()))
        for item in song.difficulties
        if count(item.objects["notes"])
    ]
    beat_s = 60.0 / float(song.tempo.bpms[0])
    missing_s = first_note_s - min(firsts_s, default=first_note_s)
    beats = max(0, math.ceil(missing_s / beat_s - _ROUNDING))
    if not beats:
        return LeadIn(song, 0.0)
    moved = tuple(_moved_difficulty(item, beats) for item in song.difficulties)
    lights = None if song.lights is None else moved_lights(song.lights, beats)
    tempo = moved_tempo(song.tempo, beats)
    return LeadIn(replace(song, difficulties=moved, tempo=tempo, lights=lights), beats * beat_s)


def moved_objects(objects: Objects, beats: int) -> Objects:
    """Return objects that come that many beats later."""
    return {
        kind: {name: column + beats if name in _MOVED else column for name, column in columns.items()}
        for kind, columns in objects.items()
    }


def moved_lights(lights: Lights, beats: int) -> Lights:
    """Return a light show that comes that many beats later."""
    return replace(lights, beat=lights.beat + beats, boost_beat=lights.boost_beat + beats)


def moved_tempo(tempo: TempoMap, beats: int) -> TempoMap:
    """Return a regular tempo map with that many beats of its first tempo in front."""
    changes = np.asarray(tempo.beats[1:]) + beats
    return tempo_from_events(float(tempo.bpms[0]), changes, tempo.bpms[1:]).tempo


def _moved_difficulty(item: DifficultyToWrite, beats: int) -> DifficultyToWrite:
    lights = None if item.lights is None else moved_lights(item.lights, beats)
    return replace(item, objects=moved_objects(item.objects, beats), lights=lights)
