"""Pictures of all recordings together: where their seizures lie, and what the windows hold.

Belongs here: figures of the manifest. Does not belong here: one recording (`traces`, `quality`), models (`scores`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np

from bgb_assets.modalities.eeg.electrodes import RATE_HZ
from bgb_assets.modalities.eeg.pictures.drawing import (
    DETECTED_COLOR,
    SPLIT_COLORS,
    SPLIT_NAMES,
    TRUE_COLOR,
    Spans,
    figure_of,
    legend_above,
    mark,
)
from bgb_assets.storage.manifest import read_counts, read_rows

MAX_ROWS = 40
"""So many recordings are drawn; those with most seizure time come first, then in the order of their keys."""

_CATEGORY_COLORS: Mapping[str, str] = {"none": "#a0a6b0", "partial": "#e0a030", "full": "#d0334d"}
_CATEGORY_NAMES: Mapping[str, str] = {"none": "no seizure", "partial": "partly seizure", "full": "all seizure"}


@dataclass(frozen=True, eq=False)
class Line:
    """One recording in a timeline; all times are seconds of signal, gaps left out.

    Attributes:
        name: Of the recording.
        split: Its split code.
        duration_s: How long it is.
        true: (k, 2) noted seizures.
        detected: (k, 2), or None where no detector was asked.
    """

    name: str
    split: int
    duration_s: float
    true: Spans
    detected: Spans | None = None


def timeline(lines: Sequence[Line]) -> Any | None:
    """Return a figure with a row per recording, its seizures and what was detected; None without recordings."""
    if not lines:
        return None
    drawn = _most_worth_seeing(lines)
    unit, per_unit = ("hours", 3600.0) if max(one.duration_s for one in drawn) > 7200 else ("minutes", 60.0)
    figure, (axes,) = figure_of(1.1 + 0.2 * len(drawn))
    for row, one in enumerate(drawn):
        name = SPLIT_NAMES[one.split]
        axes.barh(
            [row], [one.duration_s / per_unit], height=0.72, color=SPLIT_COLORS[one.split], alpha=0.35, label=name
        )
        half = 0.36 if one.detected is not None else 0.72
        mark(axes, one.true / per_unit, row - (0.72 - half) / 2, half, TRUE_COLOR, "noted seizure")
        if one.detected is not None:
            mark(axes, one.detected / per_unit, row + 0.18, half, DETECTED_COLOR, "detected")
    axes.set_yticks(range(len(drawn)), [_short(one.name) for one in drawn], fontsize=7)
    axes.set_ylim(len(drawn) - 0.4, -0.6)
    axes.set_xlim(0.0, 1.01 * max(one.duration_s for one in drawn) / per_unit)
    axes.set_xlabel(f"{unit} of signal", fontsize=9)
    legend_above(axes, columns=6)
    left_out = f", {len(drawn)} of them here" if len(drawn) < len(lines) else ""
    seizures = sum(len(one.true) for one in lines)
    figure.suptitle(f"{len(lines):,} recordings, {seizures:,} seizures{left_out}", fontsize=11)
    return figure


def windows(manifest: Path) -> Any | None:
    """Return a figure of the windows of each split by category, on a scale of powers of ten; None without any."""
    counts = {name: found for name, found in read_counts(manifest)["windows"].items() if found["windows"]}
    if not counts:
        return None
    figure, (axes,) = figure_of(2.6)
    width = 0.8 / len(_CATEGORY_COLORS)
    for number, (category, color) in enumerate(_CATEGORY_COLORS.items()):
        at = np.arange(len(counts)) + (number - 1) * width
        heights = [found[category] for found in counts.values()]
        bars = axes.bar(at, heights, width, color=color, label=_CATEGORY_NAMES[category])
        axes.bar_label(bars, [f"{height:,}" for height in heights], fontsize=8)
    titles = [f"{name}\n{_percent(found)} of the windows" for name, found in counts.items()]
    axes.set_xticks(range(len(counts)), titles, fontsize=8)
    axes.set_yscale("symlog", linthresh=1.0)
    axes.margins(y=0.15)
    axes.set_ylabel("windows", fontsize=9)
    legend_above(axes)
    figure.suptitle("Windows by seizure time; below, the share that has any", fontsize=11)
    return figure


def lines_of_manifest(manifest: Path) -> list[Line]:
    """Return the recordings of an entry of stage manifest."""
    import pyarrow.parquet as pq

    rows = read_rows(manifest, ("row_id", "split", "samples")).to_pydict()
    held = pq.read_table(manifest / "intervals.parquet").to_pydict()
    spans: dict[int, list[tuple[float, float]]] = {}
    for recording, start, stop in zip(held["recording"], held["start_sample"], held["stop_sample"], strict=True):
        spans.setdefault(recording, []).append((start / RATE_HZ, stop / RATE_HZ))
    return [
        Line(name, split, samples / RATE_HZ, np.array(spans.get(number, []), np.float64).reshape(-1, 2))
        for number, (name, split, samples) in enumerate(zip(*rows.values(), strict=True))
    ]


def _most_worth_seeing(lines: Sequence[Line]) -> list[Line]:
    if len(lines) <= MAX_ROWS:
        return list(lines)
    ranked = sorted(range(len(lines)), key=lambda number: -float(np.diff(lines[number].true).sum()))
    return [lines[number] for number in sorted(ranked[:MAX_ROWS])]


def own_name(key: str) -> str:
    """Return what a recording is called within its folder: the last part of the path that its key was made from."""
    return unquote(key).rpartition("/")[2].removesuffix("_eeg")


def _short(key: str) -> str:
    name = own_name(key)
    return name if len(name) <= 34 else f"{name[:16]}…{name[-16:]}"


def _percent(found: Mapping[str, int]) -> str:
    return f"{100.0 * (found['partial'] + found['full']) / found['windows']:.1f} %"
