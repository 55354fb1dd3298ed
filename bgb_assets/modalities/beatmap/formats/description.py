"""What a map is, for a person who has it in front of them: files and versions, song, audio, tempo, difficulties.

Belongs here: collecting what was read. Does not belong here: reading (`song`), how good a map is (`evaluation`).
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bgb_assets.modalities.beatmap.formats.difficulty import Difficulty, Unusable
from bgb_assets.modalities.beatmap.formats.identities import tempo_id
from bgb_assets.modalities.beatmap.formats.reading import read_json
from bgb_assets.modalities.beatmap.formats.song import (
    Song,
    audio_json,
    difficulty_row,
    read_info,
    read_song,
    song_identity,
)
from bgb_assets.modalities.beatmap.formats.tempo import TempoMap
from bgb_assets.modalities.beatmap.measures.quality import played
from bgb_assets.modalities.beatmap.tables.timing import notes_per_second
from bgb_assets.runtime.errors import BadInput


def describe(directory: Path) -> dict[str, Any]:
    """Return what a map is, as a JSON value.

    Raises:
        BadInput: No Info, an unusable Info, or not one readable difficulty.
    """
    song = read_song(directory)
    info = song.info
    return {
        "title": info.title,
        "subtitle": info.subtitle,
        "artist": info.artist,
        "mappers": list(info.mappers),
        "bpm": info.bpm,
        "song_time_offset_s": info.song_time_offset_s,
        "shuffle": info.shuffle,
        "status": song.status,
        "song_hash": song_identity(song),
        "audio": {**audio_json(song.audio), "file": song.audio_file} if song.audio else None,
        "files": _files(directory, song),
        "difficulties": [_difficulty(one) for one in song.difficulties],
        "tempo_maps": {tempo_id(one.tempo): _tempo(one.tempo) for one in song.readable},
        "warnings": list(song.warnings),
    }


def _files(directory: Path, song: Song) -> list[dict[str, str]]:
    """Return each file of the map that has a version, and that version."""
    folder, info = read_info(directory)
    files = [{"file": folder.info, "version": info.version.text}]
    files += [{"file": one.info.file, "version": one.version.text} for one in song.readable]
    audio_data = folder.find(info.audio_data_file) if info.audio_data_file else None
    if audio_data is not None:
        files.append({"file": audio_data, "version": _stated_version(folder.path(audio_data), audio_data)})
    return files


def _stated_version(path: Path, label: str) -> str:
    """Return what a file says its version is; why it cannot be read is among the map's warnings."""
    try:
        document = read_json(path, label)
    except BadInput:
        return "unreadable"
    stated = (document.get(key) for key in ("version", "_version")) if isinstance(document, Mapping) else ()
    return next((text for text in stated if isinstance(text, str)), "none")


def _difficulty(one: Difficulty | Unusable) -> dict[str, Any]:
    """Return the row of `song.json` with what a person asks next; what is unknown of an unusable one is null."""
    row = difficulty_row(one) | {"length_s": None, "first_s": None, "last_s": None, "nps": None}
    row.pop("entry_file", None)
    if isinstance(one, Unusable):
        return row | {"remedy": one.remedy}
    notes = played(one.parsed.objects["notes"])
    times_s = one.tempo.time(notes["beat"])
    if len(times_s):
        first_s, last_s = float(times_s.min()), float(times_s.max())
        row |= {"first_s": first_s, "last_s": last_s, "length_s": last_s - first_s}
    return row | {"nps": notes_per_second(times_s), "remedy": None}


def _tempo(tempo: TempoMap) -> dict[str, Any]:
    rows = np.stack([tempo.beats, tempo.seconds, tempo.bpms], axis=1).tolist()
    return {
        "changes": tempo.changes,
        "min_bpm": float(tempo.bpms.min()),
        "max_bpm": float(tempo.bpms.max()),
        "pieces": [{"beat": beat, "time_s": time_s, "bpm": bpm} for beat, time_s, bpm in rows],
    }


def lines(described: Mapping[str, Any]) -> Iterator[str]:
    """Yield the sentences of a description that stand above its table of difficulties."""
    by = f" by {described['artist']}" if described["artist"] else ""
    mapped = f", mapped by {', '.join(described['mappers'])}" if described["mappers"] else ""
    yield f"{described['title'] or '(no title)'}{by}{mapped}"
    yield f"song_hash {described['song_hash']}, status {described['status']}"
    yield _audio_line(described["audio"])
    for identity, tempo in described["tempo_maps"].items():
        bpm = f"{tempo['min_bpm']:g}" if not tempo["changes"] else f"{tempo['min_bpm']:g} to {tempo['max_bpm']:g}"
        yield f"tempo {identity}: {bpm} BPM, {tempo['changes']} changes"
    yield "files: " + ", ".join(f"{file['file']} ({file['version']})" for file in described["files"])


def _audio_line(audio: Mapping[str, Any] | None) -> str:
    if audio is None:
        return "audio: none"
    seconds = "unknown length" if audio["seconds"] is None else f"{audio['seconds']:.3f} s"
    return (
        f"audio: {audio['file']}, {audio['codec']}, {audio['rate_hz']} Hz, {audio['channels']} channels, {seconds}, "
        f"audio_id {audio['audio_id']}"
    )
