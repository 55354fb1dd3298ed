"""Many slices of one head side by side, and the same of several heads.

Belongs here: which slices, and how they are laid out. Does not belong here: a slice (`slices`).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from bgb_assets.modalities.mri.conform.resample import lesion_box
from bgb_assets.modalities.mri.pictures.drawing import WIDTH_INCHES
from bgb_assets.modalities.mri.pictures.head import Head
from bgb_assets.modalities.mri.pictures.slices import draw_scale, draw_slice, legend_of, size_mm

SLICES = 12
COLUMNS = 4
ROW_SLICES = 5
"""Slices of each head where several are drawn."""

_AXIAL = 2
_TITLE_INCHES, _FOOT_INCHES = 0.32, 0.26


def axial_slices(head: Head, count: int = SLICES) -> list[int]:
    """Return the slices to draw, evenly spaced.

    Through a lesion from its first slice to its last; one of fewer slices is drawn with those around it. Through a head
    without a lesion, leaving out its ends, where little is to be seen.
    """
    part = head.extent[_AXIAL] if head.lesion is None else lesion_box(head.lesion)[_AXIAL]
    first, last, top = part.start, part.stop - 1, head.image.shape[_AXIAL] - 1
    if head.lesion is None:
        step = (last - first) // (count + 1)
        first, last = first + step, last - step
    if last - first + 1 < count:
        first = max(0, min((first + last + 1 - count) // 2 + 1, top + 1 - count))
        last = min(top, first + count - 1)
    chosen: list[int] = np.unique(np.rint(np.linspace(first, last, count)).astype(int)).tolist()
    return chosen


def montage(head: Head, title: str) -> Any:
    """Return a figure of twelve axial slices with what is true and predicted outlined."""
    chosen = axial_slices(head)
    rows = -(-len(chosen) // COLUMNS)
    figure, tiles = _tiles(head, rows, COLUMNS)
    for number, axes in enumerate(tiles):
        if number < len(chosen):
            draw_slice(axes, head, _AXIAL, chosen[number])
        else:
            axes.set_visible(False)
    draw_scale(tiles[0], head, _AXIAL)
    figure.suptitle(title, fontsize=11, y=1 - 0.06 / figure.get_figheight(), va="top")
    legend_of(figure, head)
    return figure


def rows_of_heads(heads: Sequence[tuple[str, Head]], title: str) -> Any | None:
    """Return a figure with a row of slices per head, its name above; None without heads."""
    if not heads:
        return None
    tallest = max((head for _, head in heads), key=lambda head: size_mm(head, _AXIAL)[1] / size_mm(head, _AXIAL)[0])
    figure, tiles = _tiles(tallest, len(heads), ROW_SLICES, name_inches=0.22)
    for row, (name, head) in enumerate(heads):
        chosen = axial_slices(head, ROW_SLICES)
        for column in range(ROW_SLICES):
            axes = tiles[row * ROW_SLICES + column]
            if column < len(chosen):
                draw_slice(axes, head, _AXIAL, chosen[column], fontsize=6.0)
            else:
                axes.set_visible(False)
        tiles[row * ROW_SLICES].set_title(name, fontsize=8, loc="left", pad=2.5)
        draw_scale(tiles[row * ROW_SLICES], head, _AXIAL, fontsize=6.0)
    figure.suptitle(title, fontsize=11, y=1 - 0.06 / figure.get_figheight(), va="top")
    legend_of(figure, *(head for _, head in heads))
    return figure


def _tiles(head: Head, rows: int, columns: int, name_inches: float = 0.0) -> tuple[Any, list[Any]]:
    """Return a figure of tiles as high as the slices of a head, with space above and below."""
    from matplotlib.figure import Figure

    width, height = size_mm(head, _AXIAL)
    tile = WIDTH_INCHES / columns * min(2.0, height / width) + name_inches
    total = rows * tile + _TITLE_INCHES + _FOOT_INCHES
    figure = Figure(figsize=(WIDTH_INCHES, total))
    tiles = figure.subplots(rows, columns, squeeze=False)
    top = 1 - (_TITLE_INCHES + name_inches) / total
    figure.subplots_adjust(0.004, _FOOT_INCHES / total, 0.996, top, 0.02, 0.02 + name_inches / (tile - name_inches))
    return figure, list(tiles.flat)
