"""Scans as stage cache leaves them, of real files and of small arrays."""

import json
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np

from bgb_assets.modalities.mri.scans.nifti import Reading
from bgb_assets.modalities.mri.scans.volumes import volume_digest
from bgb_assets_tests.fixtures import shared_data

IMAGE = "T2_N4_noneck_reduced_winsor_regtoFLAIR_brain_N4_regtoMNI.nii.gz"
FLAIR = "FLAIR_N4_noneck_reduced_winsor_regtoFLAIR_brain_N4_regtoMNI.nii.gz"
MASK = "GOLD_STANDARD_N4_noneck_reduced_winsor_regtoFLAIR_regtoMNI.nii.gz"
FACTS = {"subject": "M2001", "session": "1253", "modality": "T2w", "acquisition": "space_2x", "pair_method": "stem"}


def head(patient: str) -> tuple[Path, Path]:
    """Return the T2 image and the expert's mask of a patient."""
    folder = shared_data("mri") / "open_ms" / patient
    return folder / IMAGE, folder / MASK


def oblique() -> tuple[Path, Path]:
    """Return an oblique image of thick slices and its mask, which lies on another grid."""
    folder = shared_data("mri") / "open_ms" / "raw" / "patient20"
    return folder / "study2_FLAIR.nii.gz", folder / "gt.nii.gz"


def strokes() -> list[Path]:
    """Return the sixty stroke masks."""
    return sorted((shared_data("mri") / "lesymap").glob("*.nii.gz"))


def write_volume(path: Path, values: np.ndarray, affine=None, slope=None, inter=0.0) -> Path:
    """Write an array as it is, in its own type, with a scaling beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nib.Nifti1Image(values, np.eye(4) if affine is None else affine)
    image.header.set_data_dtype(values.dtype)
    image.set_sform(image.affine, 1)
    if slope is None:
        image.to_filename(path)
        return path
    image.header.set_slope_inter(1.0, 0.0)
    image.to_filename(path)
    content = bytearray(path.read_bytes())
    content[112:120] = np.array([slope, inter], "<f4").tobytes()
    path.write_bytes(content)
    return path


def cached(folder: Path, image: Path | None = None, mask: Path | None = None, **reading) -> Path:
    """Return a folder with these files and `cache.json`."""
    folder.mkdir(parents=True)
    listed = {
        role: None if path is None else _kept(folder, role, path, reading)
        for role, path in (("image", image), ("mask", mask))
    }
    (folder / "cache.json").write_text(json.dumps(listed))
    return folder


def noted(folder: Path, flags=(), participant=None, **facts) -> Path:
    """Return a folder with `scan.json`."""
    folder.mkdir(parents=True)
    listed = [{"code": code, "level": "warn", "message": "", "value": None} for code in flags]
    content = FACTS | facts | {"flags": listed, "participant": participant or {}}
    (folder / "scan.json").write_text(json.dumps(content))
    return folder


def _kept(folder: Path, role: str, path: Path, reading: dict) -> dict:
    said = {"volume": None, "orientation": None} | (reading if role == "image" else {})
    file = f"{role}{'.nii.gz' if path.name.endswith('gz') else '.nii'}"
    shutil.copyfile(path, folder / file)
    digest = volume_digest(folder / file, Reading(**said))
    return {"file": file, "sha256": "0" * 64, "volume_digest": digest, "reading": said}
