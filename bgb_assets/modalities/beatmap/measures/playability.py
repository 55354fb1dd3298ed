"""What makes a map hard to read or impossible to hit: hands that cross, notes that hide notes, shared cells.

Belongs here: counts over cells and times. Does not belong here: swings and parity (`swings`), seams (`seams`).
Next in the flow: `quality`.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from bgb_assets.modalities.beatmap.formats.objects import Columns
from bgb_assets.modalities.beatmap.tables.timing import TICKS_PER_BEAT

VISION_BLOCK_S = 0.35
"""Taken over from mappers' advice; no study of what players can read was found that confirms it."""
MIDDLE_CELLS = ((1, 1), (2, 1))
"""Right before the player's eyes, as (x, y)."""

_LEFT, _RIGHT = 0, 1
_FIRST_X, _LAST_X = 0, 3


def collisions(objects: Mapping[str, Columns]) -> int:
    """Return how many notes and bombs share cell and tick (1/48 beat) with another one before them.

    Chains, arcs and walls are no objects of one cell and one time, and are not looked at; fakes are not hit.
    """
    rows = [
        np.stack([_ticks(columns), columns["x"], columns["y"]], axis=1)
        for columns in (_real(objects["notes"]), _real(objects["bombs"]))
    ]
    every = np.concatenate(rows)
    return len(every) - len(np.unique(every, axis=0)) if len(every) else 0


def crossovers(notes: Columns) -> int:
    """Return in how many ticks (1/48 beat) the left hand is at the far right (x 3) and the right one at x 0."""
    real = _real(notes)
    ticks, colors, x = _ticks(real), real["color"], real["x"]
    left_over = ticks[(colors == _LEFT) & (x == _LAST_X)]
    right_over = ticks[(colors == _RIGHT) & (x == _FIRST_X)]
    return len(np.intersect1d(left_over, right_over))


def vision_blocks(notes: Columns, times_s: NDArray[np.float64]) -> int:
    """Return how many notes in the two middle cells hide one of the other hand that follows in the same cell.

    It hides it where it comes later, by at most `VISION_BLOCK_S`: an unverified threshold.

    Args:
        notes: Canonical notes; fakes are left out.
        times_s: Seconds of each note.
    """
    hiding = 0
    for x, y in MIDDLE_CELLS:
        here = (notes["x"] == x) & (notes["y"] == y) & ~notes["fake"]
        for color in (_LEFT, _RIGHT):
            first = np.sort(times_s[here & (notes["color"] == color)])
            others = np.sort(times_s[here & (notes["color"] != color)])
            begin = np.searchsorted(others, first, side="right")
            end = np.searchsorted(others, first + VISION_BLOCK_S, side="right")
            hiding += int(np.count_nonzero(end > begin))
    return hiding


def _real(columns: Columns) -> Columns:
    real = ~columns["fake"]
    return {name: column[real] for name, column in columns.items()}


def _ticks(columns: Columns) -> NDArray[np.int64]:
    return np.floor(columns["beat"] * TICKS_PER_BEAT + 0.5).astype(np.int64)
