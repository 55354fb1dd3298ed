"""Stage cache: the files of one scan byte for byte, and the digests of the volumes they hold.

Each file is a part of its own, known by its bytes: one that two scans share is kept once, and a new mask leaves the
image where it is.

Belongs here: keeping bytes as they came, and the one inflation of each that its volume digest costs. Does not belong
here: decoding for use (`features`, `notes`, by `scans.cached`), checks of headers (`raw`). Next in the flow: `features`
and `notes`.
"""

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bgb_assets.modalities.contract import PartPlan, StageResult
from bgb_assets.modalities.mri.pairing.names import is_nifti
from bgb_assets.modalities.mri.raw import SCAN_FILE
from bgb_assets.modalities.mri.scans.cached import CACHE_FILE, ROLES, limits_of
from bgb_assets.modalities.mri.scans.flags import BadScan, bad
from bgb_assets.modalities.mri.scans.nifti import Reading
from bgb_assets.modalities.mri.scans.volumes import volume_digest
from bgb_assets.storage.digests import canonical_json, sha256_file, sha256_json

PART_FILE = "volume.json"
"""Of each part, beside the file itself: its name, its SHA-256, how it is read, and the digest of its volume."""


def plan(inputs: Mapping[str, Path], params: None) -> dict[str, PartPlan]:
    """Return the files of the scan, `image` and `mask`, each made of its bytes and of how it is to be read."""
    summary = _summary(inputs)
    known = {role: [summary[role]["sha256"], summary[role]["reading"]] for role in ROLES if summary[role] is not None}
    return {role: PartPlan(facets={"file": sha256_json(file)}) for role, file in known.items()}


def run_part(role: str, inputs: Mapping[str, Path], params: None, out: Path) -> StageResult:
    """Write one file unchanged, as `scan.nii` or `scan.nii.gz`, and `volume.json`.

    The files of the upload are told apart by their content, as raw recorded it: their names are free to change.

    Raises:
        BadScan: `gzip_crc`, `gzip_truncated`, `data_short`: what only reading a file to its end shows;
            `digest_mismatch`: no file is the one that raw saw.
    """
    said = _summary(inputs)[role]
    target = keep(inputs["upload"], said, out)
    try:
        digest = volume_digest(target, Reading(**said["reading"]), limits_of(target))
    except BadScan as error:
        raise BadScan(*(flag.about(role) for flag in error.flags)) from error
    kept = {"file": target.name, "sha256": said["sha256"], "volume_digest": digest, "reading": said["reading"]}
    (out / PART_FILE).write_bytes(canonical_json(kept) + b"\n")
    return StageResult(metadata={"bytes": said["bytes"]})


def keep(upload: Path, said: Mapping[str, Any], out: Path) -> Path:
    """Copy the file that `scan.json` describes as `image` or `mask`, inflating nothing; return the copy.

    Raises:
        BadScan: `digest_mismatch`.
    """
    target = out / f"scan.{said['format']}"
    _copy(_of_digest(upload, said["sha256"], said["bytes"]), target)
    return target


def run(inputs: Mapping[str, Path], params: None, out: Path) -> StageResult:
    """Write `cache.json`: of image and mask what `volume.json` of their parts says, files with the part's name.

    Without the parts, which the engine hands over, they are made below `out`.

    Raises:
        BadScan: As `run_part`.
    """
    parts = inputs["parts"] if "parts" in inputs else _made_below(out, inputs)
    listed = {role: _listed(parts, role) for role in ROLES}
    (out / CACHE_FILE).write_bytes(canonical_json(listed) + b"\n")
    held = {role: file for role, file in listed.items() if file is not None}
    return StageResult(
        facets={f"{role}_volume": file["volume_digest"] for role, file in held.items()},
        metadata={f"{role}_bytes": (parts / file["file"]).stat().st_size for role, file in held.items()},
    )


def _summary(inputs: Mapping[str, Path]) -> dict[str, Any]:
    summary: dict[str, Any] = json.loads((inputs["raw"] / SCAN_FILE).read_text("utf-8"))
    return summary


def _made_below(out: Path, inputs: Mapping[str, Path]) -> Path:
    for role in plan(inputs, None):
        (out / role).mkdir()
        run_part(role, inputs, None, out / role)
    return out


def _listed(parts: Path, role: str) -> dict[str, Any] | None:
    path = parts / role / PART_FILE
    if not path.is_file():
        return None
    kept: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return kept | {"file": f"{role}/{kept['file']}"}


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
