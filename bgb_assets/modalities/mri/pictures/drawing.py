"""What all pictures of scans share: figures of one width, colors for what is true and what was predicted.

Belongs here: parts of pictures. Does not belong here: slices of heads (`slices`), whole pictures. Matplotlib's figures
are used without its global state, so that pictures can be drawn in any process.
"""

from typing import Any

WIDTH_INCHES = 8.0
TRUE_COLOR, PREDICTED_COLOR = "#2fbf4f", "#e83fd0"
MUTED_COLOR = "#8a919c"
SERIES_COLORS = ("#2f8fd8", "#e0a030", "#3fa76a", "#8a63c9", "#e8474c", "#4fb3b3")
BIN_COLORS = ("#a0a6b0", "#7fb6e0", "#4d8fc4", "#2f66a0", "#1d3f75")
BIN_NAMES = ("no lesion", "smallest", "small", "large", "largest")
"""Bins of lesion volume as they are by default: 0 is empty, the others grow."""


def figure_of(height_inches: float, rows: int = 1, columns: int = 1, **kwargs: Any) -> tuple[Any, list[Any]]:
    """Return a figure of the common width and its axes, row by row; `kwargs` go to `Figure.subplots`."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH_INCHES, height_inches), layout="constrained")
    return figure, list(figure.subplots(rows, columns, squeeze=False, **kwargs).flat)


def bin_name(number: int | None) -> str:
    """Return what a volume bin is called."""
    if number is None:
        return "no mask"
    return BIN_NAMES[number] if number < len(BIN_NAMES) else f"bin {number}"


def bin_color(number: int | None) -> str:
    """Return the color of a volume bin."""
    return MUTED_COLOR if number is None else BIN_COLORS[min(number, len(BIN_COLORS) - 1)]


def millilitres(axes: Any, which: str) -> None:
    """Let an axis, `x` or `y`, show volumes: even below 1 ml, powers of ten above."""
    from matplotlib.ticker import NullLocator, StrMethodFormatter

    getattr(axes, f"set_{which}scale")("symlog", linthresh=1.0, linscale=0.4)
    axis = getattr(axes, f"{which}axis")
    axis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.set_minor_locator(NullLocator())


def whole_numbers(axis: Any) -> None:
    """Let an axis count."""
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator(integer=True))


def legend_above(axes: Any, columns: int = 5) -> None:
    """Put the legend above the axes, each name once."""
    handles, names = axes.get_legend_handles_labels()
    kept = dict(zip(names, handles, strict=True))
    if kept:
        axes.legend(
            kept.values(), kept.keys(), fontsize=8, frameon=False, ncols=columns,
            loc="lower left", bbox_to_anchor=(0.0, 1.0), borderaxespad=0.2,
        )  # fmt: skip
