"""Writes a map: the files of a song in version 2, 3 or 4 of the game's format, as a folder or a zip.

Belongs here: which files a map consists of, and the archive; the same input gives the same bytes.
Does not belong here: the song to write (`song_to_write`), the content of Info (`write_info`), of difficulty files
(`write_v2` and its siblings), of light shows (`lights`, `write_lights`), and audio (`export_audio`).
"""

import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import orjson

from bgb_assets.modalities.beatmap.formats.naming import DIFFICULTIES, RANKS
from bgb_assets.modalities.beatmap.formats.objects import Objects, count
from bgb_assets.modalities.beatmap.formats.tempo import TempoMap
from bgb_assets.modalities.beatmap.writing.lights import no_lights
from bgb_assets.modalities.beatmap.writing.retiming import regular_tempo, retimed_lights, retimed_objects, same_tempo
from bgb_assets.modalities.beatmap.writing.song_to_write import DifficultyToWrite, SongToWrite
from bgb_assets.modalities.beatmap.writing.write_info import AUDIO_DATA_FILE, difficulty_file, info_v2, info_v4
from bgb_assets.modalities.beatmap.writing.write_lights import lightshow_v4
from bgb_assets.modalities.beatmap.writing.write_v2 import difficulty_v2
from bgb_assets.modalities.beatmap.writing.write_v3 import difficulty_v3
from bgb_assets.modalities.beatmap.writing.write_v4 import audio_data_v4, difficulty_v4
from bgb_assets.runtime.errors import BadInput

Format = Literal["v2", "v3", "v4"]
FORMATS: tuple[Format, ...] = ("v2", "v3", "v4")

LIGHTSHOW_FILE = "Lightshow.dat"

_COVER_PIXELS = 256
_COVER_RGB = (28, 32, 48)
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)


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
    documents = _documents(song, format_, lost)
    missing = {what: number for what, number in sorted(lost.items()) if number}
    if not lossy:
        refuse_losses(format_, missing)
    files = {name: orjson.dumps(document) for name, document in documents.items()}
    files |= {song.audio.file: song.audio.content} if song.audio else {}
    return RenderedMap({**files, song.cover_file: song.cover or plain_cover()}, missing)


def refuse_losses(format_: Format, lost: Mapping[str, int]) -> None:
    """Refuse to go on where something would be lost.

    Raises:
        BadInput: Something would; the message counts it.
    """
    if lost:
        listed = ", ".join(f"{number} {what}" for what, number in lost.items())
        raise BadInput(f"map format {format_} cannot hold {listed}", "choose another format or allow losses")


def write_folder(rendered: RenderedMap, directory: Path) -> None:
    """Write the files of a map into a directory, which is made."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, content in rendered.files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


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
    ordered = [_with_lights(item, song) for item in ordered]
    if format_ == "v4":
        return _documents_v4(song, [_in_one_tempo(item, song.tempo, lost) for item in ordered], lost)
    writer = difficulty_v2 if format_ == "v2" else difficulty_v3
    base_bpm = float(song.tempo.bpms[0])
    documents: dict[str, Any] = {"Info.dat": info_v2(song, ordered)}
    for item in (_in_regular_tempo(item, song.tempo, lost) for item in ordered):
        tempo = item.tempo or song.tempo
        documents[difficulty_file(item)] = writer(item.objects, tempo, lost, item.lights, base_bpm)
    return documents


def _documents_v4(song: SongToWrite, ordered: list[DifficultyToWrite], lost: Counter[str]) -> dict[str, Any]:
    lost["song time offset"] += song.song_time_offset_s != 0
    lost["shuffle"] += song.shuffle != 0
    shows = [lightshow_v4(item.lights or no_lights()) for item in ordered]
    names = [_lightshow_file(index, shows, ordered) for index in range(len(shows))]
    files = {difficulty_file(item): difficulty_v4(item.objects) for item in ordered}
    rate_hz, frames = (song.audio.rate_hz, song.audio.frames) if song.audio else (44_100, None)
    last_beat = max((_last_beat(item.objects) for item in ordered), default=0.0)
    audio_data = {AUDIO_DATA_FILE: audio_data_v4(song.tempo, last_beat, rate_hz, frames)}
    return {"Info.dat": info_v4(song, ordered, names)} | files | audio_data | dict(zip(names, shows, strict=True))


def _with_lights(item: DifficultyToWrite, song: SongToWrite) -> DifficultyToWrite:
    """Give a difficulty without a show of its own the song's, on its own beats."""
    if item.lights is not None or song.lights is None:
        return item
    return replace(item, lights=retimed_lights(song.lights, song.tempo, item.tempo or song.tempo))


def _lightshow_file(index: int, shows: list[Mapping[str, Any]], ordered: list[DifficultyToWrite]) -> str:
    """Name the file of a light show: difficulties of one show share it."""
    first = shows.index(shows[index])
    return LIGHTSHOW_FILE if first == 0 else f"Lightshow{difficulty_file(ordered[first])}"


def _in_one_tempo(item: DifficultyToWrite, tempo: TempoMap, lost: Counter[str]) -> DifficultyToWrite:
    """Put a difficulty on the song's tempo map, the only one that version 4 has."""
    if item.tempo is None or same_tempo(item.tempo, tempo):
        return item
    lost["tempo maps of single difficulties"] += 1
    return _retimed(item, item.tempo, tempo, None)


def _in_regular_tempo(item: DifficultyToWrite, song_tempo: TempoMap, lost: Counter[str]) -> DifficultyToWrite:
    """Put a difficulty on a tempo map that changes can express."""
    tempo = item.tempo or song_tempo
    if tempo.regular:
        return item
    lost["gaps between tempo regions"] += 1
    regular = regular_tempo(tempo)
    return _retimed(item, tempo, regular, regular)


def _retimed(item: DifficultyToWrite, before: TempoMap, after: TempoMap, own: TempoMap | None) -> DifficultyToWrite:
    lights = None if item.lights is None else retimed_lights(item.lights, before, after)
    return replace(item, objects=retimed_objects(item.objects, before, after), lights=lights, tempo=own)


def _last_beat(objects: Objects) -> float:
    ends = [float(columns["beat"].max()) for columns in objects.values() if count(columns)]
    ends += [float(objects[kind]["tail_beat"].max()) for kind in ("arcs", "chains") if count(objects[kind])]
    walls = objects["walls"]
    ends += [float((walls["beat"] + walls["duration_beats"]).max())] if count(walls) else []
    return max(ends, default=0.0)


def _png_chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
