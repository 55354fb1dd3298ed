"""What is wrong or odd with a scan, as flags: by its headers, and by the sizes of others.

Belongs here: checks that need no voxel. Does not belong here: files that cannot be read at all (`nifti`,
`gzip_stream`, `wholeness` raise what is wrong with them), values and masks (`conform.content`), and what follows from a
flag (`flags.refuse`).
"""

from collections.abc import Mapping, Sequence
from itertools import product
from statistics import median

import numpy as np
from numpy.typing import NDArray

from bgb_assets.modalities.mri.scans.flags import Flag
from bgb_assets.modalities.mri.scans.nifti import AS_STORED, Header, Reading

MAX_GRID_MM = 0.01
MAX_FORMS_MM = 1.0
MAX_OBLIQUITY_DEG = 1.0
OUTLIER_SHARE = 1 / 20
MIN_AXES_VOLUME = 0.01
"""Of the box that three voxel axes of length 1 span; 1 where they are at right angles."""


def header_flags(header: Header, reading: Reading = AS_STORED) -> list[Flag]:
    """Return what a header alone says: sizes, affine, orientation, number of volumes."""
    if not all(np.isfinite(size) and size > 0 for size in header.pixdim_mm):
        return [Flag("bad_voxel_size", f"voxel size must be positive, got {header.pixdim_mm} mm in pixdim")]
    if not _spans_space(header.affine):
        return [Flag("bad_affine", f"the affine loses an axis or is not finite: {header.affine[:3].tolist()}")]
    return [*_orientation_flags(header), *_volume_flags(header, reading)]


def grid_flags(image: Header, mask: Header) -> list[Flag]:
    """Return `mask_grid` where the voxels of a mask do not lie where those of its image do."""
    if image.shape[:3] != mask.shape[:3]:
        return [Flag("mask_grid", f"its shape is {mask.shape[:3]}, the image's {image.shape[:3]}")]
    apart_mm = corner_distance_mm(image.affine, mask.affine, image.shape)
    if apart_mm <= MAX_GRID_MM:
        return []
    message = f"its corners lie up to {apart_mm:.2f} mm from the image's, at most {MAX_GRID_MM} mm are allowed"
    return [Flag("mask_grid", message, _sayable(apart_mm))]


def size_flags(sizes: Mapping[str, tuple[str, int]]) -> dict[str, Flag]:
    """Return `size_outlier` for files much smaller than others of their kind.

    Args:
        sizes: Name -> (kind, such as `T2w .nii.gz`; bytes).
    """
    by_kind: dict[str, list[int]] = {}
    for kind, n_bytes in sizes.values():
        by_kind.setdefault(kind, []).append(n_bytes)
    usual = {kind: median(found) for kind, found in by_kind.items()}
    return {
        name: Flag("size_outlier", f"{n_bytes} bytes, the median of {kind} is {usual[kind]:.0f}", n_bytes)
        for name, (kind, n_bytes) in sizes.items()
        if n_bytes < OUTLIER_SHARE * usual[kind]
    }


def corner_distance_mm(first: NDArray[np.float64], second: NDArray[np.float64], shape: Sequence[int]) -> float:
    """Return the largest distance between the corner voxels of one grid under two affines."""
    corners = np.array(list(product(*((0, n - 1) for n in shape[:3]))), dtype=np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        apart = corners @ (first[:3, :3] - second[:3, :3]).T + (first[:3, 3] - second[:3, 3])
        return float(np.sqrt((apart**2).sum(axis=1)).max())


def _spans_space(affine: NDArray[np.float64]) -> bool:
    """Say whether the three voxel axes point into three directions, however long they are."""
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        lengths = np.sqrt((affine[:3, :3] ** 2).sum(axis=0))
        directions = affine[:3, :3] / lengths
    if not (np.isfinite(affine).all() and np.isfinite(lengths).all() and np.isfinite(directions).all()):
        return False
    return abs(float(np.linalg.det(directions))) >= MIN_AXES_VOLUME


def _orientation_flags(header: Header) -> list[Flag]:
    unknown = Flag("no_orientation", "qform_code and sform_code are 0: left and right are unknown")
    if not header.oriented:
        return [unknown]
    flags = [] if header.assumed is None else [unknown.allowed(f"assume_orientation = {header.assumed}")]
    if header.qform is not None and header.sform_code > 0:
        apart_mm = corner_distance_mm(header.qform, header.affine, header.shape)
        if not apart_mm <= MAX_FORMS_MM:
            message = f"corners lie up to {apart_mm:.2f} mm apart by qform and sform; the sform is used"
            flags.append(Flag("qform_sform", message, _sayable(apart_mm)))
    if header.obliquity_deg > MAX_OBLIQUITY_DEG:
        flags.append(Flag("oblique", f"voxel axes are {header.obliquity_deg:.1f} degrees off", header.obliquity_deg))
    return flags


def _sayable(value: float) -> float | None:
    """Return a number that JSON can hold."""
    return value if np.isfinite(value) else None


def _volume_flags(header: Header, reading: Reading) -> list[Flag]:
    if header.volumes == 1 and reading.volume in (None, 0):
        return []
    found = Flag("not_3d", f"{header.volumes} volumes in shape {header.shape}, expected one", header.volumes)
    if reading.volume is not None and 0 <= reading.volume < header.volumes:
        return [found.allowed(f"volume = {reading.volume}")]
    return [found]
