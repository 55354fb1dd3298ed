"""Writes a map: the files of a song in version 2, 3 or 4 of the game's format, as a folder or a zip.

Belongs here: the song to write, Info of each version, and the archive; the same input gives the same bytes.
Does not belong here: difficulty files (`write_v2` and its siblings) and audio (`export_audio`).
"""

import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import orjson

from bgb_assets.modalities.beatmap.naming import DIFFICULTIES, RANKS, safe_name
from bgb_assets.modalities.beatmap.objects import Objects, count
from bgb_assets.modalities.beatmap.tempo import TempoMap
from bgb_assets.modalities.beatmap.write_v2 import difficulty_v2
from bgb_assets.modalities.beatmap.write_v3 import difficulty_v3
from bgb_assets.modalities.beatmap.write_v4 import LIGHTSHOW, audio_data_v4, difficulty_v4
from bgb_assets.runtime.errors import BadInput

Format = Literal["v2", "v3", "v4"]
FORMATS: tuple[Format, ...] = ("v2", "v3", "v4")

JUMP_SPEEDS: Mapping[str, float] = dict(zip(DIFFICULTIES, (10.0, 10.0, 12.0, 16.0, 18.0), strict=True))
"""Note jump speed by difficulty where none is given."""

AUDIO_DATA_FILE = "AudioData.dat"
LIGHTSHOW_FILE = "Lightshow.dat"
COVER_FILE = "cover.png"

_V2_INFO, _V4_INFO = "2.1.0", "4.0.0"
_COVER_PIXELS = 256
_COVER_RGB = (28, 32, 48)
_ENVIRONMENT = "DefaultEnvironment"
_TURNING_ENVIRONMENT = "GlassDesertEnvironment"
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class DifficultyToWrite:
    """One difficulty to write.

    Attributes:
        characteristic: `Standard` and the like.
        difficulty: One of `DIFFICULTIES`.
        objects: Canonical objects.
        njs: Jump speed; None for that of `JUMP_SPEEDS`.
        njo: Jump offset in beats.
        requirements: Names of what the game needs to play it.
    """

    characteristic: str
    difficulty: str
    objects: Objects
    njs: float | None = None
    njo: float = 0.0
    requirements: tuple[str, ...] = ()


@dataclass(frozen=True)
class AudioToWrite:
    """The song's audio as the game loads it.

    Attributes:
        content: Bytes of an Ogg Vorbis file.
        rate_hz: Its sample rate.
        frames: Its length in samples.
        file: Its name in the map.
    """

    content: bytes
    rate_hz: int
    frames: int
    file: str = "song.ogg"


@dataclass(frozen=True)
class SongToWrite:
    """One song to write.

    Attributes:
        title: And the texts that follow: as players see them.
        tempo: The one tempo map of all difficulties.
        difficulties: In any order.
        audio: None writes a map without audio, which names `song.ogg`.
        cover: Bytes of a PNG; None for a plain one.
    """

    title: str
    tempo: TempoMap
    difficulties: tuple[DifficultyToWrite, ...]
    subtitle: str = ""
    artist: str = ""
    mappers: tuple[str, ...] = ()
    audio: AudioToWrite | None = None
    cover: bytes | None = None


@dataclass(frozen=True)
class RenderedMap:
    """The files of a map.

    Attributes:
        files: Name -> content; `Info.dat` first.
        lost: What the format could not hold -> how many; empty unless losses were allowed.
    """

    files: Mapping[str, bytes]
    lost: Mapping[str, int]


def render_map(song: SongToWrite, format_: Format = "v3", *, lossy: bool = False) -> RenderedMap:
    """Return the files of a map in one version of the format.

    Args:
        song: What to write.
        format_: Version 2 (Info 2.1.0, 2.6.0), 3 (Info 2.1.0, 3.3.0) or 4 (4.0.0).
        lossy: Leave out what the version cannot hold, and count it, instead of refusing.

    Raises:
        BadInput: The version cannot hold all of it, or a difficulty is named twice or unknown.
    """
    if format_ not in FORMATS:
        raise BadInput(f"unknown map format {format_!r}", f"choose one of {', '.join(FORMATS)}")
    _check(song)
    lost: Counter[str] = Counter()
    if not song.tempo.regular:
        lost["gaps between tempo regions"] += 1
    documents = _documents(song, format_, lost)
    missing = {what: number for what, number in sorted(lost.items()) if number}
    if missing and not lossy:
        listed = ", ".join(f"{number} {what}" for what, number in missing.items())
        raise BadInput(f"map format {format_} cannot hold {listed}", "choose another format or allow losses")
    files = {name: orjson.dumps(document) for name, document in documents.items()}
    files |= {song.audio.file: song.audio.content} if song.audio else {}
    return RenderedMap({**files, COVER_FILE: song.cover or plain_cover()}, missing)


def write_folder(rendered: RenderedMap, directory: Path) -> None:
    """Write the files of a map into a directory, which is made."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, content in rendered.files.items():
        (directory / name).write_bytes(content)


def write_zip(rendered: RenderedMap, path: Path) -> None:
    """Write a map as a flat zip with fixed times: equal maps give equal bytes; a killed write leaves no zip."""
    part = path.with_name(f"{path.name}.part")
    with zipfile.ZipFile(part, "w") as archive:
        for name, content in rendered.files.items():
            entry = zipfile.ZipInfo(name, _ZIP_TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            entry.create_system = 3
            archive.writestr(entry, content)
    part.replace(path)


def plain_cover() -> bytes:
    """Return a PNG of 256 x 256 pixels in one colour."""
    row = b"\x00" + bytes(_COVER_RGB) * _COVER_PIXELS
    header = struct.pack(">IIBBBBB", _COVER_PIXELS, _COVER_PIXELS, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(row * _COVER_PIXELS, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_png_chunk(kind, content) for kind, content in chunks)


def difficulty_file(difficulty: DifficultyToWrite) -> str:
    """Return the name of a difficulty's file."""
    return f"{difficulty.difficulty}{safe_name(difficulty.characteristic)}.dat"


def _check(song: SongToWrite) -> None:
    names = [difficulty_file(difficulty) for difficulty in song.difficulties]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated or not names:
        raise BadInput(
            f"a map needs at least one difficulty and each only once, got {names!r}", "name each difficulty once"
        )
    unknown = sorted({item.difficulty for item in song.difficulties} - set(DIFFICULTIES))
    if unknown:
        raise BadInput(f"unknown difficulties {unknown!r}", f"choose from {', '.join(DIFFICULTIES)}")


def _documents(song: SongToWrite, format_: Format, lost: Counter[str]) -> dict[str, Any]:
    ordered = sorted(song.difficulties, key=lambda item: (item.characteristic, RANKS[item.difficulty]))
    if format_ == "v4":
        files = {difficulty_file(item): difficulty_v4(item.objects) for item in ordered}
        return {"Info.dat": _info_v4(song, ordered)} | files | _v4_extras(song, ordered)
    writer = difficulty_v2 if format_ == "v2" else difficulty_v3
    files = {difficulty_file(item): writer(item.objects, song.tempo, lost) for item in ordered}
    return {"Info.dat": _info_v2(song, ordered)} | files


def _v4_extras(song: SongToWrite, ordered: list[DifficultyToWrite]) -> dict[str, Any]:
    rate_hz, frames = (song.audio.rate_hz, song.audio.frames) if song.audio else (44_100, None)
    last_beat = max((_last_beat(item.objects) for item in ordered), default=0.0)
    return {
        AUDIO_DATA_FILE: audio_data_v4(song.tempo, last_beat, rate_hz, frames),
        LIGHTSHOW_FILE: LIGHTSHOW,
    }


def _last_beat(objects: Objects) -> float:
    ends = [float(columns["beat"].max()) for columns in objects.values() if count(columns)]
    ends += [float(objects[kind]["tail_beat"].max()) for kind in ("arcs", "chains") if count(objects[kind])]
    walls = objects["walls"]
    ends += [float((walls["beat"] + walls["duration_beats"]).max())] if count(walls) else []
    return max(ends, default=0.0)


def _info_v2(song: SongToWrite, ordered: list[DifficultyToWrite]) -> dict[str, Any]:
    sets: dict[str, list[dict[str, Any]]] = {}
    for item in ordered:
        sets.setdefault(item.characteristic, []).append(_info_v2_difficulty(item))
    return {
        "_version": _V2_INFO,
        "_songName": song.title,
        "_songSubName": song.subtitle,
        "_songAuthorName": song.artist,
        "_levelAuthorName": ", ".join(song.mappers),
        "_beatsPerMinute": float(song.tempo.bpms[0]),
        "_songTimeOffset": 0,
        "_shuffle": 0,
        "_shufflePeriod": 0.5,
        "_previewStartTime": 0,
        "_previewDuration": 10,
        "_songFilename": song.audio.file if song.audio else "song.ogg",
        "_coverImageFilename": COVER_FILE,
        "_environmentName": _ENVIRONMENT,
        "_allDirectionsEnvironmentName": _TURNING_ENVIRONMENT,
        "_environmentNames": [],
        "_colorSchemes": [],
        "_difficultyBeatmapSets": [
            {"_beatmapCharacteristicName": name, "_difficultyBeatmaps": entries} for name, entries in sets.items()
        ],
    }


def _info_v2_difficulty(item: DifficultyToWrite) -> dict[str, Any]:
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


def _info_v4(song: SongToWrite, ordered: list[DifficultyToWrite]) -> dict[str, Any]:
    audio_file = song.audio.file if song.audio else "song.ogg"
    return {
        "version": _V4_INFO,
        "song": {"title": song.title, "subTitle": song.subtitle, "author": song.artist},
        "audio": {
            "songFilename": audio_file,
            "songDuration": song.audio.frames / song.audio.rate_hz if song.audio else 0,
            "audioDataFilename": AUDIO_DATA_FILE,
            "bpm": float(song.tempo.bpms[0]),
            "lufs": 0,
            "previewStartTime": 0,
            "previewDuration": 10,
        },
        "songPreviewFilename": audio_file,
        "coverImageFilename": COVER_FILE,
        "environmentNames": [_ENVIRONMENT],
        "colorSchemes": [],
        "difficultyBeatmaps": [_info_v4_difficulty(item, song.mappers) for item in ordered],
    }


def _info_v4_difficulty(item: DifficultyToWrite, mappers: tuple[str, ...]) -> dict[str, Any]:
    entry = {
        "characteristic": item.characteristic,
        "difficulty": item.difficulty,
        "beatmapAuthors": {"mappers": list(mappers), "lighters": []},
        "environmentNameIdx": 0,
        "beatmapColorSchemeIdx": 0,
        "noteJumpMovementSpeed": _jump_speed(item),
        "noteJumpStartBeatOffset": item.njo,
        "beatmapDataFilename": difficulty_file(item),
        "lightshowDataFilename": LIGHTSHOW_FILE,
    }
    return entry | ({"customData": {"_requirements": list(item.requirements)}} if item.requirements else {})


def _jump_speed(item: DifficultyToWrite) -> float:
    return JUMP_SPEEDS[item.difficulty] if item.njs is None else item.njs


def _png_chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
