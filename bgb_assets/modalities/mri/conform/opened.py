"""The image or the mask of one scan, opened: numbers as stored, what makes values of them, and where they lie.

Belongs here: what several steps ask of an opened volume, found once. Does not belong here: reading files
(`scans.cached`), judging voxels (`content`), what they become (`resample`).
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bgb_assets.modalities.mri.conform.grid import Affine, Shape
from bgb_assets.modalities.mri.conform.resample import Box, Scaling, lesion_box
from bgb_assets.modalities.mri.lesions.counting import lesion_mask
from bgb_assets.modalities.mri.scans.cached import Role, cached_file, open_cached
from bgb_assets.modalities.mri.scans.flags import BadScan, bad
from bgb_assets.modalities.mri.scans.volumes import Volume


@dataclass(frozen=True, eq=False)
class Opened:
    """One volume of a scan.

    Attributes:
        volume: Its header and its numbers as stored, (i, j, k).
        digest: Which volume it is.
    """

    volume: Volume
    digest: str

    @property
    def stored(self) -> NDArray[Any]:
        """Its numbers as stored, (i, j, k)."""
        return self.volume.voxels

    @property
    def scaling(self) -> Scaling:
        """What makes values of them."""
        return Scaling(self.volume.header.slope, self.volume.header.inter)

    @property
    def shape(self) -> Shape:
        """Voxels along the axes as stored."""
        return self.stored.shape[0], self.stored.shape[1], self.stored.shape[2]

    @property
    def affine(self) -> Affine:
        """Voxel index to millimetres."""
        return self.volume.header.affine

    @cached_property
    def lesion(self) -> NDArray[np.bool_]:
        """Where its values are above 0: of a mask, the lesion."""
        return lesion_mask(self.stored, self.scaling.slope, self.scaling.inter)

    @cached_property
    def non_zero(self) -> NDArray[np.bool_]:
        """Where its values are not 0: of an image, the head."""
        plain = self.scaling.inter == 0
        return np.not_equal(self.stored if plain else self.scaling.values(self.stored), 0)

    @cached_property
    def lesion_voxels(self) -> int:
        """How many values are above 0."""
        return int(np.count_nonzero(self.lesion))

    @cached_property
    def extent(self) -> Box:
        """The box of array indices that holds all values that are not 0: of a mask, little of the volume."""
        return lesion_box(self.non_zero)


def open_role(cache: Path, role: Role) -> Opened | None:
    """Read the image or the mask of a scan whole, or return None where it has none.

    Raises:
        BadScan: What `open_voxels` raises, and `not_3d` where the file holds several volumes and none is chosen.
    """
    listed = cached_file(cache, role)
    try:
        volume = open_cached(cache, role)
    except BadScan as error:
        raise BadScan(*(flag.about(role) for flag in error.flags)) from error
    if listed is None or volume is None:
        return None
    if volume.voxels.ndim != 3:
        raise bad("not_3d", f"{role}: shape {volume.voxels.shape}, expected three axes", list(volume.voxels.shape))
    return Opened(volume, listed["volume_digest"])
