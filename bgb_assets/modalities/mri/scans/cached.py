"""The files of one scan as stage cache keeps them: opened the way raw was told to read them.

Belongs here: what `cache.json` says of a file, and reading by it. Does not belong here: writing it (stage `cache`).
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from bgb_assets.modalities.mri.scans.limits import LIMITS, Limits
from bgb_assets.modalities.mri.scans.nifti import Reading, read_header
from bgb_assets.modalities.mri.scans.volumes import Volume, open_voxels

CACHE_FILE = "cache.json"
_ANY_SIZE = Limits(1 << 62, 1 << 31, 1 << 62)

Role = Literal["image", "mask"]
ROLES: tuple[Role, ...] = ("image", "mask")


def cached_file(cache: Path, role: Role) -> Mapping[str, Any] | None:
    """Return what `cache.json` says of one file: `file`, `sha256`, `volume_digest`, `reading`; or None."""
    listed: Mapping[str, Any] | None = json.loads((cache / CACHE_FILE).read_text("utf-8"))[role]
    return listed


def open_cached(cache: Path, role: Role) -> Volume | None:
    """Read the image or the mask of a scan: the volume that was chosen, in the orientation that was stated.

    Raises:
        BadScan: What `open_voxels` raises.
    """
    listed = cached_file(cache, role)
    if listed is None:
        return None
    path = cache / listed["file"]
    return open_voxels(path, Reading(**listed["reading"]), limits_of(path))


def limits_of(path: Path) -> Limits:
    """Return limits that a file just keeps: raw has held its header against those that are set."""
    header = read_header(path, limits=_ANY_SIZE)
    return Limits(
        max(LIMITS.max_inflated_bytes, header.file_bytes),
        max(LIMITS.max_axis, *header.shape[:3]),
        max(LIMITS.max_offset_bytes, header.vox_offset),
    )
