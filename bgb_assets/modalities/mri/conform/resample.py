"""Voxel values of a scan on a conformed grid: gathered and weighted one axis at a time.

Only what lies inside the scan is computed (its support); the rest of the grid is padding. On a grid of equal spacing
the support is a view of the scan, cropped and flipped, and nothing is computed. Elsewhere the scan is taken plane by
plane in the order it has in memory: each plane is interpolated along its two axes when first needed, then two planes
make one of the result. So the work is proportional to the result, and at most two planes are held besides.

Belongs here: interpolation, nearest voxels. Does not belong here: which grid (`grid`), value ranges (`normalise`).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bgb_assets.modalities.mri.conform.grid import Affine, AxisMap, AxisMaps, Grid, canonical_order
from bgb_assets.modalities.mri.conform.params import Interpolation

Stored = NDArray[Any]
Floats = NDArray[np.float32]
Box = tuple[slice, slice, slice]


@dataclass(frozen=True)
class Scaling:
    """How stored numbers become values: slope * number + inter, in float64.

    Attributes:
        slope: Effective, never 0 and always finite.
        inter: Effective, always finite.
    """

    slope: float = 1.0
    inter: float = 0.0

    @property
    def is_identity(self) -> bool:
        """Whether the stored numbers are the values."""
        return self.slope == 1.0 and self.inter == 0.0

    def values(self, stored: Stored) -> Floats:
        """Return values rounded once, from float64 to float32; those of unscaled float32 are the numbers themselves."""
        if self.is_identity:
            return stored.astype(np.float32, copy=False)
        scaled = stored.astype(np.float64)
        scaled *= self.slope
        scaled += self.inter
        return scaled.astype(np.float32)


@dataclass(frozen=True, eq=False)
class Support:
    """The part of a conformed volume that lies inside the scan.

    Attributes:
        stored: Its numbers, axes (x, y, z), in any memory order.
        scaling: Of these numbers.
        box: Where it lies in the volume of that shape.
        shape: Of the conformed volume.
        interpolated: Whether any value is not one of the scan's own.
    """

    stored: Stored
    scaling: Scaling
    box: Box
    shape: tuple[int, int, int]
    interpolated: bool

    @property
    def padded(self) -> bool:
        """Whether any voxel of the volume lies outside the scan."""
        return self.stored.shape != self.shape


def resample_image(stored: Stored, scaling: Scaling, maps: AxisMaps, interpolation: Interpolation) -> Support:
    """Return the values of a scan on a conformed grid, 0 outside the centres of its first and last voxels.

    Args:
        stored: The scan's numbers as stored, (i, j, k), in any memory order.
        scaling: Of these numbers. Interpolated values are float32, weighted after scaling and casting, so that those of
            an integer image are not rounded to integers.
        maps: One per axis of the grid.
        interpolation: `linear` or `nearest`.
    """
    box = (maps[0].support(), maps[1].support(), maps[2].support())
    shape = (maps[0].count, maps[1].count, maps[2].count)
    if all(axis_map.is_shift for axis_map in maps):
        return Support(_shifted(stored, maps, box), scaling, box, shape, interpolated=False)
    gathers = {
        axis_map.axis: _Gather.of(axis_map, part, interpolation) for axis_map, part in zip(maps, box, strict=True)
    }
    in_memory = sorted(range(3), key=lambda axis: -abs(stored.strides[axis]))
    outer, middle, inner = (gathers[axis] for axis in in_memory)
    values = _interpolated(stored.transpose(in_memory), scaling, outer, middle, inner)
    turned = values.transpose([in_memory.index(axis_map.axis) for axis_map in maps])
    return Support(turned, Scaling(), box, shape, interpolated=True)


def nearest_mask(lesion: NDArray[np.bool_], maps: AxisMaps) -> tuple[NDArray[np.bool_], Box]:
    """Return a mask on the grid of its image, around the lesion only, and where that box lies in the grid.

    A voxel takes the nearest one of the mask, at `floor(coordinate + 0.5)` in the direction of the grid; what lies
    outside the centres of the first and last voxels is 0, as it is in the image.

    Args:
        lesion: True inside, (i, j, k), in any memory order.
        maps: Those of the image.
    """
    extent = lesion_box(lesion)
    indices, box = [], []
    for axis_map in maps:
        support, within = axis_map.support(), extent[axis_map.axis]
        coordinates = axis_map.coordinates()[support]
        places = axis_map.stored(np.floor(coordinates + 0.5).astype(np.int64))
        hits = np.flatnonzero((places >= within.start) & (places < within.stop))
        start = int(hits[0]) if len(hits) else 0
        indices.append(places[hits])
        box.append(slice(support.start + start, support.start + start + len(hits)))
    turned = lesion.transpose([axis_map.axis for axis_map in maps])
    return turned[np.ix_(*indices)], (box[0], box[1], box[2])


def nearest_mask_in_world(lesion: NDArray[np.bool_], affine: Affine, grid: Grid) -> tuple[NDArray[np.bool_], Box]:
    """Return a mask of any grid on another, around the lesion only, and where that box lies.

    For a mask that was drawn on another grid than its image's. Rounding and edges are those of `nearest_mask`.

    Args:
        lesion: True inside, (i, j, k).
        affine: Of the mask.
        grid: Where to.
    """
    shape = (lesion.shape[0], lesion.shape[1], lesion.shape[2])
    axes, flips, canonical = canonical_order(shape, affine)
    turned = lesion.transpose(axes)[tuple(slice(None, None, -1 if flip else 1) for flip in flips)]
    to_mask = np.linalg.inv(canonical) @ grid.affine
    box = _box_in_grid(lesion_box(turned), to_mask, grid.shape)
    found = np.zeros([part.stop - part.start for part in box], np.bool_)
    y = np.arange(box[1].start, box[1].stop)[:, None]
    z = np.arange(box[2].start, box[2].stop)[None, :]
    limits = np.array(turned.shape) - 1
    for place, x in enumerate(range(box[0].start, box[0].stop)):
        source = [row[0] * x + row[1] * y + row[2] * z + row[3] for row in to_mask[:3]]
        inside = np.logical_and.reduce([(s >= 0) & (s <= limit) for s, limit in zip(source, limits, strict=True)])
        nearest = tuple(np.floor(s[inside] + 0.5).astype(np.int64) for s in source)
        found[place][inside] = turned[nearest]
    return found, box


def lesion_box(lesion: NDArray[np.bool_]) -> Box:
    """Return the smallest box of array indices that holds all true voxels; empty slices where there is none."""
    order, flips = memory_order(lesion)
    in_memory = lesion[flips].transpose(order)
    plane = np.asarray(in_memory.any(axis=0))
    rows = (in_memory.reshape(len(in_memory), -1), plane, plane.T)
    seen = [np.asarray(row.any(axis=1)) for row in rows]
    box = [slice(0, 0)] * 3
    for axis, hit in zip(order, seen, strict=True):
        hits = np.flatnonzero(hit[flips[axis]])
        box[axis] = slice(int(hits[0]), int(hits[-1]) + 1) if len(hits) else slice(0, 0)
    return box[0], box[1], box[2]


def memory_order(array: Stored) -> tuple[tuple[int, ...], Box]:
    """Return the axes from the slowest to the fastest, and the slices that turn all strides positive.

    `array[flips].transpose(order)` runs through memory forwards, several times as fast as the array itself may.
    """
    order = tuple(sorted(range(3), key=lambda axis: -abs(array.strides[axis])))
    flips = [slice(None, None, -1) if stride < 0 else slice(None) for stride in array.strides]
    return order, (flips[0], flips[1], flips[2])


@dataclass(frozen=True, eq=False)
class _Gather:
    """Which two numbers of an axis make each of the result, and the weight of the second."""

    lower: NDArray[np.int64]
    upper: NDArray[np.int64]
    weight: Floats
    step: float

    @staticmethod
    def of(axis_map: AxisMap, part: slice, interpolation: Interpolation) -> "_Gather":
        coordinates = axis_map.coordinates()[part]
        below = np.floor(coordinates + (0.5 if interpolation == "nearest" else 0)).astype(np.int64)
        weight = np.zeros(len(below)) if interpolation == "nearest" else coordinates - below
        above = np.minimum(below + 1, axis_map.size - 1)
        return _Gather(axis_map.stored(below), axis_map.stored(above), weight.astype(np.float32), axis_map.step)

    @property
    def weighted(self) -> bool:
        return bool(self.weight.any())

    def __len__(self) -> int:
        return len(self.lower)


def _shifted(stored: Stored, maps: AxisMaps, box: Box) -> Stored:
    """Return a view of the numbers that fall on the grid, axes turned to (x, y, z)."""
    cuts: list[slice] = []
    for axis_map, part in zip(maps, box, strict=True):
        first = int(axis_map.source_anchor) - axis_map.target_anchor + part.start
        stop = first + part.stop - part.start
        if axis_map.flipped:
            last = axis_map.size - 1 - first
            end = last - (stop - first)
            cuts.append(slice(last, end if end >= 0 else None, -1))
        else:
            cuts.append(slice(first, stop))
    return stored.transpose([axis_map.axis for axis_map in maps])[tuple(cuts)]


def _interpolated(source: Stored, scaling: Scaling, outer: _Gather, middle: _Gather, inner: _Gather) -> Floats:
    """Return all planes of the result; those of the source are interpolated in themselves once, when first needed."""
    result = np.empty((len(outer), len(middle), len(inner)), np.float32)
    held: dict[int, Floats] = {}
    for place, (lower, upper, weight) in enumerate(zip(outer.lower, outer.upper, outer.weight, strict=True)):
        needed = {int(lower), int(upper)} if weight else {int(lower)}
        held = {
            index: held[index] if index in held else _in_plane(scaling.values(source[index]), middle, inner)
            for index in needed
        }
        _weigh(held[int(lower)], held[int(upper)] if weight else None, weight, result[place])
    return result


def _in_plane(plane: Floats, rows: _Gather, columns: _Gather) -> Floats:
    """Interpolate along both axes of a plane, first along the one that loses more."""
    if rows.step >= columns.step:
        return _along_columns(_along_rows(plane, rows), columns)
    return _along_rows(_along_columns(plane, columns), rows)


def _along_rows(plane: Floats, rows: _Gather) -> Floats:
    lower = plane.take(rows.lower, axis=0)
    if rows.weighted:
        _weigh(lower, plane.take(rows.upper, axis=0), rows.weight[:, None], lower)
    return lower


def _along_columns(plane: Floats, columns: _Gather) -> Floats:
    lower = plane.take(columns.lower, axis=1)
    if columns.weighted:
        _weigh(lower, plane.take(columns.upper, axis=1), columns.weight, lower)
    return lower


def _weigh(lower: Floats, upper: Floats | None, weight: Floats, out: Floats) -> None:
    """Write lower + weight * (upper - lower): exactly `lower` where the weight is 0."""
    if upper is None:
        out[...] = lower
        return
    between = upper - lower
    between *= weight
    np.add(lower, between, out=out)


def _box_in_grid(extent: Box, to_source: Affine, shape: tuple[int, int, int]) -> Box:
    """Return a box of the grid that holds every voxel whose nearest source voxel lies in the extent."""
    if any(part.start == part.stop for part in extent):
        return slice(0, 0), slice(0, 0), slice(0, 0)
    edges = np.stack(np.meshgrid(*((part.start - 0.5, part.stop - 0.5) for part in extent), indexing="ij"), -1)
    to_grid = np.linalg.inv(to_source)
    corners = edges.reshape(-1, 3) @ to_grid[:3, :3].T + to_grid[:3, 3]
    # One voxel more on each side than arithmetic asks for: rounding must not lose any.
    first = np.clip(np.floor(corners.min(axis=0)) - 1, 0, shape).astype(int)
    stop = np.clip(np.ceil(corners.max(axis=0)) + 2, 0, shape).astype(int)
    box = [slice(int(low), int(high)) for low, high in zip(first, stop, strict=True)]
    return box[0], box[1], box[2]
