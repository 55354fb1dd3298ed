"""A head to be drawn: voxels turned to right, anterior, superior, with the masks that lie on them.

Belongs here: what pictures ask of a volume, and making one of what the stages hold. Does not belong here: drawing
(`slices`).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bgb_assets.modalities.mri.cache import PART_FILE
from bgb_assets.modalities.mri.conform.grid import Affine, canonical_order
from bgb_assets.modalities.mri.conform.opened import Opened, open_role
from bgb_assets.modalities.mri.conform.resample import Box, Floats, lesion_box
from bgb_assets.modalities.mri.conform.stored import (
    IMAGE_FILE,
    MASK_FILE,
    normalised_image,
    read_volume,
    unpack_mask,
)
from bgb_assets.modalities.mri.scans.cached import Role, cached_file, limits_of
from bgb_assets.modalities.mri.scans.nifti import Reading
from bgb_assets.modalities.mri.scans.volumes import open_voxels

_INSIDE_SHARE = 0.1
"""Of the way from the background to a bright voxel: above is head, not noise around it."""
_BRIGHT_PERCENTILE = 99.5
_MARGIN_MM = 6.0

Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Head:
    """A volume whose axes run closest to right, anterior and superior.

    Attributes:
        image: (X, Y, Z), of any range.
        affine: Voxel index to millimetres.
        truth: Where the lesion is, or None.
        prediction: Where a model found it, or None.
    """

    image: Floats
    affine: Affine
    truth: Mask | None = None
    prediction: Mask | None = None

    @cached_property
    def lesion(self) -> Mask | None:
        """Truth and prediction together; None where neither has a voxel."""
        masks = [mask for mask in (self.truth, self.prediction) if mask is not None and mask.any()]
        return np.logical_or.reduce(masks) if masks else None

    @cached_property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Voxel sizes."""
        x, y, z = (float(length) for length in np.sqrt((self.affine[:3, :3] ** 2).sum(axis=0)))
        return x, y, z

    @cached_property
    def window(self) -> tuple[float, float]:
        """The values that are drawn black, the background's, and white."""
        # Values may be below the background's: padding is 0, and so is what surrounds a head without its skull.
        low = float(np.median(self.image[0]))
        seen = self.image[self.image > low]
        high = float(np.percentile(seen, _BRIGHT_PERCENTILE)) if seen.size else low
        return low, high if high > low else low + 1.0

    @cached_property
    def extent(self) -> Box:
        """The smallest box of the head and its lesion; the whole volume where nothing stands out."""
        low, high = self.window
        inside = self.image > low + _INSIDE_SHARE * (high - low)
        found = lesion_box(inside if self.lesion is None else inside | self.lesion)
        x, y, z = (part if part.stop else slice(0, size) for part, size in zip(found, self.image.shape, strict=True))
        return x, y, z

    @cached_property
    def box(self) -> Box:
        """What is drawn: the extent with a margin."""
        margins = [int(np.ceil(_MARGIN_MM / size)) for size in self.spacing_mm]
        x, y, z = (
            slice(max(0, part.start - margin), min(size, part.stop + margin))
            for part, margin, size in zip(self.extent, margins, self.image.shape, strict=True)
        )
        return x, y, z

    @property
    def centre_mm(self) -> NDArray[np.float64]:
        """The world's point of the lesion's centroid, or of the middle of the head."""
        if self.lesion is None:
            middle = np.array([(part.start + part.stop - 1) / 2 for part in self.box])
        else:
            middle = np.argwhere(self.lesion).mean(axis=0)
        return np.asarray(self.affine[:3, :3] @ middle + self.affine[:3, 3], np.float64)

    def voxel_at(self, point_mm: NDArray[np.float64]) -> tuple[int, int, int]:
        """Return the voxel of the head's box that is nearest to a point of the world."""
        place = np.linalg.solve(self.affine[:3, :3], point_mm - self.affine[:3, 3])
        x, y, z = (
            int(np.clip(np.floor(value + 0.5), part.start, part.stop - 1))
            for value, part in zip(place, self.box, strict=True)
        )
        return x, y, z

    def position_mm(self, axis: int, index: int) -> float:
        """Return where a slice lies along the world's axis that it is across, at the middle of the head."""
        place = np.array([*((part.start + part.stop - 1) / 2 for part in self.box), 1.0])
        place[axis] = index
        return float((self.affine @ place)[axis])


def conformed_head(features: Path) -> Head | None:
    """Return the head of an entry of stage features, its mask as the truth; None without an image."""
    volume = read_volume(features)
    shape = tuple(volume["shape"])
    if volume["image_volume"] is None:
        return None
    image = normalised_image(np.load(features / IMAGE_FILE), volume)
    truth = None
    if volume["mask_volume"] is not None:
        truth = unpack_mask(np.load(features / MASK_FILE), (shape[0], shape[1], shape[2])).astype(np.bool_)
    return Head(image, np.asarray(volume["affine"], np.float64), truth)


def open_delivered(entries: Mapping[str, Path], role: Role) -> Opened | None:
    """Read the image or the mask of a scan as it was delivered, or return None where it is not at hand.

    Args:
        entries: Of the scan: `cache`, with the files below it, or `cache/image` and `cache/mask`.
        role: Which of both.
    """
    folder = entries.get(f"cache/{role}")
    if folder is None:
        listed = cached_file(entries["cache"], role) if "cache" in entries else None
        at_hand = listed is not None and (entries["cache"] / listed["file"]).is_file()
        return open_role(entries["cache"], role) if at_hand else None
    kept = json.loads((folder / PART_FILE).read_text("utf-8"))
    path = folder / kept["file"]
    return Opened(open_voxels(path, Reading(**kept["reading"]), limits_of(path)), kept["volume_digest"])


def native_head(image: Opened, mask: Opened | None) -> Head:
    """Return a scan on its own grid, axes turned but nothing resampled; a mask on another grid is left out."""
    axes, flips, canonical = canonical_order(image.shape, image.affine)
    turn = tuple(slice(None, None, -1 if flip else 1) for flip in flips)
    truth = None
    if mask is not None and mask.shape == image.shape:
        truth = np.ascontiguousarray(mask.lesion.transpose(axes)[turn])
    values = image.scaling.values(image.stored).transpose(axes)[turn]
    return Head(np.ascontiguousarray(values), canonical, truth)
