"""How varied a map is: runs of notes that come again, and which notes it uses how often.

Belongs here: measures over (color, x, y, cut) of notes. Does not belong here: times and hands (`timing`, `swings`), and
where the notes to compare with come from (`training_notes`). Next in the flow: `quality`.
"""

import numpy as np
from numpy.typing import NDArray

from bgb_assets.modalities.beatmap.formats.objects import GRID_COLUMNS, GRID_ROWS, Columns, in_grid

RUN_LENGTH = 4
CUTS = 9
"""Cuts 0 to 8; 8 is a dot: any direction."""
NOTE_CLASSES = 2 * GRID_COLUMNS * GRID_ROWS * CUTS + 1
"""Every (color, x, y, cut) of the grid, and one for all notes outside of it or with another cut."""

_NOTE = ("color", "x", "y", "cut_direction")
_DOT, _FIRST_DIAGONAL = 8, 4

Counts = NDArray[np.int64]


def distinct_runs(notes: Columns, length: int = RUN_LENGTH) -> float:
    """Return the share of distinct runs of (color, x, y, cut), notes sorted by (beat, color, x, y, cut).

    Runs overlap: n notes have n - length + 1. 0 for fewer notes than one run.
    """
    counts = _run_counts(notes, length)
    return len(counts) / int(counts.sum()) if len(counts) else 0.0


def run_entropy_bits(notes: Columns, length: int = RUN_LENGTH) -> float:
    """Return the entropy of the runs that `distinct_runs` compares: -sum of p log2 p over their shares, in bits."""
    counts = _run_counts(notes, length)
    if not len(counts):
        return 0.0
    shares = counts / counts.sum()
    return float(np.abs((shares * np.log2(shares)).sum()))


def red_share(notes: Columns) -> float:
    """Return the share of notes of the left hand; 0 without notes."""
    return _share(notes["color"] == 0)


def dot_share(notes: Columns) -> float:
    """Return the share of notes that may be cut in any direction; 0 without notes."""
    return _share(notes["cut_direction"] == _DOT)


def diagonal_share(notes: Columns) -> float:
    """Return the share of notes with a cut of 4 to 7, whatever their angle adds; 0 without notes."""
    cuts = notes["cut_direction"]
    return _share((cuts >= _FIRST_DIAGONAL) & (cuts < _DOT))


def note_histogram(notes: Columns) -> Counts:
    """Return how many notes are of each class, (`NOTE_CLASSES`,); the last class is all that is outside the grid."""
    color, cut = notes["color"].astype(np.int64), notes["cut_direction"].astype(np.int64)
    x, y = notes["x"].astype(np.int64), notes["y"].astype(np.int64)
    classes = ((color * GRID_COLUMNS + x) * GRID_ROWS + y) * CUTS + cut
    known = in_grid(notes) & (cut >= 0) & (cut < CUTS)
    return np.bincount(np.where(known, classes, NOTE_CLASSES - 1), minlength=NOTE_CLASSES).astype(np.int64)


def total_variation(counts: Counts, reference: Counts) -> float | None:
    """Return half the sum of the differences of two histograms' shares: 0 equal, 1 nothing in common.

    None where one of them is empty.
    """
    if not counts.sum() or not reference.sum():
        return None
    return float(np.abs(counts / counts.sum() - reference / reference.sum()).sum() / 2)


def _run_counts(notes: Columns, length: int) -> Counts:
    """Return how often each distinct run comes."""
    order = np.lexsort([notes[name] for name in (*reversed(_NOTE), "beat")])
    rows = np.stack([notes[name][order] for name in _NOTE], axis=1)
    if len(rows) < length:
        return np.zeros(0, np.int64)
    runs = np.lib.stride_tricks.sliding_window_view(rows, length, axis=0).reshape(len(rows) - length + 1, -1)
    return np.unique(runs, axis=0, return_counts=True)[1].astype(np.int64)


def _share(chosen: NDArray[np.bool_]) -> float:
    return float(chosen.mean()) if len(chosen) else 0.0
