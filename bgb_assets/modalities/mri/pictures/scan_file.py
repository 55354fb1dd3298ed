"""Pictures of a scan that lies in no store: any file that can be read, with the mask that lies beside it.

Belongs here: taking one scan through the stages of uploads in a temporary folder. Does not belong here: which pictures
there are (`report`).
"""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bgb_assets.modalities.mri import cache, features, raw
from bgb_assets.modalities.mri.conform.params import ConformParams
from bgb_assets.modalities.mri.report import pictures
from bgb_assets.runtime.errors import UsageError

_STAGES = ("raw", "cache", "features")


def file_pictures(path: Path) -> Mapping[str, Any]:
    """Return the figures of one scan by name: `features-montage`, `features-planes`.

    Args:
        path: A NIfTI file, whose mask may lie beside it but need not, or a folder with one scan.

    Raises:
        UsageError: There is nothing at `path`, or no scan.
        BadInput: The scan or its mask cannot be used.
    """
    with tempfile.TemporaryDirectory(prefix="bgb-mri-") as space:
        entries = _entries(_upload(path, Path(space) / "upload"), Path(space))
        return {f"features-{name}": figure for name, figure in pictures("features", entries, Path(space)).items()}


def _upload(path: Path, upload: Path) -> Path:
    """Return a directory with the scan and its mask, linked where they lie."""
    if path.is_dir():
        return path
    if not path.is_file():
        raise UsageError(f"{path}: there is no such file; name a scan or its folder")
    found = next((one for one in raw.discover(path.parent) if path.name in one.files), None)
    if found is None:
        raise UsageError(f"{path}: no scan that can be read; name a .nii or .nii.gz file")
    for name in found.files:
        (upload / name).parent.mkdir(parents=True, exist_ok=True)
        (upload / name).symlink_to((path.parent / name).resolve())
    return upload


def _entries(upload: Path, space: Path) -> dict[str, Path]:
    entries = {stage: space / stage for stage in _STAGES}
    for out in entries.values():
        out.mkdir()
    given = {"upload": upload, **entries}
    raw.run(given, raw.RawParams(resample_mismatched=True), entries["raw"])
    cache.run(given, None, entries["cache"])
    features.run(given, ConformParams(resample_mismatched=True, allow_empty=True), entries["features"])
    return entries
