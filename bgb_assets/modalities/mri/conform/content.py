"""What only the voxels of a scan and its mask can show to be wrong, at their first full read.

Belongs here: findings about values, about a mask in a head, about what falls outside the conformed box. Does not
belong here: what headers tell (`scans.qc`), the codes and their remedies (`scans.flags`).
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bgb_assets.modalities.mri.conform.opened import Opened
from bgb_assets.modalities.mri.scans import qc
from bgb_assets.modalities.mri.scans.flags import Flag

MAX_MASK_SHARE = 0.5
MAX_OFF_HEAD_SHARE = 0.05
MAX_IMAGE_LOSS = 1e-3

_VALUES_SHOWN = 10


def grid_flags(image: Opened | None, mask: Opened | None) -> list[Flag]:
    """Return `mask_grid` where a mask does not lie on the grid of its image; nothing where one of both is missing."""
    if image is None or mask is None:
        return []
    return [flag.about("mask") for flag in qc.grid_flags(image.volume.header, mask.volume.header)]


def content_flags(image: Opened | None, mask: Opened | None, *, allow_empty: bool) -> list[Flag]:
    """Return what is wrong or odd with the voxels of a scan.

    Args:
        image: The image; `non_finite`, `constant_image`.
        mask: The mask; `non_finite`, `mask_empty`, `mask_labels`, `mask_scaled`, and on the grid of its image
            `mask_huge` and `mask_off_head`.
        allow_empty: Whether a mask without a lesion is only told.
    """
    found = [] if image is None else [flag.about("image") for flag in _image_flags(image.stored)]
    if mask is None:
        return found
    found += [flag.about("mask") for flag in _mask_flags(mask, allow_empty)]
    if image is not None and not grid_flags(image, mask):
        found += [flag.about("mask") for flag in _head_flags(image, mask)]
    return found


def crop_flags(lost_lesion_voxels: int, lost_image_share: float) -> list[Flag]:
    """Return `crop_loss` where any of a lesion falls outside the conformed box; as a warning for much of an image."""
    if lost_lesion_voxels:
        message = f"mask: {lost_lesion_voxels} lesion voxels lie outside the conformed volume"
        return [Flag("crop_loss", message, lost_lesion_voxels)]
    if lost_image_share > MAX_IMAGE_LOSS:
        message = f"image: {lost_image_share:.2%} of its sum lies outside the conformed volume"
        return [Flag("crop_loss", message, lost_image_share, level="warn")]
    return []


def _image_flags(stored: NDArray[Any]) -> Iterator[Flag]:
    yield from _finite_flags(stored)
    lo, hi = stored.min().item(), stored.max().item()
    if lo == hi:
        yield Flag("constant_image", f"every voxel is {lo:g}", lo)


def _mask_flags(mask: Opened, allow_empty: bool) -> Iterator[Flag]:
    if wrong := list(_finite_flags(mask.stored)):
        yield from wrong
        return
    values = mask.scaling.values(mask.stored[mask.extent][mask.non_zero[mask.extent]])
    if not mask.lesion_voxels:
        empty = Flag("mask_empty", "no voxel is above 0", 0)
        yield empty.allowed("allow_empty") if allow_empty else empty
    elif values.min() != values.max():
        several = np.unique(values).tolist()
        message = f"{len(several)} values other than 0, from {several[0]:g} to {several[-1]:g}; one is expected"
        yield Flag("mask_labels", message, several[:_VALUES_SHOWN])
    elif (value := float(values[0])) != 1:
        yield Flag("mask_scaled", f"its value is {value:g}, not 1: all above 0 is lesion", value)


def _head_flags(image: Opened, mask: Opened) -> Iterator[Flag]:
    lesion, head = mask.lesion_voxels, int(np.count_nonzero(image.non_zero))
    if lesion > MAX_MASK_SHARE * head:
        message = f"{lesion} voxels, more than half of the image's {head} that are not 0"
        yield Flag("mask_huge", message, lesion)
    off = int(np.count_nonzero(mask.lesion[mask.extent] & ~image.non_zero[mask.extent]))
    if off > MAX_OFF_HEAD_SHARE * lesion:
        yield Flag("mask_off_head", f"{off} of {lesion} voxels lie where the image is 0", off / lesion)


def _finite_flags(stored: NDArray[Any]) -> Iterator[Flag]:
    if stored.dtype.kind != "f" or (np.isfinite(stored.min()) and np.isfinite(stored.max())):
        return
    wrong = ~np.isfinite(stored)
    first = [int(place) for place in np.unravel_index(int(wrong.ravel(order="F").argmax()), stored.shape, order="F")]
    count = int(np.count_nonzero(wrong))
    yield Flag("non_finite", f"{count} voxels are not finite, the first at {first}", {"count": count, "first": first})
