"""What of a scan falls outside the box it is conformed to.

Belongs here: counting what is lost. Does not belong here: whether that is too much (`scans.qc`).
"""

import numpy as np
from numpy.typing import NDArray

from bgb_assets.modalities.mri.conform.grid import Affine, AxisMaps, Grid
from bgb_assets.modalities.mri.conform.resample import Box, Scaling, Stored, memory_order


def covered_box(maps: AxisMaps) -> Box:
    """Return the box of a scan's array whose voxels have their centre in a voxel of the grid."""
    box = [slice(0, 0)] * 3
    for axis_map in maps:
        box[axis_map.axis] = axis_map.covered()
    return box[0], box[1], box[2]


def lost_image_share(stored: Stored, scaling: Scaling, maps: AxisMaps) -> float:
    """Return the share of the sum of absolute values that lies outside the grid; 0 where all of a scan is inside."""
    box = covered_box(maps)
    if all(part == slice(0, size) for part, size in zip(box, stored.shape, strict=True)):
        return 0.0
    total = _absolute_sum(stored, scaling)
    return 1 - _absolute_sum(stored[box], scaling) / total if total else 0.0


def lost_voxels(lesion: NDArray[np.bool_], maps: AxisMaps) -> int:
    """Return how many lesion voxels lie outside the grid, of a mask on its image's grid."""
    return int(np.count_nonzero(lesion)) - int(np.count_nonzero(lesion[covered_box(maps)]))


def lost_voxels_in_world(lesion: NDArray[np.bool_], affine: Affine, grid: Grid) -> int:
    """Return how many lesion voxels have their centre outside a grid, of a mask on any other."""
    to_grid = np.linalg.inv(grid.affine) @ affine
    places = np.floor(np.argwhere(lesion) @ to_grid[:3, :3].T + to_grid[:3, 3] + 0.5)
    return int(np.count_nonzero(((places < 0) | (places >= grid.shape)).any(axis=1)))


def _absolute_sum(stored: Stored, scaling: Scaling) -> float:
    order, flips = memory_order(stored)
    planes = stored[flips].transpose(order)
    return float(sum(np.abs(scaling.values(plane)).sum(dtype=np.float64) for plane in planes))
