"""What all pictures of recordings share: figures of one width, colors for what is true and what was detected.

Belongs here: parts of pictures. Does not belong here: whole pictures. Matplotlib's figures are used without its global
state, so that pictures can be drawn in any process.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

WIDTH_INCHES = 8.0
TRUE_COLOR, DETECTED_COLOR = "#e0823d", "#2f8fd8"
SIGNAL_COLOR = "#000000"
"""The theme's ink: black on white, white on black."""
MUTED_COLOR = "#8a919c"
STATE_COLORS = ("#3fa76a", "#e0a030", "#8a63c9", "#a0a6b0")
STATE_NAMES = ("measured", "interpolated", "derived", "absent")
SPLIT_NAMES: Mapping[int, str] = {0: "train", 1: "val", 2: "test", -1: "none"}
SPLIT_COLORS: Mapping[int, str] = {0: "#5b8db8", 1: "#3fa76a", 2: "#b5739d", -1: "#a0a6b0"}

_BAR_SHARE = 0.014

Spans = NDArray[np.float64]
"""(k, 2) seconds."""


def figure_of(height_inches: float, rows: int = 1, columns: int = 1, **kwargs: Any) -> tuple[Any, list[Any]]:
    """Return a figure of the common width and its axes, row by row; `kwargs` go to `Figure.subplots`."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH_INCHES, height_inches), layout="constrained")
    return figure, list(figure.subplots(rows, columns, squeeze=False, **kwargs).flat)


def shade(axes: Any, spans: Spans, color: str, label: str, row: int = 0) -> None:
    """Shade spans of time over the whole height of axes, under a full-colored bar in a row of its own at the top."""
    top = 1.0 - _BAR_SHARE * row
    for number, (start, stop) in enumerate(spans.tolist()):
        axes.axvspan(start, stop, color=color, alpha=0.16, linewidth=0, zorder=0)
        bar = {"ymin": top - 0.8 * _BAR_SHARE, "ymax": top, "label": "" if number else label}
        axes.axvspan(start, stop, color=color, linewidth=0, zorder=3, **bar)


def mark(axes: Any, spans: Spans, row: float, height: float, color: str, label: str) -> None:
    """Draw spans of time as bars centred on a row."""
    lengths = [(start, stop - start) for start, stop in spans.tolist()]
    axes.broken_barh(lengths, (row - height / 2, height), facecolors=color, linewidth=0, label=label, zorder=3)


def whole_numbers(axis: Any) -> None:
    """Let an axis count."""
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator(integer=True))


def legend_above(axes: Any, columns: int = 4) -> None:
    """Put the legend above the axes, each name once."""
    handles, names = axes.get_legend_handles_labels()
    kept = dict(zip(names, handles, strict=True))
    if kept:
        axes.legend(
            kept.values(), kept.keys(), fontsize=8, frameon=False, ncols=columns,
            loc="lower left", bbox_to_anchor=(0.0, 1.0), borderaxespad=0.2,
        )  # fmt: skip
