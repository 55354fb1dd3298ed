"""Pictures of a finished evaluation: lesion Dice against volume, both Dice distributions, the worst scans.

Lesion Dice and macro Dice are drawn side by side and named apart: on the same predictions they differ much.

Belongs here: figures of predictions. Does not belong here: scoring (`measures`), training curves (`curves`).
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from bgb_assets.modalities.mri.measures.aggregates import scan_means
from bgb_assets.modalities.mri.measures.per_scan import Evaluation
from bgb_assets.modalities.mri.pictures.drawing import (
    MUTED_COLOR,
    SERIES_COLORS,
    figure_of,
    legend_above,
    millilitres,
    whole_numbers,
)
from bgb_assets.modalities.mri.pictures.head import Head
from bgb_assets.modalities.mri.pictures.montage import rows_of_heads

WORST = 6
_MM3_PER_ML = 1000.0
_DICES = (("lesion_dice", "lesion Dice", SERIES_COLORS[0]), ("macro_dice", "macro Dice", SERIES_COLORS[1]))
_NO_ACQUISITION = "not said"


def evaluation_pictures(evaluation: Evaluation, voxel_mm3: float, heads: Mapping[str, Head]) -> Mapping[str, Any]:
    """Return the figures of an evaluation by name: `dice`, and `worst` where heads are given.

    Args:
        evaluation: All predictions of a variant.
        voxel_mm3: Volume of a voxel of its grid.
        heads: Upload -> a scan with truth and prediction; those of `worst_scans` are asked for.
    """
    drawn = {"dice": dice_page(evaluation, voxel_mm3), "worst": worst_page(evaluation, heads)}
    return {name: figure for name, figure in drawn.items() if figure is not None}


def worst_scans(evaluation: Evaluation, count: int = WORST) -> list[tuple[str, float]]:
    """Return (upload, lesion Dice averaged over restarts), the lowest first; equal ones in the order of uploads."""
    ranked = sorted(scan_means(evaluation.scans, "lesion_dice"), key=lambda one: (one.value, one.upload))
    return [(one.upload, one.value) for one in ranked[:count]]


def dice_page(evaluation: Evaluation, voxel_mm3: float) -> Any | None:
    """Return a figure of lesion Dice against lesion volume, and of both distributions; None without predictions."""
    if not evaluation.scans:
        return None
    figure, (points, bars) = figure_of(3.6, columns=2, gridspec_kw={"width_ratios": [5, 4]})
    _dice_by_volume(points, evaluation, voxel_mm3)
    _distributions(bars, evaluation)
    scans = len({one.upload for one in evaluation.scans})
    figure.suptitle(
        f"{evaluation.variant}: {scans:,} scans never trained on, {evaluation.grid} grid, restarts averaged",
        fontsize=11,
    )
    return figure


def worst_page(evaluation: Evaluation, heads: Mapping[str, Head]) -> Any | None:
    """Return a figure with a row of slices for each of the worst scans whose head is given; None where none is."""
    chosen = worst_scans(evaluation)
    drawn = [(f"{upload}: lesion Dice {dice:.3f}", heads[upload]) for upload, dice in chosen if upload in heads]
    return rows_of_heads(drawn, f"{evaluation.variant}: the scans with the lowest lesion Dice")


def _dice_by_volume(axes: Any, evaluation: Evaluation, voxel_mm3: float) -> None:
    volumes_ml = {one.upload: (one.figures.tp + one.figures.fn) * voxel_mm3 / _MM3_PER_ML for one in evaluation.scans}
    acquisitions = {one.upload: one.acquisition or _NO_ACQUISITION for one in evaluation.scans}
    means = scan_means(evaluation.scans, "lesion_dice")
    for number, name in enumerate(sorted(set(acquisitions.values()))):
        own = [one for one in means if acquisitions[one.upload] == name]
        axes.scatter(
            [volumes_ml[one.upload] for one in own], [one.value for one in own], s=13, linewidth=0, alpha=0.8,
            color=SERIES_COLORS[number % len(SERIES_COLORS)], label=name,
        )  # fmt: skip
    millilitres(axes, "x")
    axes.set(xlabel="true lesion volume, ml", ylabel="lesion Dice", ylim=(-0.03, 1.03), xlim=(0.0, None))
    axes.grid(color=MUTED_COLOR, alpha=0.25, linewidth=0.6)
    legend_above(axes, columns=3)


def _distributions(axes: Any, evaluation: Evaluation) -> None:
    edges = np.linspace(0.0, 1.0, 21)
    for number, (figure, name, color) in enumerate(_DICES):
        values = np.array([one.value for one in scan_means(evaluation.scans, figure)])
        counts, _ = np.histogram(values, edges)
        width = (edges[1] - edges[0]) / len(_DICES)
        label = f"{name}: mean {values.mean():.3f}, median {np.median(values):.3f}"
        axes.bar(edges[:-1] + (number + 0.5) * width, counts, width, color=color, label=label)
        axes.axvline(float(np.median(values)), color=color, linewidth=1.0, linestyle="--")
    axes.set(xlabel="Dice of a scan", ylabel="scans", xlim=(-0.01, 1.01))
    whole_numbers(axes.yaxis)
    legend_above(axes, columns=1)
