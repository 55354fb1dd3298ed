"""How a made-up scan is written: grid, orientation, number type, scaling, mask.

Belongs here: the forms that deliveries come in, and the grid of each. Does not belong here: bytes (`scan_file`), which
scan has which form (`synth`).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Affine = NDArray[np.float64]
Shape = tuple[int, int, int]

FIELD_OF_VIEW_MM = (170.0, 204.0, 165.0)
"""Right, anterior, superior: what holds any made-up head, upright."""
_AXES = ("LR", "PA", "IS")


@dataclass(frozen=True)
class Form:
    """One form.

    Attributes:
        orientation: Where the voxel axes point to.
        spacing_mm: Of the voxels, right, anterior and superior, before tilting.
        tilt_deg: Turn about the world's axes, one after the other.
        slope: What a stored number stands for; 0 writes none.
        inter: Added to it.
        mask_value: What stands for lesion in the stored mask.
        mask_slope: What the stored mask is multiplied with; 0 writes none.
        masked: Whether there is a mask.
        acquisition: Label of the BIDS entity `acq`.
        version: Of NIfTI.
        big_endian: Byte order.
    """

    orientation: str = "RAS"
    spacing_mm: tuple[float, float, float] = (3.0, 3.0, 3.0)
    tilt_deg: tuple[float, float, float] = (0.0, 0.0, 0.0)
    slope: float = 0.0
    inter: float = 0.0
    mask_value: int = 1
    mask_slope: float = 0.0
    masked: bool = True
    acquisition: str = "spc3p2"
    version: int = 1
    big_endian: bool = False


def grid_of(form: Form) -> tuple[Shape, Affine]:
    """Return shape and affine, (4, 4), of a grid about the world's origin, axes in the order of the orientation."""
    turned = _rotation(form.tilt_deg) @ np.diag(form.spacing_mm)
    counts = [int(np.ceil(length / size)) for length, size in zip(FIELD_OF_VIEW_MM, form.spacing_mm, strict=True)]
    order = [next(row for row, ends in enumerate(_AXES) if end in ends) for end in form.orientation]
    shape = (counts[order[0]], counts[order[1]], counts[order[2]])
    signs = [1.0 if end in "RAS" else -1.0 for end in form.orientation]
    affine = np.eye(4)
    affine[:3, :3] = turned[:, order] * signs
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return shape, affine


def points_of(shape: Shape, affine: Affine) -> NDArray[np.float64]:
    """Return the place of each voxel, (i, j, k, 3) mm."""
    indices = np.moveaxis(np.indices(shape, dtype=np.float64), 0, -1)
    return indices @ affine[:3, :3].T + affine[:3, 3]


def _rotation(degrees: tuple[float, float, float]) -> NDArray[np.float64]:
    total = np.eye(3)
    for axis, angle in enumerate(np.radians(degrees)):
        first, second = (axis + 1) % 3, (axis + 2) % 3
        turn = np.eye(3)
        turn[first, first] = turn[second, second] = np.cos(angle)
        turn[first, second], turn[second, first] = -np.sin(angle), np.sin(angle)
        total = turn @ total
    return total
