"""Reads the pace that a person draws for a song: CSV rows of bar,nps, each from its bar on until the next.

    bar,nps
    0,3
    16,6.5
    48,0

Bars are of four beats and count from 0 at the begin of the audio. Belongs here: that file. Does not belong here:
keeping the pace (`pace`).
"""

import csv
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bgb_assets.runtime.errors import BadInput

MAX_NPS = 50.0

_NAMES = ["bar", "nps"]


@dataclass(frozen=True)
class PaceCurve:
    """Notes per second from some bars on.

    Attributes:
        bars: Rising, the first 0.
        notes_per_s: From each of them on.
    """

    bars: tuple[int, ...]
    notes_per_s: tuple[float, ...]

    def of_bars(self, bars: int) -> NDArray[np.float64]:
        """Return the pace of each of so many bars."""
        which = np.searchsorted(self.bars, np.arange(bars), side="right") - 1
        return np.asarray(self.notes_per_s)[which]


def read_pace_curve(path: Path) -> PaceCurve:
    """Read a pace curve.

    Raises:
        BadInput: It is no such file; the message names the row.
    """
    if not path.is_file():
        raise BadInput(f"{path}: no such file", "correct --nps-curve")
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = [[field.strip() for field in row] for row in csv.reader(file) if any(map(str.strip, row))]
    if rows and rows[0] == _NAMES:
        rows = rows[1:]
    points = [_point(row, f"{path.name}: {','.join(row)!r}") for row in rows]
    bars = tuple(bar for bar, _ in points)
    if not bars or bars[0] != 0 or any(after <= before for before, after in pairwise(bars)):
        raise BadInput(
            f"{path.name}: bars must rise from 0, got {list(bars)!r}", "give rows of bar,nps, the first at 0"
        )
    if not any(nps for _, nps in points):
        raise BadInput(f"{path.name}: asks for no note at all", "give some bars a pace above 0")
    return PaceCurve(bars, tuple(nps for _, nps in points))


def _point(row: list[str], label: str) -> tuple[int, float]:
    try:
        bar, nps = int(row[0]), float(row[1])
    except (ValueError, IndexError):
        raise BadInput(f"{label}: expected a bar's number and its notes per second", "correct the row") from None
    if len(row) != len(_NAMES) or not 0.0 <= nps <= MAX_NPS:
        raise BadInput(f"{label}: expected two numbers, the second from 0 to {MAX_NPS:g}", "correct the row")
    return bar, nps
