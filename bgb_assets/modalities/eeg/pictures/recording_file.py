"""Pictures of a recording that lies in no store: any file that can be read, with the labels that lie beside it.

Belongs here: taking one recording through the stages of uploads in a temporary folder. Does not belong here: which
pictures there are (`report`).
"""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bgb_assets.modalities.eeg import cache, features, notes, raw
from bgb_assets.modalities.eeg.report import pictures
from bgb_assets.modalities.eeg.signal.params import FeatureParams
from bgb_assets.runtime.errors import UsageError

_STAGES = ("raw", "cache", "features", "notes")


def file_pictures(path: Path) -> Mapping[str, Any]:
    """Return the figures of one recording by name: `features-quality`, `notes-traces` and so on.

    Args:
        path: A recording file, whose labels may lie beside it but need not, or a folder with one recording.

    Raises:
        UsageError: There is nothing at `path`, or no recording.
        BadInput: The recording or its labels cannot be read.
    """
    with tempfile.TemporaryDirectory(prefix="bgb-eeg-") as space:
        entries = _entries(_upload(path, Path(space) / "upload"), Path(space))
        return {
            f"{stage}-{name}": figure
            for stage in ("features", "notes")
            for name, figure in pictures(stage, entries, Path(space)).items()
        }


def _upload(path: Path, upload: Path) -> Path:
    """Return a directory with the recording and its labels, linked where they lie."""
    if path.is_dir():
        return path
    if not path.is_file():
        raise UsageError(f"{path}: there is no such file; name a recording or its folder")
    found = next((one for one in raw.discover(path.parent) if path.name in one.files), None)
    if found is None:
        raise UsageError(f"{path}: no recording that can be read; name an EDF, BDF, BrainVision or EEGLAB file")
    for name in found.files:
        (upload / name).parent.mkdir(parents=True, exist_ok=True)
        (upload / name).symlink_to((path.parent / name).resolve())
    return upload


def _entries(upload: Path, space: Path) -> dict[str, Path]:
    entries = {stage: space / stage for stage in _STAGES}
    for out in entries.values():
        out.mkdir()
    given = {"upload": upload, **entries}
    raw.run(given, raw.RawParams(unlabelled="inference_only"), entries["raw"])
    cache.run(given, cache.CacheParams(), entries["cache"])
    features.run(given, FeatureParams(), entries["features"])
    notes.run(given, notes.NotesParams(), entries["notes"])
    return entries
