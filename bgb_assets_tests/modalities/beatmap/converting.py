"""Maps to convert: the real ones, whole or without what is missing, and small ones; and what must stay equal."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bgb_assets.modalities.beatmap.formats.difficulty import Difficulty
from bgb_assets.modalities.beatmap.formats.identities import beatmap_id
from bgb_assets.modalities.beatmap.formats.opening import opened_map
from bgb_assets.modalities.beatmap.formats.song import Song, read_song
from bgb_assets_tests.fixtures import shared_data
from bgb_assets_tests.modalities.beatmap.map_files import write_files

EVENT_NEAR_S, SAMPLE_NEAR_S = 1e-9, 1 / 44_100


def real_map(name: str) -> Path:
    """Return the folder of a real map."""
    return shared_data("beatmap") / "maps" / name


def complete_journey(folder: Path, *characteristics: str) -> Path:
    """Copy JOURNEY with the difficulties that are there, and only those named in Info; of some characteristics only."""
    shutil.copytree(real_map("JOURNEY"), folder)
    info = json.loads((folder / "Info.dat").read_text())
    for group in info["_difficultyBeatmapSets"]:
        there = [one for one in group["_difficultyBeatmaps"] if (folder / one["_beatmapFilename"]).is_file()]
        unwanted = characteristics and group["_beatmapCharacteristicName"] not in characteristics
        group["_difficultyBeatmaps"] = [] if unwanted else there
    (folder / "Info.dat").write_text(json.dumps(info))
    return folder


def map_v4(folder: Path, difficulty: Mapping[str, Any], **files: Any) -> Path:
    """Write a map of version 4 with one difficulty; `AudioData`, `Lightshow` and `info` replace its other parts."""
    entry = {
        "characteristic": "Standard",
        "difficulty": "Expert",
        "beatmapAuthors": {"mappers": ["A mapper", "Another"], "lighters": []},
        "noteJumpMovementSpeed": 16,
        "beatmapDataFilename": "Expert.dat",
        "lightshowDataFilename": "Lightshow.dat",
    }
    info = {
        "version": "4.0.0",
        "song": {"title": "A song"},
        "audio": {"songFilename": "song.ogg", "audioDataFilename": "AudioData.dat", "bpm": 120},
        "difficultyBeatmaps": [entry],
    }
    named = {f"{name}.dat": content for name, content in files.items() if name != "info"}
    return write_files(folder, {"Info.dat": info | files.get("info", {}), "Expert.dat": difficulty, **named})


def read_map(path: Path) -> Song:
    """Read a map, folder or zip."""
    with opened_map(path) as directory:
        return read_song(directory)


def named(song: Song) -> dict[tuple[str, str], Difficulty]:
    """Return the readable difficulties of a song by name."""
    return {(item.info.characteristic, item.info.difficulty): item for item in song.readable}


def check_equal_content(before: Song, after: Song, near_s: float) -> None:
    """Check that two maps are played alike: ids, tempo, jump speeds, requirements, texts."""
    old, new = named(before), named(after)
    assert list(old) == list(new)
    for name, item in old.items():
        assert beatmap_id(new[name].parsed.objects) == beatmap_id(item.parsed.objects), name
        beats = np.linspace(-4, last_beat(item), 3_001)
        assert np.abs(new[name].tempo.time(beats) - item.tempo.time(beats)).max() < near_s, name
        assert (new[name].info.njs, new[name].info.njo) == (item.info.njs, item.info.njo)
        assert new[name].info.requirements == item.info.requirements
    for text in ("title", "subtitle", "artist", "song_time_offset_s", "shuffle"):
        assert getattr(after.info, text) == getattr(before.info, text)
    assert ", ".join(after.info.mappers) == ", ".join(before.info.mappers)  # versions 2 and 3 have one text


def last_beat(item: Difficulty) -> float:
    """Return the beat at which the last object of a difficulty ends."""
    ends = [4.0]
    for columns in item.parsed.objects.values():
        ends += (columns["beat"] + columns.get("duration_beats", 0)).tolist()
        ends += columns.get("tail_beat", np.zeros(0)).tolist()
    return max(ends)
