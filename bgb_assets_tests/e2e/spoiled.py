"""Ways to spoil a song folder, each with the row that it must lead to.

Belongs here: what can be wrong with a delivered song as a whole. Does not belong here: what is wrong with one
difficulty, which is a row of the manifest and no rejection.
"""

import json
import math
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import soundfile

from bgb_assets_tests.e2e.songs import info_of

INVALID_JSON = "wiki_snippets/beatmap/4.1.0.dat"
"""A real file that lacks a comma, below the fixtures."""


def broken_vorbis(folder: Path, real: Path) -> None:
    content = bytearray((folder / "song.egg").read_bytes())
    content[200:4_000] = bytes(3_800)
    (folder / "song.egg").write_bytes(content)


def text_as_audio(folder: Path, real: Path) -> None:
    (folder / "song.egg").write_text("<html>404 Not Found</html>")


def empty_audio(folder: Path, real: Path) -> None:
    (folder / "song.egg").write_bytes(b"")


def endless_audio(folder: Path, real: Path) -> None:
    with soundfile.SoundFile(folder / "song.egg", "w", 1_000, 1, "PCM_16", format="WAV") as file:
        file.write([0.0] * 3_601_000)


def climbing_zip(folder: Path, real: Path) -> None:
    with as_zip(folder) as archive:
        archive.writestr("../escaped.txt", "out")


def absolute_zip(folder: Path, real: Path) -> None:
    with as_zip(folder) as archive:
        archive.writestr(f"{folder.parents[3]}/escaped.txt", "out")


def linking_zip(folder: Path, real: Path) -> None:
    with as_zip(folder) as archive:
        entry = zipfile.ZipInfo("cover.png")
        entry.create_system = 3
        entry.external_attr = 0o120777 << 16
        archive.writestr(entry, "/etc/passwd")


def bomb(folder: Path, real: Path) -> None:
    with as_zip(folder) as archive:
        archive.writestr("zeros.dat", bytes(64 << 20), zipfile.ZIP_DEFLATED)


def crowded_zip(folder: Path, real: Path) -> None:
    with as_zip(folder) as archive:
        for number in range(2_001 - len(archive.namelist())):
            archive.writestr(f"autosave_{number:04d}.dat", "{}")


def two_infos_zip(folder: Path, real: Path) -> None:
    info = (folder / "Info.dat").read_bytes()
    (folder / "Info.dat").unlink()
    with as_zip(folder) as archive:
        for name in ("first/Info.dat", "second/Info.dat"):
            archive.writestr(name, info)


def cased_infos_zip(folder: Path, real: Path) -> None:
    info = (folder / "Info.dat").read_bytes()
    with as_zip(folder) as archive:
        archive.writestr("info.DAT", info)


def wrong_crc_zip(folder: Path, real: Path) -> None:
    with as_zip(folder) as archive:
        archive.writestr("last.dat", b"a message that is changed")
    path = folder.with_suffix(".zip")
    path.write_bytes(path.read_bytes().replace(b"a message that is changed", b"a message that is Changed"))


def encrypted_zip(folder: Path, real: Path) -> None:
    with as_zip(folder) as archive:
        archive.writestr("secret.dat", b"secret")
    path = folder.with_suffix(".zip")
    content = bytearray(path.read_bytes())
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.rindex(signature) + flags] |= 1
    path.write_bytes(content)


def torn_zip(folder: Path, real: Path) -> None:
    as_zip(folder).close()
    path = folder.with_suffix(".zip")
    path.write_bytes(path.read_bytes()[:-100])


def empty_folder(folder: Path, real: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()


def empty_info(folder: Path, real: Path) -> None:
    (folder / "Info.dat").write_bytes(b"")


def no_info(folder: Path, real: Path) -> None:
    (folder / "Info.dat").unlink()


def two_infos(folder: Path, real: Path) -> None:
    shutil.copy(folder / "Info.dat", folder / "INFO.dat")


def list_as_info(folder: Path, real: Path) -> None:
    (folder / "Info.dat").write_text("[1, 2]")


def torn_gzip(folder: Path, real: Path) -> None:
    (folder / "Info.dat").write_bytes(b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03abc")


def zero_bpm(folder: Path, real: Path) -> None:
    edit_info(folder, _beatsPerMinute=0)


def nan_bpm(folder: Path, real: Path) -> None:
    edit_info(folder, _beatsPerMinute=math.nan)


def negative_bpm(folder: Path, real: Path) -> None:
    edit_info(folder, _beatsPerMinute=-120)


def nan_audio(folder: Path, real: Path) -> None:
    with soundfile.SoundFile(folder / "song.egg", "w", 22_050, 1, "FLOAT", format="WAV") as file:
        file.write([0.0, 0.1, math.nan, 0.1])


def no_difficulty(folder: Path, real: Path) -> None:
    edit_info(folder, _difficultyBeatmapSets=[])


def only_invalid_json(folder: Path, real: Path) -> None:
    for path in folder.glob("*Standard.dat"):
        shutil.copyfile(real / INVALID_JSON, path)


def only_missing_files(folder: Path, real: Path) -> None:
    for path in folder.glob("*Standard.dat"):
        path.unlink()


Spoil = Callable[[Path, Path], None]
"""(folder of the song, folder of the real fixtures): spoils the song, or puts a spoiled zip in its place."""

EXPECTED: dict[Spoil, tuple[str, str, str]] = {
    broken_vorbis: ("cache", "song.egg: cannot be decoded as audio (codec vorbis, ", "replace it by an Ogg Vorbis"),
    text_as_audio: (
        "cache",
        "song.egg: cannot be decoded as audio (codec unknown, 26 bytes)",
        "replace it by an Ogg Vorbis",
    ),
    empty_audio: (
        "cache",
        "song.egg: cannot be decoded as audio (codec unknown, 0 bytes)",
        "replace it by an Ogg Vorbis",
    ),
    endless_audio: ("cache", "of 3601.0 s, more than 3600 s", "cut the song"),
    climbing_zip: ("raw", "../escaped.txt", "pack it again"),
    absolute_zip: ("raw", "has an absolute path", "pack it again"),
    crowded_zip: ("raw", "more than 2000 entries", "upload fewer files"),
    two_infos_zip: ("raw", "more than one Info file: ['first/Info.dat', 'second/Info.dat']", "keep one of them"),
    cased_infos_zip: ("raw", "info.DAT", ""),
    wrong_crc_zip: ("raw", "last.dat", ""),
    nan_audio: ("cache", "song.egg: WAV/FLOAT holds samples that are not finite after 0.0 s", "export the audio"),
    negative_bpm: ("raw", "beats per minute must be a positive number, got -120", "repair the map's Info file"),
    linking_zip: ("raw", "cover.png", "pack it again"),
    bomb: ("raw", "inflates to more than", "upload less"),
    encrypted_zip: ("raw", "encrypted", "without a password"),
    torn_zip: ("raw", "torn_zip.zip", "again"),
    empty_folder: ("raw", "the folder is empty, expected an Info.dat", "add the map's Info.dat"),
    empty_info: ("raw", "Info.dat", "repair the map's Info file"),
    no_info: ("raw", "no Info.dat or info.json among", "add the map's Info.dat"),
    two_infos: ("raw", "more than one Info file: ['INFO.dat', 'Info.dat']", "keep one of them"),
    list_as_info: ("raw", "Info.dat", "repair the map's Info file"),
    torn_gzip: ("raw", "Info.dat", "repair the map's Info file"),
    zero_bpm: ("raw", "beats per minute must be a positive number, got 0", "repair the map's Info file"),
    nan_bpm: ("raw", "beats per minute must be a positive number, got nan", "repair the map's Info file"),
    no_difficulty: ("raw", "Info.dat: names no difficulty", "add a difficulty"),
    only_invalid_json: ("raw", "invalid JSON at line 91 column 3", "fix or remove the difficulty"),
    only_missing_files: ("raw", "which is not in the upload", "add the file or remove the difficulty"),
}
"""Spoiler -> (stage, part of the reason, part of the remedy)."""


def as_zip(folder: Path) -> zipfile.ZipFile:
    """Replace a folder by a zip of its files, open for one more."""
    archive = zipfile.ZipFile(folder.with_suffix(".zip"), "w")
    for path in sorted(folder.iterdir()):
        archive.write(path, path.name)
    shutil.rmtree(folder)
    return archive


def edit_info(folder: Path, **values: Any) -> None:
    """Set values in a song's Info."""
    (folder / "Info.dat").write_text(json.dumps(info_of(folder) | values))
