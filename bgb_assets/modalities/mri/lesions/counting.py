"""Which voxels are lesion, and how many: in the type they are stored in, without a float64 copy of the volume.

A voxel is lesion where its value is above 0, whatever the value: masks of 0 and 255, and of 0 and 0.017, exist.

Belongs here: values to a mask, counts of it. Does not belong here: pieces and places (`components`), judging
(`scans.qc`).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Stored = NDArray[Any]

_BLOCK_VOXELS = 1 << 16
"""Small enough that the comparison of a block is counted while it is in the processor's cache."""


def lesion_mask(stored: Stored, slope: float = 1.0, inter: float = 0.0) -> NDArray[np.bool_]:
    """Return where `slope * stored + inter > 0`, in the memory order of the stored numbers.

    Args:
        stored: As in the file, any shape and byte order.
        slope: Effective, never 0.
        inter: Effective.
    """
    if inter == 0:
        return stored > 0 if slope > 0 else stored < 0
    flat = _flat(stored)
    found = np.empty(flat.shape, np.bool_)
    for start in range(0, len(flat), _BLOCK_VOXELS):
        block = slice(start, start + _BLOCK_VOXELS)
        np.greater(flat[block].astype(np.float64) * slope + inter, 0, out=found[block])
    return found.reshape(stored.shape, order="F" if stored.flags.f_contiguous else "C")


def count_lesion(stored: Stored, slope: float = 1.0, inter: float = 0.0) -> int:
    """Return how many voxels are lesion: `lesion_mask(...)` summed, without holding it."""
    flat = _flat(stored)
    if inter == 0 and slope > 0 and flat.dtype.kind in "ub":
        return int(np.count_nonzero(flat))
    return sum(
        int(np.count_nonzero(lesion_mask(flat[start : start + _BLOCK_VOXELS], slope, inter)))
        for start in range(0, len(flat), _BLOCK_VOXELS)
    )


def _flat(stored: Stored) -> Stored:
    """Return the numbers in a row, in memory order where that needs no copy."""
    return stored.ravel(order="F" if stored.flags.f_contiguous else "C")
