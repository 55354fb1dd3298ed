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
from bgb_assets.modalities.one_upload import upload_around

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
        upload = upload_around(path, raw.discover, Path(space) / "upload", "scan", "a .nii or .nii.gz file")
        entries = _entries(upload, Path(space))
        return {f"features-{name}": figure for name, figure in pictures("features", entries, Path(space)).items()}


def _entries(upload: Path, space: Path) -> dict[str, Path]:
    entries = {stage: space / stage for stage in _STAGES}
    for out in entries.values():
        out.mkdir()
    given = {"upload": upload, **entries}
    raw.run(given, raw.RawParams(resample_mismatched=True), entries["raw"])
    cache.run(given, None, entries["cache"])
    features.run(given, ConformParams(resample_mismatched=True, allow_empty=True), entries["features"])
    return entries
