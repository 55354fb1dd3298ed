"""Pictures of all scans together: how large their lesions are, how they fall into folds, and what does not train.

Belongs here: figures of the manifest. Does not belong here: one scan (`montage`, `planes`), models (`evaluations`).
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bgb_assets.modalities.mri.pictures.drawing import (
    MUTED_COLOR,
    SERIES_COLORS,
    bin_color,
    bin_name,
    figure_of,
    legend_above,
    millilitres,
    whole_numbers,
)
from bgb_assets.storage.manifest import read_rows

MAX_NAMED = 12
"""So many scans that do not train are named; the others are counted."""

_COLUMNS = ("row_id", "included", "reason", "status", "outer_fold", "volume_bin", "acquisition", "lesion_volume_mm3")
_MM3_PER_ML = 1000.0
_NO_ACQUISITION = "not said"

Row = dict[str, Any]


def cohort_page(manifest: Path) -> Any | None:
    """Return a figure of the scans that train: volumes by bin and acquisition, folds by bin; None without any."""
    rows = [row for row in _rows(manifest) if row["included"]]
    if not rows:
        return None
    figure, (volumes, folds, acquisitions) = figure_of(3.4, columns=3, gridspec_kw={"width_ratios": [5, 4, 4]})
    _volumes(volumes, rows)
    _stacked(folds, rows, "outer_fold", "outer fold")
    _stacked(acquisitions, rows, "acquisition", "acquisition")
    figure.suptitle(f"{len(rows):,} scans that train, by lesion volume", fontsize=11)
    return figure


def left_out_page(manifest: Path) -> Any | None:
    """Return a table of the scans that do not train, with reason and status; None where all do."""
    rows = [row for row in _rows(manifest) if not row["included"]]
    if not rows:
        return None
    named = sorted(rows, key=lambda row: (str(row["reason"]), row["row_id"]))[:MAX_NAMED]
    counts = Counter((str(row["reason"]), row["status"]) for row in rows)
    cells = [[f"{count:,} in all", reason, status] for (reason, status), count in sorted(counts.items())]
    cells += [[row["row_id"], str(row["reason"]), row["status"]] for row in named]
    figure, (axes,) = figure_of(0.4 + 0.2 * (len(cells) + 1))
    _table(axes, [["scan", "why", "status"], *cells])
    left = f", {len(named)} of them named" if len(named) < len(rows) else ""
    figure.suptitle(f"{len(rows):,} scans do not train{left}", fontsize=11)
    return figure


def _table(axes: Any, rows: Sequence[Sequence[str]]) -> None:
    """Write rows as lines of text, the first as their heading: a table of matplotlib's is drawn in one theme only."""
    axes.set_axis_off()
    axes.set(xlim=(0.0, 1.0), ylim=(len(rows), 0.0))
    for number, row in enumerate(rows):
        for place, text in zip((0.01, 0.5, 0.8), row, strict=True):
            axes.text(place, number + 0.5, text, fontsize=8, va="center", weight="normal" if number else "bold")
        axes.axhline(number + 1, color=MUTED_COLOR, linewidth=0.4)


def _volumes(axes: Any, rows: Sequence[Row]) -> None:
    """Draw each lesion's volume over its bin, colored by acquisition, spread out sideways by its place in the order."""
    bins = sorted({row["volume_bin"] for row in rows})
    names = sorted({row["acquisition"] or _NO_ACQUISITION for row in rows})
    for number, name in enumerate(names):
        own = [row for row in rows if (row["acquisition"] or _NO_ACQUISITION) == name]
        spread = _spread(len(own))
        axes.scatter(
            [bins.index(row["volume_bin"]) + shift for row, shift in zip(own, spread, strict=True)],
            [row["lesion_volume_mm3"] / _MM3_PER_ML for row in own],
            s=11, color=SERIES_COLORS[number % len(SERIES_COLORS)], linewidth=0, alpha=0.8, label=name,
        )  # fmt: skip
    axes.set_xticks(range(len(bins)), [bin_name(number) for number in bins], fontsize=8)
    axes.set_xlim(-0.6, len(bins) - 0.4)
    millilitres(axes, "y")
    axes.set_ylim(0.0, None)
    axes.set_ylabel("lesion volume, ml", fontsize=9)
    axes.grid(axis="y", color=MUTED_COLOR, alpha=0.25, linewidth=0.6)
    legend_above(axes, columns=2)


def _stacked(axes: Any, rows: Sequence[Row], column: str, label: str) -> None:
    """Draw a bar of scans for each value of a column, made up of volume bins."""
    found = [_NO_ACQUISITION if row[column] is None else row[column] for row in rows]
    values = sorted(set(found), key=str)
    bins = sorted({row["volume_bin"] for row in rows})
    counts = Counter(zip(found, (row["volume_bin"] for row in rows), strict=True))
    bottom = np.zeros(len(values))
    for number in bins:
        heights = np.array([counts[value, number] for value in values])
        axes.bar(range(len(values)), heights, 0.7, bottom=bottom, color=bin_color(number), label=bin_name(number))
        bottom += heights
    axes.bar_label(axes.containers[-1], [f"{height:.0f}" for height in bottom], fontsize=8)
    names = ["none" if value == -1 else str(value).replace("_", "\n") for value in values]
    axes.set_xticks(range(len(values)), names, fontsize=8)
    axes.set_xlabel(label, fontsize=9)
    axes.set_ylabel("scans", fontsize=9)
    axes.margins(y=0.12)
    whole_numbers(axes.yaxis)
    legend_above(axes, columns=2)


def _spread(count: int) -> list[float]:
    """Return places between -0.3 and 0.3 that fill the width evenly however many there are (golden ratio)."""
    return [0.6 * ((number * 0.618034) % 1.0) - 0.3 for number in range(count)]


def _rows(manifest: Path) -> list[Row]:
    rows: list[Row] = read_rows(manifest, _COLUMNS).to_pylist()
    return rows
