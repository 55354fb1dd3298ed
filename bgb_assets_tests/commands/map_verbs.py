"""Maps as a person has them: samples with audio, real maps, folders and zips, in every version.

Belongs here: making them for tests of verbs. Does not belong here: the verbs.
"""

import zipfile
from pathlib import Path
from typing import Any

from bgb_assets.modalities.beatmap.formats.song import read_song
from bgb_assets.modalities.beatmap.writing.export import Format, render_map, write_zip
from bgb_assets.modalities.beatmap.writing.song_to_write import DifficultyToWrite, SongToWrite
from bgb_assets_tests.fixtures import REPOSITORY
from bgb_assets_tests.modalities.beatmap.map_files import write_files

SAMPLE = REPOSITORY / "data" / "samples" / "beatmap" / "song_0000"


def zipped(folder: Path, path: Path, without: str = "") -> Path:
    """Write the files of a folder as a zip."""
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.iterdir()):
            if file.name != without:
                archive.write(file, file.name)
    return path


def exported(source: Path, path: Path, format_: Format) -> Path:
    """Write a map again as a zip of another version, without its audio."""
    song = read_song(source)
    difficulties = tuple(
        DifficultyToWrite(one.info.characteristic, one.info.difficulty, one.parsed.objects) for one in song.readable
    )
    rendered = render_map(SongToWrite(song.info.title, song.readable[0].tempo, difficulties), format_, lossy=True)
    write_zip(rendered, path)
    return path


def oldest(source: Path, out: Path, difficulty: str) -> Path:
    """Write the notes of one difficulty as a map of version 1."""
    song = read_song(source)
    one = next(item for item in song.readable if item.info.difficulty == difficulty)
    notes = one.parsed.objects["notes"]
    fields = {"_time": "beat", "_lineIndex": "x", "_lineLayer": "y", "_type": "color", "_cutDirection": "cut_direction"}
    rows = [
        dict(zip(fields, values, strict=True))
        for values in zip(*(notes[name].tolist() for name in fields.values()), strict=True)
    ]
    level: dict[str, Any] = {"difficulty": difficulty, "jsonPath": "level.json", "audioPath": "song.ogg"}
    info = {"songName": "Old", "authorName": "A band", "beatsPerMinute": one.base_bpm, "difficultyLevels": [level]}
    return write_files(out, {"info.json": info, "level.json": {"_version": "1.5.0", "_notes": rows}})
