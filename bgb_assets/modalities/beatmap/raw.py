"""Stage raw: recognises one delivered song, reads and checks all of it, and names its parts by content.

Belongs here: how uploads are found below a folder, what identifies one, and the stage's files and facets.
Does not belong here: reading a song (`song`, `difficulty`) and times in seconds (`notes`).
Next in the flow: `cache` decodes the audio, `notes` makes tables of the objects.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bgb_assets.modalities.beatmap.formats.folder import MapFolder, files_below, is_ignored, is_info
from bgb_assets.modalities.beatmap.formats.identities import canonical_json, json_digest
from bgb_assets.modalities.beatmap.formats.reading import content_digest, file_digest, unpacked_bytes
from bgb_assets.modalities.beatmap.formats.song import (
    Song,
    audio_json,
    difficulty_json,
    entry_file,
    facet_name,
    find_audio,
    read_info,
    read_song,
    song_json,
    tempo_json,
)
from bgb_assets.modalities.contract import Found, StageResult

ARCHIVE_SUFFIX = ".zip"

# Reading real maps was measured to take 3 to 7 times the size of their JSON; audio may be decoded whole, and
# Ogg or MP3 as float32 is 15 times the size of its file at 190 kbit/s, more below. Both with room to spare.
_JSON_FACTOR = 12
_AUDIO_FACTOR = 30
_BASE_BYTES = 16 << 20
_JSON_SUFFIXES = (".dat", ".json")
_PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg")


@dataclass(frozen=True)
class RawParams:
    """Nothing to choose: reading a map has one right result."""


def discover(root: Path) -> Iterator[Found]:
    """Yield the uploads below a folder in sorted order; opens no file.

    A folder with an Info file is one upload with all files below it, a zip is one, and so is a folder with
    nothing to descend into, even an empty one: it was delivered, and is told why it cannot be used. Hidden and
    unfinished files are passed over, links to folders are not followed. Paths are relative to `root`; if `root`
    itself is a map, the upload is named after it.
    """
    folders, files = _listing(root)
    if any(is_info(name) for name in files):
        yield Found(root.resolve().name, tuple(sorted(files_below(root))))
        return
    yield from _descend(root, "", folders, files)


def fingerprint(directory: Path) -> Mapping[str, str]:
    """Return the digests of the parts of one upload, without parsing a difficulty.

    `info`: Info and audio data, and where they and the audio lie; `difficulties`: name and content of each
    difficulty file, absent ones included; `audio`: the bytes of the audio file, left out where there is none.
    Map files are hashed un-gzipped.

    Raises:
        BadInput: The Info file cannot be found or read.
    """
    folder, info = read_info(directory)
    audio_file = find_audio(folder, info)
    audio_data = folder.find(info.audio_data_file) if info.audio_data_file else None
    names = sorted({entry.file for entry in info.difficulties if entry.file})
    parts = [folder.info, _digest(folder, folder.info), audio_data, _digest(folder, audio_data), audio_file]
    facets = {
        "info": json_digest(parts),
        "difficulties": json_digest([[name, _digest(folder, folder.find(name))] for name in names]),
    }
    return facets | ({"audio": file_digest(folder.path(audio_file))} if audio_file else {})


def cost_bytes(directory: Path) -> int:
    """Return a bound on the memory one upload takes in a worker, from file sizes alone."""
    total = _BASE_BYTES
    for relative in files_below(directory):
        path, suffix = directory / relative, Path(relative).suffix.lower()
        if suffix in _JSON_SUFFIXES:
            total += _JSON_FACTOR * unpacked_bytes(path)
        elif suffix not in _PICTURE_SUFFIXES:
            total += _AUDIO_FACTOR * path.stat().st_size
    return total


def run(inputs: Mapping[str, Path], params: RawParams | None, out: Path) -> StageResult:
    """Read one upload and write `song.json`, `tempo.json`, `audio.json` and one JSON per readable difficulty.

    What is wrong with one difficulty is its row in `song.json`, with `status` and `reason`.

    Raises:
        BadInput: No Info, an unusable Info, or not one readable difficulty.
    """
    song = read_song(inputs["upload"])
    summary = song_json(song)
    contents = {entry_file(item): difficulty_json(item) for item in song.readable}
    for name, content in contents.items():
        (out / name).write_bytes(content)
    (out / "song.json").write_bytes(canonical_json(summary))
    (out / "tempo.json").write_bytes(canonical_json(tempo_json(song)))
    if song.audio:
        (out / "audio.json").write_bytes(canonical_json({**audio_json(song.audio), "file": song.audio_file}))
    return StageResult(
        facets=_facets(summary, song, contents),
        metadata=_metadata(summary),
        warnings=song.warnings,
        references={"audio": song.audio_file} if song.audio_file else {},
    )


def _facets(summary: Mapping[str, Any], song: Song, contents: Mapping[str, bytes]) -> dict[str, str]:
    """`objects` covers all that `notes` reads: every row without the name of its file, and every object."""
    rows = [{key: value for key, value in row.items() if key != "file"} for row in summary["difficulties"]]
    objects = [[name, contents[name].decode()] for name in sorted(contents)]
    facets = {
        "song": summary["song_hash"],
        "tempo": json_digest(sorted({row["tempo_id"] for row in rows if "tempo_id" in row})),
        "objects": json_digest([rows, objects]),
        "meta": json_digest(summary["song"]),
    }
    for item, row in zip(song.difficulties, rows, strict=True):
        if "beatmap_id" in row:
            facets[f"difficulty.{facet_name(item.info)}"] = row["beatmap_id"]
    return facets | ({"audio": song.audio_id} if song.audio_id else {})


def _metadata(summary: Mapping[str, Any]) -> dict[str, Any]:
    rows = summary["difficulties"]
    return {
        "title": summary["song"]["title"],
        "artist": summary["song"]["artist"],
        "status": summary["status"],
        "audio_seconds": summary["audio"]["seconds"] if summary["audio"] else None,
        "difficulties": {f"{row['characteristic']} {row['difficulty']}": row["status"] for row in rows},
        "notes": {
            f"{row['characteristic']} {row['difficulty']}": row["counts"]["notes"] for row in rows if "counts" in row
        },
        "flags": sorted({flag for row in rows for flag in row.get("flags", ())}),
    }


def _digest(folder: MapFolder, relative: str | None) -> str | None:
    return None if relative is None else content_digest(folder.path(relative), relative)


def _descend(directory: Path, path: str, folders: list[str], files: list[str]) -> Iterator[Found]:
    """Yield what lies in a folder that is no map itself."""
    archives = [name for name in files if name.lower().endswith(ARCHIVE_SUFFIX)]
    for name in sorted([*folders, *archives]):
        child = f"{path}/{name}" if path else name
        if name in archives:
            yield Found(child, (child,))
        else:
            yield from _below(directory / name, child)


def _below(directory: Path, path: str) -> Iterator[Found]:
    folders, files = _listing(directory)
    archives = any(name.lower().endswith(ARCHIVE_SUFFIX) for name in files)
    if any(is_info(name) for name in files) or not (folders or archives):
        yield Found(path, tuple(sorted(f"{path}/{name}" for name in files_below(directory))))
    else:
        yield from _descend(directory, path, folders, files)


def _listing(directory: Path) -> tuple[list[str], list[str]]:
    with os.scandir(directory) as entries:
        seen = [entry for entry in entries if not is_ignored(entry.name)]
    folders = [entry.name for entry in seen if entry.is_dir(follow_symlinks=False)]
    return folders, [entry.name for entry in seen if entry.is_file()]
