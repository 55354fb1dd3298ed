"""Uploads for tests of the live system: many small good songs, and bad ones of every kind.

The good ones share one recording, so that hundreds cost seconds; each has notes of its own.
Belongs here: making them. Does not belong here: real songs (`songs`), what becomes of uploads (the tests).
"""

import json
import shutil
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

from bgb_assets_tests.fixtures import REPOSITORY

SAMPLES = REPOSITORY / "data" / "samples" / "beatmap"
SAMPLE = SAMPLES / "song_0005"
MAP_NAME = "HardStandard.dat"
AUDIO_NAME = "song.egg"
DIRECTIONS = 8


def good_song(folder: Path, number: int) -> Path:
    """Write a song whose first notes are cut in directions that spell its number."""
    folder.mkdir(parents=True)
    info = json.loads((SAMPLE / "Info.dat").read_bytes())
    for maps in info["_difficultyBeatmapSets"]:
        maps["_difficultyBeatmaps"] = [m for m in maps["_difficultyBeatmaps"] if m["_beatmapFilename"] == MAP_NAME]
    (folder / "Info.dat").write_text(json.dumps({**info, "_songName": f"Song {number}"}))
    shutil.copyfile(SAMPLE / AUDIO_NAME, folder / AUDIO_NAME)
    respell(folder, number)
    return folder


def respell(folder: Path, number: int) -> None:
    """Replace a song's map by that of another number, in place."""
    level = json.loads((SAMPLE / MAP_NAME).read_bytes())
    for note in level["colorNotes"][:6]:
        number, note["d"] = divmod(number, DIRECTIONS)
    (folder / MAP_NAME).write_text(json.dumps(level))


def good_songs(inbox: Path, numbers: Iterable[int]) -> list[str]:
    """Put songs into an inbox, each moved there whole; return their keys."""
    keys = []
    inbox.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        key = f"song_{number:04}"
        staged = good_song(inbox.with_name("staged") / key, number)
        staged.rename(inbox / key)
        keys.append(key)
    return keys


def bad_songs(inbox: Path, count: int) -> dict[str, str]:
    """Put bad uploads into an inbox, at most one of each kind; return key -> a word of the reason to expect."""
    inbox.mkdir(parents=True, exist_ok=True)
    return dict(make(inbox) for make in BAD[:count])


def undecodable(inbox: Path) -> tuple[str, str]:
    """An Ogg file that says it is Vorbis and has no code books to decode it with."""
    folder = good_song(inbox / "bad_vorbis", 0)
    data = (folder / AUDIO_NAME).read_bytes()
    (folder / AUDIO_NAME).write_bytes(data[:200] + bytes(len(data) - 200))
    return folder.name, AUDIO_NAME


def climbing_zip(inbox: Path) -> tuple[str, str]:
    """An archive that would write outside its folder."""
    with zipfile.ZipFile(inbox / "bad_climbing.zip", "w") as archive:
        archive.writestr("../Info.dat", "{}")
    return "bad_climbing", "climbs out"


def empty_folder(inbox: Path) -> tuple[str, str]:
    """A folder with nothing in it."""
    (inbox / "bad_folder").mkdir()
    return "bad_folder", "the folder is empty"


def empty_info(inbox: Path) -> tuple[str, str]:
    """A song whose Info.dat has no byte."""
    return _with_info(inbox / "bad_empty", b""), "the file is empty"


def broken_info(inbox: Path) -> tuple[str, str]:
    """A song whose Info.dat is no JSON."""
    return _with_info(inbox / "bad_json", b"{not json"), "invalid JSON"


def no_archive(inbox: Path) -> tuple[str, str]:
    """A file that is a zip by its name alone."""
    (inbox / "bad_archive.zip").write_bytes(b"PK but no archive")
    return "bad_archive", "not a zip file"


def mapless(inbox: Path) -> tuple[str, str]:
    """A song of which no difficulty can be read."""
    folder = good_song(inbox / "bad_maps", 0)
    (folder / MAP_NAME).write_bytes(b"[]")
    return folder.name, "expected a JSON object"


BAD: tuple[Callable[[Path], tuple[str, str]], ...] = (
    undecodable,
    climbing_zip,
    empty_folder,
    empty_info,
    broken_info,
    no_archive,
    mapless,
)


def _with_info(folder: Path, data: bytes) -> str:
    good_song(folder, 0)
    (folder / "Info.dat").write_bytes(data)
    return folder.name
