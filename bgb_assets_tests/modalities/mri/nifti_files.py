"""NIfTI files for tests: real ones, small ones made with nibabel, and ways to damage them."""

import gzip
import struct
from importlib.resources import files
from pathlib import Path

import nibabel
import numpy as np
import pytest

from bgb_assets_tests.fixtures import shared_data

DIM, DATATYPE, PIXDIM, VOX_OFFSET, SLOPE, DESCRIP, QFORM_CODE, SFORM_CODE, QUATERN, SROW = (
    *(40, 70, 76, 108, 112, 148, 252, 254, 256, 280),
)
"""Offsets in a NIfTI-1 header; `SLOPE` has the intercept behind it."""

AFFINE = np.array([[-2.0, 0, 0, 40], [0, 1.5, 0, -30], [0, 0, 3, -20], [0, 0, 0, 1]])
ODD_FORMS = ("anatomical.nii", "functional.nii", "example4d.nii.gz", "example_nifti2.nii.gz")
"""Of nibabel's own test data: big-endian, scaled with 20 volumes, compressed with 2 volumes, NIfTI-2."""


def of_nibabel(name: str) -> Path:
    """Return one of nibabel's own test files, or skip."""
    path = Path(str(files("nibabel") / "tests/data" / name))
    if not path.is_file():
        pytest.skip(f"fixtures absent: this nibabel has no tests/data/{name}")
    return path


def patient(number: str, kind: str) -> Path:
    """Return a head of open_ms, `T2` or `FLAIR`, or its expert mask, `GOLD`."""
    (path,) = (shared_data("mri") / "open_ms" / f"patient{number}").glob(f"{kind}*.nii.gz")
    return path


def voxels(shape=(5, 6, 7), dtype="<i2", seed=0):
    """Return voxels that are all different in kind: positive, negative, zero."""
    return np.random.default_rng(seed).integers(-99, 99, shape).astype(dtype)


def nifti(array=None, affine=AFFINE, *, version=1, endianness="<", sform_code=2, qform_code=0) -> bytes:
    """Return an uncompressed file."""
    array = voxels() if array is None else array
    made = nibabel.Nifti1Header if version == 1 else nibabel.Nifti2Header
    image = (nibabel.Nifti1Image if version == 1 else nibabel.Nifti2Image)(
        array, affine, made(endianness=endianness), dtype=array.dtype
    )
    image.set_sform(affine, sform_code)
    image.set_qform(affine, qform_code)
    return image.to_bytes()


def patched(data: bytes, offset: int, kind: str, *values) -> bytes:
    """Return a header with numbers written over it."""
    packed = struct.pack(kind, *values)
    return data[:offset] + packed + data[offset + len(packed) :]


def packed(data: bytes, level: int = 6) -> bytes:
    """Compress as a scanner's export would, without a name or a time."""
    return gzip.compress(data, level, mtime=0)


def put(path: Path, data: bytes) -> Path:
    """Write a file with the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path
