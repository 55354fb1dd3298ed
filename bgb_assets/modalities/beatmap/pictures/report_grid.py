"""The wall as a player sees it, moment by moment: a grid of four lanes and three layers for each time with notes.

Belongs here: the strip of grids. Does not belong here: notes along time (`report_song`).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bgb_assets.modalities.beatmap.pictures.report_drawing import (
    HAND_COLORS,
    LANES,
    LAYERS,
    WIDTH_INCHES,
    Columns,
    Drawn,
    cut_vectors,
    densest,
    figure_of,
    inside,
)

PER_ROW, MAX_ROWS = 10, 6
SAME_BEATS = 1e-3
"""Notes closer than this are seen at once."""

_TITLE_INCHES = 0.35
_STEP_ACROSS, _STEP_DOWN = LANES + 1.2, LAYERS + 1.9
_BOMB_COLOR, _CELL_COLOR = "#6f7680", "#8d949e"
# A triangle that points upwards, inside a cell whose center is the origin.
_TRIANGLE = np.array([(-0.26, -0.10), (0.26, -0.10), (0.0, 0.28)])


def grid_strip(difficulties: list[Drawn]) -> Any:
    """Return a figure of the first moments of the densest difficulty, each a grid with its blocks and their cuts."""
    one = densest(difficulties)
    moments = moments_of(one)
    shown = moments[: PER_ROW * MAX_ROWS]
    rows = -(-len(shown) // PER_ROW)
    across, down = PER_ROW * _STEP_ACROSS, rows * _STEP_DOWN
    figure, (axes,) = figure_of(height_inches=_TITLE_INCHES + down / across * WIDTH_INCHES)
    for number, (beat, following) in enumerate(zip(shown, [*moments, np.inf][1:], strict=False)):
        left, bottom = number % PER_ROW * _STEP_ACROSS, -(number // PER_ROW) * _STEP_DOWN
        _draw_grid(axes, left, bottom, beat)
        _draw_bombs(axes, left, bottom, _between(one.bombs, beat, following))
        _draw_blocks(axes, left, bottom, _between(one.notes, beat, following))
    top = LAYERS + 0.2
    axes.set(xlim=(-0.6, across - 0.6), ylim=(top - down, top), aspect="equal")
    axes.axis("off")
    part = f"all {len(moments)}" if len(shown) == len(moments) else f"the first {len(shown)} of {len(moments)}"
    axes.set_title(f"{one.name}, {part} moments with notes or bombs, at their beats", fontsize=11)
    return figure


def moments_of(one: Drawn) -> list[float]:
    """Return the beats at which a note or a bomb is on the wall, each once."""
    beats = np.concatenate([one.notes["beat"], one.bombs["beat"] if one.bombs else np.zeros(0)])
    ordered = np.sort(beats)
    return [float(beat) for beat in ordered[np.diff(ordered, prepend=-np.inf) > SAME_BEATS]]


def _between(columns: Columns, beat: float, following: float) -> Columns:
    """Return what is on the wall from one moment to the next, without what lies outside of the grid."""
    if not columns:
        return {}
    seen = inside(columns, "beat", beat, following)
    return {name: column[seen["in_grid"].astype(bool)] for name, column in seen.items()}


def _draw_grid(axes: Any, left: float, bottom: float, beat: float) -> None:
    from matplotlib.patches import Rectangle

    for lane in range(LANES):
        for layer in range(LAYERS):
            corner = (left + lane, bottom + layer)
            axes.add_patch(Rectangle(corner, 1, 1, fill=False, edgecolor=_CELL_COLOR, linewidth=0.4, alpha=0.6))
    axes.text(left + LANES / 2, bottom - 0.25, f"{beat:.5g}", ha="center", va="top", fontsize=6.5)


def _draw_blocks(axes: Any, left: float, bottom: float, notes: Columns) -> None:
    from matplotlib.patches import Circle, FancyBboxPatch, Polygon

    if not notes:
        return
    for x, y, color, vector in zip(notes["x"], notes["y"], notes["color"], cut_vectors(notes), strict=True):
        center = (left + x + 0.5, bottom + y + 0.5)
        corner = (left + x + 0.06, bottom + y + 0.06)
        style, face = "round,pad=0,rounding_size=0.18", HAND_COLORS[int(color)]
        axes.add_patch(FancyBboxPatch(corner, 0.88, 0.88, boxstyle=style, facecolor=face, linewidth=0))
        if vector.any():
            axes.add_patch(Polygon(_turned(_TRIANGLE, vector) + center, closed=True, facecolor="#fffffe", linewidth=0))
        else:
            axes.add_patch(Circle(center, 0.17, facecolor="#fffffe", linewidth=0))


def _draw_bombs(axes: Any, left: float, bottom: float, bombs: Columns) -> None:
    from matplotlib.patches import RegularPolygon

    if not bombs:
        return
    for x, y in zip(bombs["x"], bombs["y"], strict=True):
        center = (left + x + 0.5, bottom + y + 0.5)
        axes.add_patch(RegularPolygon(center, 8, radius=0.4, facecolor=_BOMB_COLOR, linewidth=0))


def _turned(shape: NDArray[np.float64], up: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return points with their upward axis turned to a unit vector."""
    right = np.array([up[1], -up[0]])
    return np.asarray(shape[:, :1] * right + shape[:, 1:] * up)
