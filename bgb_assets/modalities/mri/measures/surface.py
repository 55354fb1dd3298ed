"""Distances between the surfaces of two lesions, in millimetres.

Belongs here: surfaces and their distances. Does not belong here: counts of voxels (`overlap`).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bgb_assets.modalities.mri.measures.overlap import Mask, bounding_box, require_masks

PERCENTILE = 95


def hd95_mm(prediction: Mask, truth: Mask, spacing_mm: Sequence[float]) -> float | None:
    """Return the 95th percentile of the symmetric surface distance; None where one side is empty.

    The distances from each surface voxel of one mask to the nearest one of the other are pooled, both ways. A surface
    voxel has a face on the background or on the edge of the volume.

    Args:
        prediction: (x, y, z).
        truth: (x, y, z).
        spacing_mm: Distance of neighbouring voxels along each axis.

    Raises:
        ValueError: No masks on one grid, or a spacing that is not positive.
    """
    require_masks(prediction, truth)
    if len(spacing_mm) != truth.ndim or not all(0 < size < float("inf") for size in spacing_mm):
        raise ValueError(f"spacing must be {truth.ndim} positive numbers of mm, got {tuple(spacing_mm)!r}")
    if not (prediction.any() and truth.any()):
        return None
    # Both surfaces lie in this box, and so does every way between them that is the shortest.
    box = bounding_box(prediction | truth)
    predicted, true = _surface(prediction[box]), _surface(truth[box])
    both_ways = [_distances_mm(predicted, true, spacing_mm), _distances_mm(true, predicted, spacing_mm)]
    return float(np.percentile(np.concatenate(both_ways), PERCENTILE))


def _surface(mask: Mask) -> Mask:
    from scipy.ndimage import binary_erosion

    return mask & ~np.asarray(binary_erosion(mask), np.bool_)


def _distances_mm(of: Mask, to: Mask, spacing_mm: Sequence[float]) -> NDArray[np.float64]:
    from scipy.ndimage import distance_transform_edt

    return np.asarray(distance_transform_edt(~to, sampling=spacing_mm), np.float64)[of]
