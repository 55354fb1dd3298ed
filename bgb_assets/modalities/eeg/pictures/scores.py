"""Pictures of a model: what it detects at which price, whether its probabilities are true, and for whom it fails.

Belongs here: figures of scores. Does not belong here: scoring (`scoring`), reading a model's files (`evaluations`).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bgb_assets.modalities.eeg.pictures.drawing import (
    DETECTED_COLOR,
    MUTED_COLOR,
    TRUE_COLOR,
    figure_of,
    legend_above,
    whole_numbers,
)
from bgb_assets.modalities.eeg.scoring.metrics import FALSE_ALARM_LIMITS, Figure, Metric
from bgb_assets.modalities.eeg.scoring.thresholds import OperatingPoints, sensitivities, sensitivity_at
from bgb_assets.training.calibration import Reliability

MAX_PATIENTS = 40
LIMITS = np.unique(np.round([*FALSE_ALARM_LIMITS, *np.geomspace(0.5, 200.0, 25)], 3))
"""False alarms in 24 hours at which the curve is computed."""

_COLORS = ("#2f8fd8", "#e8474c", "#3fa76a", "#e0a030", "#8a63c9", "#4fb3b3")


def false_alarm_curve(points: OperatingPoints) -> Any:
    """Return a figure of the sensitivity that a number of false alarms in 24 hours buys, with its 95 % interval."""
    limits = LIMITS.tolist()
    found = sensitivities(points, limits)
    bands = [found[Metric(points.scorer, Figure.SENSITIVITY_AT, limit)] for limit in limits]
    best = [sensitivity_at(points, limit)[0] for limit in limits]
    figure, (axes,) = figure_of(3.2)
    low, high = (
        np.array([np.nan if end is None else end for end in ends], np.float64)
        for ends in ([band.low for band in bands], [band.high for band in bands])
    )
    axes.fill_between(
        limits,
        low,
        high,
        step="post",
        color=DETECTED_COLOR,
        alpha=0.2,
        linewidth=0,
        label="95 % interval over patients",
    )
    line = np.array([np.nan if value is None else value for value in best], np.float64)
    axes.plot(limits, line, drawstyle="steps-post", color=DETECTED_COLOR, linewidth=1.6, label="sensitivity")
    axes.set(xscale="log", xlabel="false alarms in 24 hours", ylabel="share of seizures found", ylim=(-0.02, 1.02))
    axes.set_xticks([0.5, 1, 2.5, 5, 10, 50, 100, 200], ["0.5", "1", "2.5", "5", "10", "50", "100", "200"])
    axes.minorticks_off()
    axes.grid(color=MUTED_COLOR, alpha=0.25, linewidth=0.6)
    legend_above(axes)
    references = points.table.sum(0)[0, 2]
    figure.suptitle(
        f"Sensitivity against false alarms, {points.scorer}: {references:g} seizures of {len(points.table)} patients",
        fontsize=11,
    )
    return figure


def reliability_page(bins: Reliability) -> Any:
    """Return a figure of how often a seizure there is where its probability is said, and how often that is said."""
    figure, (curve, counts) = figure_of(4.2, rows=2, sharex=True, gridspec_kw={"height_ratios": [3, 1]})
    curve.plot([0, 1], [0, 1], color=MUTED_COLOR, linestyle="--", linewidth=1.0, label="as said")
    curve.plot(
        bins.probability, bins.outcome, color=DETECTED_COLOR, marker="o", markersize=4, linewidth=1.3, label="as it was"
    )
    curve.set(ylabel="share of steps in seizures", ylim=(-0.02, 1.02), xlim=(-0.01, 1.01))
    legend_above(curve)
    counts.bar(bins.probability, bins.weight, width=0.03, color=MUTED_COLOR)
    counts.set(yscale="log", xlabel="probability of a seizure, mean of a bin", ylabel="steps")
    counts.minorticks_off()
    error = "unknown" if bins.error is None else f"{bins.error:.4f}"
    figure.suptitle(f"Reliability of {int(bins.weight.sum()):,} steps, calibration error {error}", fontsize=11)
    return figure


def patient_bars(by_patient: Mapping[str, Mapping[str, float]], scorer: str) -> Any | None:
    """Return a figure of the seizures found and missed of each patient, and of the false alarms; None without any.

    Args:
        by_patient: Patient -> counts `tp`, `fp`, `reference` and `duration_s`; those in most trouble come first.
        scorer: Who counted.
    """
    if not by_patient:
        return None
    names = sorted(by_patient, key=lambda name: (-_trouble(by_patient[name]), name))[:MAX_PATIENTS]
    rows = np.arange(len(names))
    found, false, true, seconds = (
        np.array([by_patient[name][column] for name in names]) for column in ("tp", "fp", "reference", "duration_s")
    )
    figure, (left, right) = figure_of(1.3 + 0.22 * len(names), columns=2, sharey=True)
    left.barh(rows, found, color=DETECTED_COLOR, label="found")
    left.barh(rows, true - found, left=found, color=TRUE_COLOR, label="missed")
    left.set_yticks(rows, names, fontsize=8)
    left.set_ylim(len(names) - 0.4, -0.6)
    left.set_xlabel("seizures", fontsize=9)
    whole_numbers(left.xaxis)
    legend_above(left)
    per_day = np.divide(false * 86_400.0, seconds, out=np.zeros(len(names)), where=seconds > 0)
    bars = right.barh(rows, per_day, color=MUTED_COLOR)
    right.bar_label(
        bars,
        [f"{count:g} in {time / 3600:.2g} h" for count, time in zip(false, seconds, strict=True)],
        fontsize=7,
        padding=3,
    )
    right.set_xlabel("false alarms in 24 hours", fontsize=9)
    right.set_xlim(0.0, 1.35 * max(1.0, float(per_day.max())))
    left_out = f", {len(names)} of them here" if len(names) < len(by_patient) else ""
    figure.suptitle(f"{len(by_patient)} patients{left_out}, {scorer}", fontsize=11)
    return figure


def training_curves(curves: Mapping[str, tuple[NDArray[np.int64], NDArray[np.float64]]]) -> Any | None:
    """Return a figure of the losses and of what validation measured in [0, 1], or None where nothing was logged."""
    losses = sorted(name for name in curves if name.endswith("/loss"))
    measures = sorted(name for name in curves if name.startswith("validation/") and name not in losses)
    if not losses:
        return None
    figure, (left, right) = figure_of(3.0, columns=2)
    _lines(left, curves, losses)
    left.set(xlabel="step", ylabel="loss", ylim=(0.0, None))
    _lines(right, curves, [name for name in measures if np.nanmax(curves[name][1], initial=0.0) <= 1.0])
    right.set(xlabel="step", ylabel="validation", ylim=(0.0, 1.02))
    figure.suptitle("Training", fontsize=11)
    return figure


def _lines(axes: Any, curves: Mapping[str, tuple[NDArray[Any], NDArray[Any]]], names: Sequence[str]) -> None:
    for number, name in enumerate(names):
        steps, values = curves[name]
        marker = "." if len(steps) < 30 else ""
        label = name.removeprefix("validation/") if name != "validation/loss" else name
        axes.plot(steps, values, color=_COLORS[number % len(_COLORS)], linewidth=1.2, marker=marker, label=label)
    if names:
        axes.legend(fontsize=7, frameon=False)


def _trouble(counts: Mapping[str, float]) -> float:
    return counts["reference"] - counts["tp"] + counts["fp"]
