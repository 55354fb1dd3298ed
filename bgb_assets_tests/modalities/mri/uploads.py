"""Uploads of one scan, run through stages raw and cache in directories of a test."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

from bgb_assets.modalities.contract import StageResult
from bgb_assets.modalities.mri import cache, raw
from bgb_assets_tests.modalities.mri.nifti_files import nifti, packed, put

IMAGE = "sub-M1_ses-2_acq-spc3_T2w.nii.gz"
MASK = "sub-M1_ses-2_acq-spc3_T2w_desc-lesion_mask.nii.gz"


def write_upload(folder: Path, files: Mapping[str, bytes | Path] | None = None) -> Path:
    """Write an upload: bytes as they are, paths as copies; without any, a small image."""
    for name, content in ({IMAGE: packed(nifti())} if files is None else files).items():
        put(folder / name, content.read_bytes() if isinstance(content, Path) else content)
    return folder


def run_raw(upload: Path, out: Path, **params) -> StageResult:
    """Run stage raw on a directory."""
    out.mkdir()
    return raw.run({"upload": upload}, raw.RawParams(**params), out)


def run_cache(upload: Path, raw_out: Path, out: Path) -> StageResult:
    """Run stage cache with what raw wrote."""
    out.mkdir()
    return cache.run({"upload": upload, "raw": raw_out}, None, out)


def chain(upload: Path, work: Path, **params) -> tuple[StageResult, StageResult]:
    """Run both stages anew below a folder; return what they found."""
    for stage in ("raw", "cache"):
        shutil.rmtree(work / stage, ignore_errors=True)
    work.mkdir(parents=True, exist_ok=True)
    return run_raw(upload, work / "raw", **params), run_cache(upload, work / "raw", work / "cache")


def summary_of(work: Path) -> dict:
    """Return `scan.json`."""
    return json.loads((work / "raw" / "scan.json").read_text())


def listed_of(work: Path) -> dict:
    """Return `cache.json`."""
    return json.loads((work / "cache" / "cache.json").read_text())
