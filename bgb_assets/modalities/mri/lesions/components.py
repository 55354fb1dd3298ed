"""How large a lesion is, in how many pieces, and where in the head.

Belongs here: measures of one mask on its own grid. Does not belong here: which voxels are lesion (`counting`),
comparing two masks (`measures`).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bgb_assets.modalities.mri.conform.grid import Affine
from bgb_assets.modalities.mri.conform.resample import lesion_box

_MIDLINE_MM = 1e-6


@dataclass(frozen=True)
class Lesion:
    """A mask in numbers; places are None where no voxel is lesion.

    Attributes:
        voxels: How many are lesion.
        volume_mm3: Their volume: the count times the absolute determinant of the affine.
        components: Pieces; voxels that share a face, an edge or a corner are of one.
        largest_mm3: Volume of the largest piece.
        centroid_mm: Mean of the voxels' centres in the world (right, anterior, superior).
        bbox_ijk: First and last voxel, inclusive, along the axes as stored: (i, i, j, j, k, k).
        left_fraction: Share of the voxels whose centre has a negative x in the world; those at 0 count half.
    """

    voxels: int
    volume_mm3: float
    components: int
    largest_mm3: float
    centroid_mm: tuple[float, float, float] | None
    bbox_ijk: tuple[int, int, int, int, int, int] | None
    left_fraction: float | None


def measure_lesion(lesion: NDArray[np.bool_], affine: Affine) -> Lesion:
    """Return the measures of a mask.

    Args:
        lesion: True inside, (i, j, k), in any memory order.
        affine: Of the mask: voxel index to millimetres, (4, 4).
    """
    box = lesion_box(lesion)
    part = np.ascontiguousarray(lesion[box])
    if not part.size:
        return Lesion(0, 0.0, 0, 0.0, None, None, None)
    voxel_mm3 = _voxel_mm3(affine)
    sizes = component_voxels(part)
    voxels = int(sizes.sum())
    world_mm = (np.argwhere(part) + [side.start for side in box]) @ affine[:3, :3].T + affine[:3, 3]
    x, y, z = world_mm.mean(axis=0).tolist()
    (i, j, k) = box
    return Lesion(
        voxels=voxels,
        volume_mm3=voxels * voxel_mm3,
        components=len(sizes),
        largest_mm3=int(sizes.max()) * voxel_mm3,
        centroid_mm=(x, y, z),
        bbox_ijk=(i.start, i.stop - 1, j.start, j.stop - 1, k.start, k.stop - 1),
        left_fraction=_left_fraction(world_mm[:, 0]),
    )


def component_voxels(lesion: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the voxels of each piece of a mask, where 26 neighbours hang together; none of an empty one."""
    from scipy.ndimage import label

    labels, _ = label(lesion, structure=np.ones((3, 3, 3)))
    return np.bincount(labels.ravel())[1:]


def _voxel_mm3(affine: Affine) -> float:
    """Return |det A|, written out: exact for axes along the world's, and the same on every platform."""
    (a, b, c), (d, e, f), (g, h, i) = affine[:3, :3].tolist()
    return float(abs(a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)))


def _left_fraction(x_mm: NDArray[np.float64]) -> float:
    on_midline = np.count_nonzero(np.abs(x_mm) <= _MIDLINE_MM)
    return float(np.count_nonzero(x_mm < -_MIDLINE_MM) + on_midline / 2) / len(x_mm)
