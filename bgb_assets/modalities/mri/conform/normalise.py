"""From intensities to what a network sees: bounds over the whole padded volume.

Padding is 0 before anything is normalised, so that what lies outside the scan equals its background, also where
intensities are negative.

Belongs here: the three ways and their numbers. Does not belong here: how values are stored (`stored`).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bgb_assets.modalities.mri.conform.params import Normalisation
from bgb_assets.modalities.mri.conform.resample import Support, memory_order
from bgb_assets.modalities.mri.scans.flags import bad

PERCENTILES = (0.1, 99.9)
"""Bounds of `p99`, of the non-zero voxels."""


@dataclass(frozen=True)
class Range:
    """How intensities become normalised values: (clipped to lo and hi - centre) / scale, in float32.

    Attributes:
        lo: Smallest intensity that is kept.
        hi: Largest intensity that is kept.
        centre: The intensity that becomes 0.
        scale: Intensities per unit, positive.
        clips: Whether lo and hi are percentiles, so that values lie outside.
    """

    lo: float
    hi: float
    centre: float
    scale: float
    clips: bool = False

    def normalised(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return normalised values of intensities, in an array of its own."""
        out = np.clip(values, np.float32(self.lo), np.float32(self.hi)) if self.clips else values
        out = out - np.float32(self.centre)
        out /= np.float32(self.scale)
        return out


def range_of(support: Support, way: Normalisation) -> Range:
    """Return the range of a conformed volume, padding included.

    Raises:
        BadScan: `constant_image` where every voxel of the volume is the same, or all that are not 0 are.
    """
    lo, hi = _extremes(support)
    if way == "minmax":
        return _checked(Range(lo, hi, lo, _difference(lo, hi)))
    values = support.scaling.values(support.stored)
    seen = values[values != 0]
    if not len(seen):
        raise bad("constant_image", "image: all voxels of the conformed volume are 0", 0.0)
    if way == "zscore":
        return _checked(Range(lo, hi, float(np.mean(seen, dtype=np.float64)), float(np.std(seen, dtype=np.float64))))
    lo, hi = (float(value) for value in np.percentile(seen, PERCENTILES).astype(np.float32))
    return _checked(Range(lo, hi, lo, _difference(lo, hi), clips=True))


def _extremes(support: Support) -> tuple[float, float]:
    """Return the smallest and largest value of the volume, rounded to float32 as all values are."""
    if not support.stored.size:
        return 0.0, 0.0
    _, flips = memory_order(support.stored)
    forwards = support.stored[flips]
    # Rounding and scaling keep the order: the extremes of the numbers are those of the values.
    ends = support.scaling.values(np.array([forwards.min(), forwards.max()])).tolist()
    if support.padded:
        ends.append(0.0)
    return min(ends), max(ends)


def _difference(lo: float, hi: float) -> float:
    return float(np.float32(hi) - np.float32(lo))


def _checked(found: Range) -> Range:
    if not found.scale > 0:
        raise bad("constant_image", f"image: no contrast in the conformed volume, all is {found.lo!r}", found.lo)
    return found
