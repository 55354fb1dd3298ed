"""Stage cache: the files of one scan byte for byte, and the digests of the volumes they hold.

Belongs here: keeping bytes as they came, and the one inflation of each that its volume digest costs. Does not belong
here: decoding for use (`features`, `notes`), checks of headers (`raw`). Next in the flow: `features` and `notes`.
"""

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bgb_assets.modalities.contract import StageResult
from bgb_assets.modalities.mri.pairing.names import is_nifti
from bgb_assets.modalities.mri.raw import SCAN_FILE
from bgb_assets.modalities.mri.scans.cached import CACHE_FILE, ROLES, limits_of
from bgb_assets.modalities.mri.scans.flags import BadScan, bad
from bgb_assets.modalities.mri.scans.nifti import Reading
from bgb_assets.modalities.mri.scans.volumes import volume_digest
from bgb_assets.storage.digests import canonical_json, sha256_file


def run(inputs: Mapping[str, Path], params: None, out: Path) -> StageResult:
    """Write `image.nii[.gz]` and `mask.nii[.gz]`, unchanged, and `cache.json`.

    The files of the upload are told apart by their content, as raw recorded it: their names are free to change.

    Raises:
        BadScan: `gzip_crc`, `gzip_truncated`, `data_short`: what only reading a file to its end shows;
            `digest_mismatch`: a file is not the one that raw saw.
    """
    summary = json.loads((inputs["raw"] / SCAN_FILE).read_text("utf-8"))
    listed = {role: _keep(inputs["upload"], role, summary[role], out) for role in ROLES}
    (out / CACHE_FILE).write_bytes(canonical_json(listed) + b"\n")
    held = {role: file for role, file in listed.items() if file is not None}
    return StageResult(
        facets={f"{role}_volume": file["volume_digest"] for role, file in held.items()},
        metadata={f"{role}_bytes": (out / file["file"]).stat().st_size for role, file in held.items()},
    )


def _keep(upload: Path, role: str, said: Mapping[str, Any] | None, out: Path) -> dict[str, Any] | None:
    """Copy one file and return what `cache.json` says of it."""
    if said is None:
        return None
    target = out / f"{role}.{said['format']}"
    _copy(_of_digest(upload, said["sha256"], said["bytes"]), target)
    try:
        digest = volume_digest(target, Reading(**said["reading"]), limits_of(target))
    except BadScan as error:
        raise BadScan(*(flag.about(role) for flag in error.flags)) from error
    return {"file": target.name, "sha256": said["sha256"], "volume_digest": digest, "reading": said["reading"]}


def _of_digest(upload: Path, sha256: str, n_bytes: int) -> Path:
    """Return the file of the upload that holds these bytes."""
    for path in sorted(upload.rglob("*")):
        if is_nifti(path.name) and path.stat().st_size == n_bytes and sha256_file(path) == sha256:
            return path
    raise bad("digest_mismatch", f"no file of the upload has {n_bytes} bytes with SHA-256 {sha256}")


def _copy(origin: Path, target: Path) -> None:
    """Copy a file; where the disk can, both share their blocks until one is changed."""
    with origin.open("rb") as source, target.open("wb") as sink:
        left = os.fstat(source.fileno()).st_size
        try:
            while left and (copied := os.copy_file_range(source.fileno(), sink.fileno(), left)):
                left -= copied
        except (OSError, AttributeError):  # another file system, or macOS, which has no such call
            source.seek(0)
            sink.seek(0)
            shutil.copyfileobj(source, sink, 1 << 20)
