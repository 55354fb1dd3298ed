"""Three planes through the middle of a lesion, before and after a scan is conformed.

Belongs here: this picture. Does not belong here: a slice (`slices`).
"""

from collections.abc import Sequence
from typing import Any

from bgb_assets.modalities.mri.pictures.drawing import WIDTH_INCHES
from bgb_assets.modalities.mri.pictures.head import Head
from bgb_assets.modalities.mri.pictures.slices import (
    PLANE_NAMES,
    draw_cross,
    draw_scale,
    draw_slice,
    legend_of,
    size_mm,
)

_AXES = (2, 1, 0)
_TITLE_INCHES, _NAME_INCHES, _FOOT_INCHES = 0.32, 0.22, 0.26


def planes(heads: Sequence[tuple[str, Head]], title: str) -> Any:
    """Return a figure with a row per head: axial, coronal and sagittal through the last one's lesion's centroid.

    Args:
        heads: (name, head): the scan as delivered, the scan as conformed; all are cut at the same point of the world.
        title: Of the figure.
    """
    from matplotlib.figure import Figure

    shares = [max(size_mm(head, axis)[0] for _, head in heads) for axis in _AXES]
    per_mm = (WIDTH_INCHES - 0.1) / sum(shares)
    heights = [max(size_mm(head, axis)[1] for axis in _AXES) * per_mm for _, head in heads]
    total = sum(heights) + len(heads) * _NAME_INCHES + _TITLE_INCHES + _FOOT_INCHES
    figure = Figure(figsize=(WIDTH_INCHES, total))
    grid = figure.add_gridspec(
        len(heads), 3, width_ratios=shares, height_ratios=heights, left=0.005, right=0.995, bottom=_FOOT_INCHES / total,
        top=1 - (_TITLE_INCHES + _NAME_INCHES) / total, wspace=0.02,
        hspace=_NAME_INCHES / (sum(heights) / len(heads)),
    )  # fmt: skip
    point_mm = heads[-1][1].centre_mm
    for row, (name, head) in enumerate(heads):
        centre = head.voxel_at(point_mm)
        for column, axis in enumerate(_AXES):
            axes = figure.add_subplot(grid[row, column])
            draw_slice(axes, head, axis, centre[axis])
            draw_cross(axes, head, axis, centre)
            axes.set_title(f"{name}, {PLANE_NAMES[axis]}" if column == 0 else PLANE_NAMES[axis], fontsize=8, pad=3)
            if column == 0:
                draw_scale(axes, head, axis)
    figure.suptitle(title, fontsize=11, y=1 - 0.06 / total, va="top")
    legend_of(figure, *(head for _, head in heads))
    return figure
