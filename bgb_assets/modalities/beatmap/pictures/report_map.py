"""Pictures of a map that lies in no store: one that was just generated, or any folder or zip.

Belongs here: taking one map through the stages of songs in a temporary folder. Does not belong here: which pictures
there are (`report`).
"""

import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from bgb_assets.modalities.beatmap import cache, features, notes, raw
from bgb_assets.modalities.beatmap.pictures.report_song import Asked
from bgb_assets.modalities.beatmap.report import Figures, song_pictures
from bgb_assets.modalities.contract import ArchiveLimits
from bgb_assets.runtime.archives import is_archive, unpack
from bgb_assets.runtime.errors import UsageError


def pictures_of_map(path: Path, asked_nps: Mapping[str, Asked] | None = None) -> Figures:
    """Return the figures of one map by name: `notes-mel`, `notes-grid`, `notes-density` and so on.

    Args:
        path: A folder, or a zip as the game and `bgb generate` have it.
        asked_nps: Difficulty -> notes per second that were asked for, drawn beside what the map has.

    Raises:
        UsageError: There is nothing at `path`, or it is neither a folder nor an archive.
        BadInput: It cannot be read as a map.
    """
    with tempfile.TemporaryDirectory(prefix="bgb-map-") as space:
        entries = _entries(_opened(path, Path(space) / "upload"), Path(space))
        return {
            f"{stage}-{name}": figure
            for stage in ("features", "notes")
            if stage in entries
            for name, figure in song_pictures(stage, entries, asked_nps).items()
        }


def _opened(path: Path, upload: Path) -> Path:
    if path.is_dir():
        return path
    if not is_archive(path):
        raise UsageError(f"{path}: no folder and no zip; name a map's folder or its zip")
    unpack(path, upload, **asdict(ArchiveLimits()))
    return upload


def _entries(upload: Path, space: Path) -> dict[str, Path]:
    """Return stage -> directory of what the stages of songs make of a map; stages with nothing to do are left out."""
    entries = {stage: space / stage for stage in ("raw", "cache", "features", "notes")}
    for out in entries.values():
        out.mkdir()
    audio = raw.run({"upload": upload}, raw.RawParams(), entries["raw"]).references.get("audio")
    heard = {"upload": _only(upload, audio, space / "heard")}
    if cache.run(heard, cache.CacheParams(), entries["cache"]).absent is not None:
        del entries["cache"], entries["features"]
    else:
        features.run(entries, features.FeatureParams(), entries["features"])
    notes.run(entries, notes.NotesParams(), entries["notes"])
    return entries


def _only(upload: Path, file: str | None, folder: Path) -> Path:
    """Return a folder with one file of an upload, at its place, or with none: what stage cache is given."""
    folder.mkdir()
    if file is not None:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).symlink_to((upload / file).resolve())
    return folder
