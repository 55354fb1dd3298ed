"""Where the voxels of a conformed volume lie in the scan: one map per axis, exact on a grid of the same spacing.

A scan is turned to its closest canonical orientation (right, anterior, superior) by permuting and flipping axes only.
The conformed grid keeps the direction of those axes, obliquity included, with another spacing; so each of its axes maps
to one axis of the scan by itself. The scan's voxel `(n - 1) // 2` lands on voxel `(m - 1) // 2` of the grid: an integer
on an integer, so that equal spacing needs no interpolation.

Belongs here: affines and index arithmetic. Does not belong here: voxel values (`resample`).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Affine = NDArray[np.float64]
Shape = tuple[int, int, int]

_SAME_SPACING_VOXELS = 1e-3
"""Spacings that differ by less than this over a whole volume are equal: affines come in single precision."""


@dataclass(frozen=True, eq=False)
class Grid:
    """A box of voxels in the world.

    Attributes:
        shape: Voxels along the three axes.
        affine: Voxel index to millimetres (right, anterior, superior), shape (4, 4).
    """

    shape: Shape
    affine: Affine


@dataclass(frozen=True)
class AxisMap:
    """Where the voxels of one axis of the target lie along one axis of the source.

    Coordinates count along the direction of the target, also where the source runs against it: then what is between two
    voxels is rounded and weighted alike, however the scan was stored.

    Attributes:
        axis: The axis of the source's array.
        size: Voxels of the source along it.
        flipped: Whether the source runs against the target.
        count: Voxels of the target.
        source_anchor: Coordinate in the source of the target's voxel `target_anchor`.
        target_anchor: See there.
        step: Source voxels per target voxel, positive.
    """

    axis: int
    size: int
    flipped: bool
    count: int
    source_anchor: float
    target_anchor: int
    step: float

    @property
    def is_shift(self) -> bool:
        """Whether voxels fall on voxels, so that nothing is interpolated."""
        return self.step == 1.0 and float(self.source_anchor).is_integer()

    def coordinates(self) -> NDArray[np.float64]:
        """Return the source coordinate of each target voxel, (count,)."""
        return (
            self.source_anchor
            + np.arange(-self.target_anchor, self.count - self.target_anchor, dtype=np.float64) * self.step
        )

    def support(self) -> slice:
        """Return the target voxels that lie in the source: from its first voxel's centre to its last's."""
        found = self.coordinates()
        inside = np.flatnonzero((found >= 0) & (found <= self.size - 1))
        return slice(int(inside[0]), int(inside[-1]) + 1) if len(inside) else slice(0, 0)

    def covered(self) -> slice:
        """Return the source voxels, by index of its array, whose centres fall on a voxel of the target."""
        places = (np.arange(self.size) - self.source_anchor) / self.step + self.target_anchor
        inside = np.flatnonzero((np.floor(places + 0.5) >= 0) & (np.floor(places + 0.5) <= self.count - 1))
        if not len(inside):
            return slice(0, 0)
        first, stop = int(inside[0]), int(inside[-1]) + 1
        return slice(self.size - stop, self.size - first) if self.flipped else slice(first, stop)

    def stored(self, indices: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return indices of the source's array for whole coordinates."""
        return self.size - 1 - indices if self.flipped else indices


AxisMaps = tuple[AxisMap, AxisMap, AxisMap]


def conformed_grid(shape: Shape, affine: Affine, target_shape: Shape, zoom_mm: float) -> tuple[Grid, AxisMaps]:
    """Return the grid that a scan is conformed to, and where its axes lie in the scan.

    Args:
        shape: Of the scan's array.
        affine: Of the scan.
        target_shape: Of the grid.
        zoom_mm: Spacing of the grid.

    The grid is that of `nibabel.processing.conform`: `t' = A c - A' c'` with the centre voxels c and c'.
    """
    from nibabel.affines import rescale_affine

    axes, flips, canonical, turned = _canonical(shape, affine)
    rescaled = rescale_affine(canonical, turned, (zoom_mm,) * 3, target_shape)  # type: ignore[no-untyped-call]
    grid = Grid(target_shape, np.asarray(rescaled, np.float64))
    spacing_mm = np.sqrt((canonical[:3, :3] ** 2).sum(axis=0))
    maps = [
        AxisMap(
            axis=axes[place],
            size=turned[place],
            flipped=flips[place],
            count=target_shape[place],
            source_anchor=float((turned[place] - 1) // 2),
            target_anchor=(target_shape[place] - 1) // 2,
            step=_step(zoom_mm / float(spacing_mm[place]), max(turned[place], target_shape[place])),
        )
        for place in range(3)
    ]
    return grid, (maps[0], maps[1], maps[2])


def canonical_order(shape: Shape, affine: Affine) -> tuple[tuple[int, int, int], tuple[bool, bool, bool], Affine]:
    """Return the array axes that run closest to x, y and z, whether each runs backwards, and the turned affine."""
    axes, flips, canonical, _ = _canonical(shape, affine)
    return axes, flips, canonical


def _step(step: float, voxels: int) -> float:
    return 1.0 if abs(step - 1) * voxels < _SAME_SPACING_VOXELS else step


def _canonical(shape: Shape, affine: Affine) -> tuple[tuple[int, int, int], tuple[bool, bool, bool], Affine, Shape]:
    from nibabel.orientations import inv_ornt_aff, io_orientation

    affine = np.asarray(affine, np.float64)
    orientation = io_orientation(affine)  # type: ignore[no-untyped-call]
    order = [int(np.flatnonzero(orientation[:, 0] == place)[0]) for place in range(3)]
    flips = [bool(orientation[axis, 1] < 0) for axis in order]
    canonical = affine @ inv_ornt_aff(orientation, shape)  # type: ignore[no-untyped-call]
    turned = [shape[axis] for axis in order]
    return (
        (order[0], order[1], order[2]),
        (flips[0], flips[1], flips[2]),
        canonical,
        (turned[0], turned[1], turned[2]),
    )
