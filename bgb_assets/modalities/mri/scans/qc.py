"""What is wrong or odd with a scan, as flags: by its headers, by its voxels, by what other scans are.

Belongs here: the checks of grids, values and masks. Does not belong here: files that cannot be read at all (`nifti`,
`gzip_stream`, `wholeness` raise what is wrong with them), and what follows from a flag (`flags.refuse`).
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bgb_assets.modalities.mri.scans.flags import Flag
from bgb_assets.modalities.mri.scans.nifti import AS_STORED, Header, Reading
from bgb_assets.modalities.mri.scans.volumes import Volume

MAX_GRID_MM = 0.01
MAX_FORMS_MM = 1.0
MAX_OBLIQUITY_DEG = 1.0
MAX_MASK_SHARE = 0.5
MAX_OFF_HEAD_SHARE = 0.05
MAX_IMAGE_LOSS = 1e-3
OUTLIER_SHARE = 1 / 20


def header_flags(header: Header, reading: Reading = AS_STORED) -> list[Flag]:
    """Return what a header alone says: sizes, affine, orientation, number of volumes."""
    if not all(np.isfinite(size) and size > 0 for size in header.pixdim_mm):
        return [Flag("bad_voxel_size", f"voxel size must be positive, got {header.pixdim_mm} mm in pixdim")]
    if not np.isfinite(header.affine).all() or abs(np.linalg.det(header.affine[:3, :3])) < 1e-9:
        return [Flag("bad_affine", f"the affine is singular or not finite: {header.affine[:3].tolist()}")]
    return [*_orientation_flags(header), *_volume_flags(header, reading)]


def grid_flags(image: Header, mask: Header) -> list[Flag]:
    """Return `mask_grid` where the voxels of a mask do not lie where those of its image do."""
    if image.shape[:3] != mask.shape[:3]:
        return [Flag("mask_grid", f"its shape is {mask.shape[:3]}, the image's {image.shape[:3]}")]
    apart_mm = corner_distance_mm(image.affine, mask.affine, image.shape)
    if apart_mm <= MAX_GRID_MM:
        return []
    message = f"its corners lie up to {apart_mm:.2f} mm from the image's, at most {MAX_GRID_MM} mm are allowed"
    return [Flag("mask_grid", message, apart_mm)]


def image_flags(image: Volume) -> list[Flag]:
    """Return `non_finite` or `constant_image`."""
    if flags := _finite_flags(image.voxels):
        return flags
    low, high = image.voxels.min(), image.voxels.max()
    return [Flag("constant_image", f"every voxel is {low!s}", float(low))] if low == high else []


def mask_flags(mask: Volume, image: Volume | None = None, *, allow_empty: bool = False) -> list[Flag]:
    """Return what a mask's values say; with its image on the same grid, where it lies in the head too."""
    if flags := _finite_flags(mask.voxels):
        return flags
    values = _nonzero_values(mask)
    low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 0.0)
    if high <= 0:
        empty = Flag("mask_empty", "no voxel is above 0")
        return [empty.allowed("allow_empty") if allow_empty else empty]
    if low != high:
        found = np.unique(values)
        message = f"{len(found)} values other than 0, from {low:g} to {high:g}; one is expected"
        return [Flag("mask_labels", message, [float(value) for value in found[:10]])]
    flags = [] if high == 1 else [Flag("mask_scaled", f"its value is {high:g}, not 1: all above 0 is lesion", high)]
    return flags if image is None or image.voxels.shape != mask.voxels.shape else [*flags, *_head_flags(mask, image)]


def crop_flags(lost_lesion_voxels: int, lost_image_share: float) -> list[Flag]:
    """Return `crop_loss` for what falls outside the conformed box; what is lost of the image alone is a warning."""
    if lost_lesion_voxels:
        message = f"{lost_lesion_voxels} lesion voxels lie outside the conformed volume"
        return [Flag("crop_loss", message, lost_lesion_voxels)]
    if lost_image_share > MAX_IMAGE_LOSS:
        message = f"{lost_image_share:.2%} of the image's sum lies outside the conformed volume"
        return [Flag("crop_loss", message, lost_image_share, level="warn")]
    return []


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


def duplicate_flags(scans: Iterable[tuple[str, str, str]]) -> dict[str, Flag]:
    """Return `duplicate_content` for scans of two subjects that hold one image.

    Args:
        scans: (upload, subject, volume digest of the image).
    """
    holders: dict[str, list[tuple[str, str]]] = {}
    for upload, subject, digest in scans:
        holders.setdefault(digest, []).append((upload, subject))
    return {
        upload: _duplicate(held)
        for held in holders.values()
        if len({subject for _, subject in held}) > 1
        for upload, _ in held
    }


def corner_distance_mm(first: NDArray[np.float64], second: NDArray[np.float64], shape: Sequence[int]) -> float:
    """Return the largest distance between the corner voxels of one grid under two affines."""
    corners = np.array(list(product(*((0, n - 1) for n in shape[:3]))), dtype=np.float64)
    apart = corners @ (first[:3, :3] - second[:3, :3]).T + (first[:3, 3] - second[:3, 3])
    return float(np.sqrt((apart**2).sum(axis=1)).max())


def _orientation_flags(header: Header) -> list[Flag]:
    unknown = Flag("no_orientation", "qform_code and sform_code are 0: left and right are unknown")
    if not header.oriented:
        return [unknown]
    flags = [] if header.assumed is None else [unknown.allowed(f"assume_orientation = {header.assumed}")]
    if header.qform is not None and header.sform_code > 0:
        apart_mm = corner_distance_mm(header.qform, header.affine, header.shape)
        if not apart_mm <= MAX_FORMS_MM:
            message = f"corners lie up to {apart_mm:.2f} mm apart by qform and sform; the sform is used"
            flags.append(Flag("qform_sform", message, apart_mm if np.isfinite(apart_mm) else None))
    if header.obliquity_deg > MAX_OBLIQUITY_DEG:
        flags.append(Flag("oblique", f"voxel axes are {header.obliquity_deg:.1f} degrees off", header.obliquity_deg))
    return flags


def _volume_flags(header: Header, reading: Reading) -> list[Flag]:
    if header.volumes == 1 and reading.volume in (None, 0):
        return []
    found = Flag("not_3d", f"{header.volumes} volumes in shape {header.shape}, expected one", header.volumes)
    if reading.volume is not None and 0 <= reading.volume < header.volumes:
        return [found.allowed(f"volume = {reading.volume}")]
    return [found]


def _finite_flags(voxels: NDArray[Any]) -> list[Flag]:
    if voxels.dtype.kind != "f" or (np.isfinite(voxels.min()) and np.isfinite(voxels.max())):
        return []
    wrong = ~np.isfinite(voxels)
    first = np.unravel_index(int(wrong.ravel(order="F").argmax()), voxels.shape, order="F")
    index = [int(place) for place in first]
    n_wrong = int(wrong.sum())
    return [
        Flag("non_finite", f"{n_wrong} voxels are not finite, the first at {index}", {"n": n_wrong, "first": index})
    ]


def _nonzero_values(volume: Volume) -> NDArray[np.float64]:
    """Return the scaled values that are not 0, in no order that matters."""
    raw, header = volume.voxels, volume.header
    if header.inter == 0:
        nonzero: NDArray[np.float64] = raw[raw != 0].astype(np.float64) * header.slope
        return nonzero
    values = raw.astype(np.float64) * header.slope + header.inter
    return values[values != 0]


def _head_flags(mask: Volume, image: Volume) -> list[Flag]:
    lesion = mask.voxels * mask.header.slope + mask.header.inter > 0 if mask.header.inter else mask.voxels != 0
    head = image.voxels != -image.header.inter / image.header.slope
    n_lesion, n_head = int(np.count_nonzero(lesion)), int(np.count_nonzero(head))
    if n_lesion > MAX_MASK_SHARE * n_head:
        message = f"{n_lesion} voxels, more than half of the image's {n_head} that are not 0"
        return [Flag("mask_huge", message, n_lesion / max(n_head, 1))]
    off = int(np.count_nonzero(lesion & ~head))
    if off <= MAX_OFF_HEAD_SHARE * n_lesion:
        return []
    return [Flag("mask_off_head", f"{off} of {n_lesion} voxels lie where the image is 0", off / n_lesion)]


def _duplicate(held: Sequence[tuple[str, str]]) -> Flag:
    named = ", ".join(f"{upload} ({subject})" for upload, subject in sorted(held))
    return Flag(
        "duplicate_content", f"one image under several subjects: {named}", [upload for upload, _ in sorted(held)]
    )
