"""Map files as tests need them: small, of any version, whole folders or single values."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bgb_assets.modalities.beatmap.formats.audio_data import parse_audio_data
from bgb_assets.modalities.beatmap.formats.difficulty import AudioDataFile, Difficulty, parse_difficulty
from bgb_assets.modalities.beatmap.formats.info import DifficultyInfo, parse_info

NOTE_V3 = {"b": 10, "x": 1, "y": 0, "c": 0, "d": 1, "a": 0}


def info_v2(files: Mapping[tuple[str, str], str] | None = None, **changed: Any) -> dict[str, Any]:
    """Info of version 2 that names one file per (characteristic, difficulty)."""
    named = {("Standard", "Expert"): "Expert.dat"} if files is None else files
    sets: dict[str, list[dict[str, Any]]] = {}
    for (characteristic, difficulty), file in named.items():
        entry = {"_difficulty": difficulty, "_difficultyRank": 0, "_beatmapFilename": file}
        sets.setdefault(characteristic, []).append(entry | {"_noteJumpMovementSpeed": 16})
    document = {
        "_version": "2.1.0",
        "_songName": "A song",
        "_songAuthorName": "A band",
        "_levelAuthorName": "A mapper",
        "_beatsPerMinute": 120,
        "_songFilename": "song.egg",
        "_difficultyBeatmapSets": [
            {"_beatmapCharacteristicName": name, "_difficultyBeatmaps": entries} for name, entries in sets.items()
        ],
    }
    return document | changed


def difficulty_v3(*notes: Mapping[str, Any], **collections: Any) -> dict[str, Any]:
    """Difficulty of version 3."""
    return {"version": "3.3.0", "colorNotes": list(notes)} | collections


def write_files(folder: Path, files: Mapping[str, Any]) -> Path:
    """Write files below a folder: bytes as they are, all else as JSON."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return folder


def simple_map(folder: Path, *notes: Mapping[str, Any], **changed: Any) -> Path:
    """Write a map of one version 3 difficulty; `changed` changes Info."""
    return write_files(folder, {"Info.dat": info_v2(**changed), "Expert.dat": difficulty_v3(*(notes or (NOTE_V3,)))})


def parsed(document: Any, bpm: float = 120.0, audio_data: Any = None) -> Difficulty:
    """Read a difficulty from its JSON value, in a song of the given tempo."""
    song = parse_info(info_v2(_beatsPerMinute=bpm), "Info.dat")
    info = DifficultyInfo("Standard", "Expert", 7, "Expert.dat", 16.0, 0.0)
    data = AudioDataFile(parse_audio_data(audio_data, "AudioData.dat") if audio_data is not None else None)
    return parse_difficulty(document, "Expert.dat", song, info, data)
