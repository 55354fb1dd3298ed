"""One slice of a head, drawn to scale: outlines of what is true and predicted, sides, a scale bar.

All slices are drawn in the radiological convention: the patient's right is on the left of the picture, as if looked at
from the feet; in sagittal slices the nose points to the left.

Belongs here: slices and their marks. Does not belong here: which slices (`montage`, `planes`).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bgb_assets.modalities.mri.pictures.drawing import PREDICTED_COLOR, TRUE_COLOR
from bgb_assets.modalities.mri.pictures.head import Head, Mask

CONVENTION = "radiological convention: the patient's right is on the left of the picture"
MARK_COLOR = "#ffffff"
SCALE_MM = 50.0

_PLANES = {0: (1, 2), 1: (0, 2), 2: (0, 1)}
"""Axis that a slice is across -> axes of the picture, horizontal and vertical; the horizontal one is turned."""
_SIDES = {0: ("A", "P"), 1: ("R", "L"), 2: ("R", "L")}
PLANE_NAMES = {0: "sagittal", 1: "coronal", 2: "axial"}
AXIS_NAMES = "xyz"
_LINE_WIDTH = 1.1


def size_mm(head: Head, axis: int) -> tuple[float, float]:
    """Return width and height of a slice across an axis, cut to the head."""
    across, up = _PLANES[axis]
    lengths = [(part.stop - part.start) * size for part, size in zip(head.box, head.spacing_mm, strict=True)]
    return lengths[across], lengths[up]


def draw_slice(axes: Any, head: Head, axis: int, index: int, *, fontsize: float = 7.0) -> None:
    """Draw a slice with its outlines, its sides and where it lies."""
    width, height = size_mm(head, axis)
    low, high = head.window
    axes.imshow(
        _turned(head.image, head, axis, index).T, origin="lower", extent=(0, width, 0, height), cmap="gray", vmin=low,
        vmax=high, interpolation="nearest", aspect="equal",
    )  # fmt: skip
    for mask, color in ((head.truth, TRUE_COLOR), (head.prediction, PREDICTED_COLOR)):
        if mask is not None:
            _outline(axes, _turned(mask, head, axis, index), (width, height), color)
    axes.set(xticks=[], yticks=[], facecolor="#000000", xlim=(0, width), ylim=(0, height))
    for spine in axes.spines.values():
        spine.set_visible(False)
    text = {"color": MARK_COLOR, "fontsize": fontsize}
    left, right = _SIDES[axis]
    axes.text(0.02 * width, 0.5 * height, left, ha="left", va="center", **text)
    axes.text(0.98 * width, 0.5 * height, right, ha="right", va="center", **text)
    place = f"{AXIS_NAMES[axis]} {head.position_mm(axis, index):+.1f} mm".replace("-", "\N{MINUS SIGN}")
    axes.text(0.03 * width, 0.985 * height, place, ha="left", va="top", **text)


def draw_scale(axes: Any, head: Head, axis: int, *, fontsize: float = 7.0) -> None:
    """Draw a bar of `SCALE_MM` into a slice, at its bottom right."""
    width, height = size_mm(head, axis)
    bar = min(SCALE_MM, 0.6 * width)
    right, bottom = 0.96 * width, 0.04 * height
    axes.plot([right - bar, right], [bottom, bottom], color=MARK_COLOR, linewidth=2.0, solid_capstyle="butt")
    axes.text(
        right - bar / 2, bottom + 0.015 * height, f"{bar:g} mm", color=MARK_COLOR, fontsize=fontsize, ha="center",
        va="bottom",
    )  # fmt: skip


def draw_cross(axes: Any, head: Head, axis: int, centre: tuple[int, int, int]) -> None:
    """Draw where the other two planes cut a slice."""
    across, up = _PLANES[axis]
    width, height = size_mm(head, axis)
    x = (head.box[across].stop - centre[across] - 0.5) * head.spacing_mm[across]
    y = (centre[up] - head.box[up].start + 0.5) * head.spacing_mm[up]
    axes.plot([x, x], [0, height], color=MARK_COLOR, linewidth=0.5, alpha=0.5)
    axes.plot([0, width], [y, y], color=MARK_COLOR, linewidth=0.5, alpha=0.5)


def legend_of(figure: Any, *heads: Head) -> None:
    """Write the convention below a figure of some heads, and which outline is which."""
    from matplotlib.lines import Line2D

    drawn = (
        ("truth", any(head.truth is not None for head in heads), TRUE_COLOR),
        ("prediction", any(head.prediction is not None for head in heads), PREDICTED_COLOR),
    )
    lines = [Line2D([], [], color=color, label=name) for name, there, color in drawn if there]
    figure.text(0.01, 0.008, CONVENTION, fontsize=8, ha="left", va="bottom")
    if lines:
        figure.legend(
            handles=lines, loc="lower right", ncols=2, fontsize=8, frameon=False, borderaxespad=0.1, borderpad=0.1
        )


def _turned(volume: NDArray[Any], head: Head, axis: int, index: int) -> NDArray[Any]:
    """Return a slice, cut to the head, (horizontal, vertical) as drawn: the first axis of both runs to the left."""
    cut: list[Any] = list(head.box)
    cut[axis] = index
    turned: NDArray[Any] = volume[tuple(cut)][::-1]
    return turned


def _outline(axes: Any, mask: Mask, size: tuple[float, float], color: str) -> None:
    if not mask.any():
        return
    # A border of background, so that outlines close where a lesion reaches the edge of the cut.
    padded = np.pad(mask.astype(np.float32), 1)
    steps = [length / count for length, count in zip(size, mask.shape, strict=True)]
    x, y = ((np.arange(count + 2) - 0.5) * step for count, step in zip(mask.shape, steps, strict=True))
    axes.contour(x, y, padded.T, levels=[0.5], colors=[color], linewidths=_LINE_WIDTH)
