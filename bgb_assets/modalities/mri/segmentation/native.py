"""Back from the conformed grid to the scan's own: values at the scan's voxels, wherever these lie in the world.

The map from one grid to the other is one line per axis (`conform.grid`), obliquity included; so is the way back, and
the same gathering and weighting does it.

Belongs here: values and masks between the two grids. Does not belong here: files (`nifti_file`).
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bgb_assets.modalities.mri.conform.grid import AxisMap, AxisMaps
from bgb_assets.modalities.mri.conform.resample import Floats, Scaling, nearest_mask, resample_image


def to_native(values: Floats, maps: AxisMaps) -> Floats:
    """Return linearly interpolated values at the voxels of the scan, 0 where these lie outside the conformed volume.

    Args:
        values: On the conformed grid, (X, Y, Z).
        maps: From the conformed grid into the scan.

    Returns:
        (i, j, k), along the axes of the scan as stored, in Fortran order as NIfTI has it.
    """
    back = (_reversed(maps[0], 0), _reversed(maps[1], 1), _reversed(maps[2], 2))
    support = resample_image(values, Scaling(), back, "linear")
    turned = np.zeros(support.shape, np.float32)
    turned[support.box] = support.stored
    flips = tuple(slice(None, None, -1 if axis_map.flipped else 1) for axis_map in maps)
    return np.asfortranarray(turned[flips].transpose(np.argsort([axis_map.axis for axis_map in maps])))


def to_conformed(mask: NDArray[np.bool_], maps: AxisMaps) -> NDArray[np.bool_]:
    """Return a mask of the scan's grid on the conformed one, each voxel as the nearest of the scan, (X, Y, Z)."""
    found, box = nearest_mask(mask, maps)
    whole = np.zeros(tuple(axis_map.count for axis_map in maps), np.bool_)
    whole[box] = found
    return whole


def _reversed(axis_map: AxisMap, place: int) -> AxisMap:
    """Return the map from the scan's axis, in the direction of the conformed one, into axis `place` of the volume."""
    return replace(
        axis_map,
        axis=place,
        size=axis_map.count,
        flipped=False,
        count=axis_map.size,
        source_anchor=float(axis_map.target_anchor),
        target_anchor=int(axis_map.source_anchor),
        step=1.0 if axis_map.step == 1.0 else 1 / axis_map.step,
    )
