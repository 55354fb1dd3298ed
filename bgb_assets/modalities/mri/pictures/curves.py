"""How a training went: its loss, and what was watched on the scans that it validated on.

Belongs here: this picture. Does not belong here: reading the curves (`bgb_assets.training.curves`).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from bgb_assets.modalities.mri.pictures.drawing import MUTED_COLOR, SERIES_COLORS, figure_of
from bgb_assets.training.curves import Curve

_NAMES = {"validation/lesion_dice": "lesion Dice", "validation/macro_dice": "macro Dice"}
_FEW_POINTS = 30


def training_curves(curves: Mapping[str, Curve]) -> Any | None:
    """Return a figure of the losses, and beside it of both Dice where validated; None where nothing was logged."""
    losses = [name for name in ("train/loss", "validation/loss") if name in curves]
    watched = [name for name in _NAMES if name in curves]
    if not losses:
        return None
    figure, axes = figure_of(3.0, columns=2 if watched else 1)
    _lines(axes[0], curves, losses)
    axes[0].set(xlabel="step", ylabel="loss", ylim=(0.0, None))
    if watched:
        _lines(axes[1], curves, watched)
        axes[1].set(xlabel="step", ylabel="mean over validation scans", ylim=(0.0, 1.02))
    figure.suptitle("Training", fontsize=11)
    return figure


def _lines(axes: Any, curves: Mapping[str, Curve], names: Sequence[str]) -> None:
    for number, name in enumerate(names):
        steps, values = curves[name]
        marker = "." if len(steps) < _FEW_POINTS else ""
        color = SERIES_COLORS[number % len(SERIES_COLORS)]
        axes.plot(steps, values, color=color, linewidth=1.2, marker=marker, label=_NAMES.get(name, name))
    axes.grid(color=MUTED_COLOR, alpha=0.25, linewidth=0.6)
    axes.legend(fontsize=8, frameon=False)
