"""Writes the Info file of a map: version 2.1.0, which goes with difficulties of versions 2 and 3, or 4.0.0.

Belongs here: what Info says of the song and its difficulties, and the names of the files of a map.
Does not belong here: difficulty files (`write_v2` and its siblings) and the archive (`export`).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from bgb_assets.modalities.beatmap.formats.naming import DIFFICULTIES, RANKS, safe_name
from bgb_assets.modalities.beatmap.writing.song_to_write import DifficultyToWrite, SongToWrite

JUMP_SPEEDS: Mapping[str, float] = dict(zip(DIFFICULTIES, (10.0, 10.0, 12.0, 16.0, 18.0), strict=True))
"""Note jump speed by difficulty where none is given."""

AUDIO_DATA_FILE = "AudioData.dat"
DEFAULT_AUDIO_FILE = "song.ogg"

_V2_VERSION, _V4_VERSION = "2.1.0", "4.0.0"
_TURNING = ("360Degree", "90Degree")


def difficulty_file(difficulty: DifficultyToWrite) -> str:
    """Return the name of a difficulty's file."""
    return f"{difficulty.difficulty}{safe_name(difficulty.characteristic)}.dat"


def info_v2(song: SongToWrite, ordered: Sequence[DifficultyToWrite]) -> dict[str, Any]:
    """Return the JSON value of an Info file of version 2.1.0."""
    sets: dict[str, list[dict[str, Any]]] = {}
    for item in ordered:
        sets.setdefault(item.characteristic, []).append(_v2_difficulty(item))
    return {
        "_version": _V2_VERSION,
        "_songName": song.title,
        "_songSubName": song.subtitle,
        "_songAuthorName": song.artist,
        "_levelAuthorName": ", ".join(song.mappers),
        "_beatsPerMinute": float(song.tempo.bpms[0]),
        "_songTimeOffset": song.song_time_offset_s,
        "_shuffle": song.shuffle,
        "_shufflePeriod": song.shuffle_period,
        "_previewStartTime": song.preview_s[0],
        "_previewDuration": song.preview_s[1],
        "_songFilename": song.audio.file if song.audio else DEFAULT_AUDIO_FILE,
        "_coverImageFilename": song.cover_file,
        "_environmentName": song.environments[0],
        "_allDirectionsEnvironmentName": song.environments[1],
        "_environmentNames": [],
        "_colorSchemes": [],
        "_difficultyBeatmapSets": [
            {"_beatmapCharacteristicName": name, "_difficultyBeatmaps": entries} for name, entries in sets.items()
        ],
    }


def info_v4(song: SongToWrite, ordered: Sequence[DifficultyToWrite], lightshow_files: Sequence[str]) -> dict[str, Any]:
    """Return the JSON value of an Info file of version 4.0.0.

    Args:
        song: What to write.
        ordered: Its difficulties.
        lightshow_files: The file with the light show of each.
    """
    audio_file = song.audio.file if song.audio else DEFAULT_AUDIO_FILE
    return {
        "version": _V4_VERSION,
        "song": {"title": song.title, "subTitle": song.subtitle, "author": song.artist},
        "audio": {
            "songFilename": audio_file,
            "songDuration": song.audio.frames / song.audio.rate_hz if song.audio else 0,
            "audioDataFilename": AUDIO_DATA_FILE,
            "bpm": float(song.tempo.bpms[0]),
            "lufs": 0,
            "previewStartTime": song.preview_s[0],
            "previewDuration": song.preview_s[1],
        },
        "songPreviewFilename": audio_file,
        "coverImageFilename": song.cover_file,
        "environmentNames": list(song.environments),
        "colorSchemes": [],
        "difficultyBeatmaps": [
            _v4_difficulty(item, song.mappers, file) for item, file in zip(ordered, lightshow_files, strict=True)
        ],
    }


def _v2_difficulty(item: DifficultyToWrite) -> dict[str, Any]:
    entry = {
        "_difficulty": item.difficulty,
        "_difficultyRank": RANKS[item.difficulty],
        "_beatmapFilename": difficulty_file(item),
        "_noteJumpMovementSpeed": _jump_speed(item),
        "_noteJumpStartBeatOffset": item.njo,
        "_beatmapColorSchemeIdx": 0,
        "_environmentNameIdx": 0,
    }
    return entry | ({"_customData": {"_requirements": list(item.requirements)}} if item.requirements else {})


def _v4_difficulty(item: DifficultyToWrite, mappers: tuple[str, ...], lightshow_file: str) -> dict[str, Any]:
    entry = {
        "characteristic": item.characteristic,
        "difficulty": item.difficulty,
        "beatmapAuthors": {"mappers": list(mappers), "lighters": []},
        "environmentNameIdx": int(item.characteristic in _TURNING),
        "beatmapColorSchemeIdx": 0,
        "noteJumpMovementSpeed": _jump_speed(item),
        "noteJumpStartBeatOffset": item.njo,
        "beatmapDataFilename": difficulty_file(item),
        "lightshowDataFilename": lightshow_file,
    }
    return entry | ({"customData": {"_requirements": list(item.requirements)}} if item.requirements else {})


def _jump_speed(item: DifficultyToWrite) -> float:
    return JUMP_SPEEDS[item.difficulty] if item.njs is None else item.njs
