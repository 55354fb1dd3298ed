"""The objects of one difficulty in one form, whatever version they were saved as: columns, sorted, checked.

Belongs here: which kinds and columns there are, the rules that drop or round a value, and the order of rows.
Does not belong here: the field names of any file version (`parse_v2`, `parse_v3`, `parse_v4`) and times in
seconds (`tempo`, `notes`). Next in the flow: `identities`, `notes`, `export`.

Beats, lengths and multipliers are float64; cells, directions and colours int64; flags bool. Cells: x 0..3 left
to right, y 0..2 bottom to top; cuts 0 up, 1 down, 2 left, 3 right, 4 up-left, 5 up-right, 6 down-left,
7 down-right, 8 any; colours 0 left, 1 right; angles in degrees counter-clockwise.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bgb_assets.runtime.errors import BadInput

Column = NDArray[Any]
Columns = Mapping[str, Column]
Objects = Mapping[str, Columns]
"""Kind -> column -> one value per object; every kind of `KINDS` is there."""

KINDS: Mapping[str, Mapping[str, str]] = {
    "notes": {
        "beat": "f8",
        "x": "i8",
        "y": "i8",
        "color": "i8",
        "cut_direction": "i8",
        "angle_deg": "i8",
        "fake": "?",
    },
    "bombs": {"beat": "f8", "x": "i8", "y": "i8", "fake": "?"},
    "walls": {
        "beat": "f8",
        "duration_beats": "f8",
        "x": "i8",
        "y": "i8",
        "width": "i8",
        "height": "i8",
        "fake": "?",
    },
    "arcs": {
        "beat": "f8",
        "color": "i8",
        "x": "i8",
        "y": "i8",
        "cut": "i8",
        "mult": "f8",
        "tail_beat": "f8",
        "tail_x": "i8",
        "tail_y": "i8",
        "tail_cut": "i8",
        "tail_mult": "f8",
        "mid_anchor": "i8",
    },
    "chains": {
        "beat": "f8",
        "color": "i8",
        "x": "i8",
        "y": "i8",
        "cut": "i8",
        "tail_beat": "f8",
        "tail_x": "i8",
        "tail_y": "i8",
        "slices": "i8",
        "squish": "f8",
    },
    "njs": {"beat": "f8", "delta": "f8", "easing": "i8", "extend": "i8"},
    "rotations": {"beat": "f8", "late": "i8", "degrees": "f8"},
}
"""Kind -> column -> dtype; the first five are what a player hits or dodges."""

PLAYED_KINDS = ("notes", "bombs", "walls", "arcs", "chains")
MAX_BEAT = 1e6
"""Later than any song: such an object is a fault of the editor, and so is one as far before it."""

GRID_COLUMNS, GRID_ROWS = 4, 3

_BEAT_COLUMNS = ("beat", "tail_beat", "duration_beats")
_MAX_EXACT_INTEGER = float(2**53)


def numbers(rows: Sequence[Any], key: str, where: str) -> NDArray[np.float64]:
    """Return one field of a list of JSON objects as float64; an omitted field is 0, null is NaN.

    Args:
        rows: JSON objects of one collection.
        key: The field.
        where: How messages name the collection.

    Raises:
        BadInput: An entry is no object or its value no number; the message names the entry.
    """
    try:
        return np.fromiter((row.get(key, 0) for row in rows), np.float64, len(rows))
    except (TypeError, ValueError, AttributeError, OverflowError):
        raise _bad_entry(rows, key, where) from None


def collection(document: Mapping[str, Any], key: str, label: str) -> list[Any]:
    """Return a list of a document; an omitted or null one is empty.

    Raises:
        BadInput: It is something else than a list.
    """
    value = document.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise BadInput(f"{label}: {key} must be a list, got {value!r:.80}", "fix or remove the difficulty")
    return value


def checked(kind: str, columns: Mapping[str, NDArray[Any]], issues: Counter[str]) -> Columns:
    """Drop what cannot be played, round what must be whole, sort, and count each by reason in `issues`.

    Args:
        kind: One of `KINDS`.
        columns: float64 (flags: bool) columns of equal length; a column that is left out is all 0.
        issues: Counts are added under `not_finite`, `beyond_last_beat`, `unknown_color`, `rounded`, `repeated`.

    Returns:
        The columns of `KINDS[kind]` in that order, rows sorted by all fields in that order.
    """
    length = len(columns["beat"])
    table = {name: np.asarray(columns.get(name, np.zeros(length)), np.float64) for name in KINDS[kind]}
    finite = np.logical_and.reduce([np.isfinite(column) for column in table.values()])
    table = _keep(table, finite, "not_finite", issues)
    in_song = np.logical_and.reduce([np.abs(table[name]) <= MAX_BEAT for name in _BEAT_COLUMNS if name in table])
    table = _keep(table, in_song, "beyond_last_beat", issues)
    for name, dtype in KINDS[kind].items():
        if dtype == "i8":
            table[name] = _whole(table[name], issues)
    if "color" in table:
        table = _keep(table, np.isin(table["color"], (0.0, 1.0)), "unknown_color", issues)
    return _typed(kind, _sorted(table, issues))


def empty_objects() -> dict[str, Columns]:
    """Return a difficulty without objects."""
    return {kind: _typed(kind, dict.fromkeys(fields, np.zeros(0))) for kind, fields in KINDS.items()}


def count(columns: Columns) -> int:
    """Return the number of objects of one kind."""
    return len(columns["beat"])


def in_grid(columns: Columns) -> NDArray[np.bool_]:
    """Say which objects lie in the grid of 4 columns and 3 rows."""
    x, y = columns["x"], columns["y"]
    return np.asarray((x >= 0) & (x < GRID_COLUMNS) & (y >= 0) & (y < GRID_ROWS))


def to_json(objects: Objects) -> dict[str, dict[str, Column]]:
    """Return the objects as a value that `identities.canonical_json` writes."""
    return {kind: {name: objects[kind][name] for name in fields} for kind, fields in KINDS.items()}


def from_json(value: Mapping[str, Mapping[str, Sequence[Any]]]) -> dict[str, Columns]:
    """Return the objects that `to_json` wrote."""
    return {
        kind: {name: np.array(value[kind][name], dtype=np.dtype(dtype)) for name, dtype in fields.items()}
        for kind, fields in KINDS.items()
    }


def _keep(
    table: dict[str, NDArray[np.float64]], kept: NDArray[np.bool_], reason: str, issues: Counter[str]
) -> dict[str, NDArray[np.float64]]:
    dropped = len(kept) - int(np.count_nonzero(kept))
    if not dropped:
        return table
    issues[reason] += dropped
    return {name: column[kept] for name, column in table.items()}


def _whole(column: NDArray[np.float64], issues: Counter[str]) -> NDArray[np.float64]:
    """Round halves up, so that 2.5 is 3 as on the beat grid, and keep within what float64 holds exactly."""
    rounded = np.clip(np.floor(column + 0.5), -_MAX_EXACT_INTEGER, _MAX_EXACT_INTEGER)
    changed = int(np.count_nonzero(rounded != column))
    if changed:
        issues["rounded"] += changed
    return rounded


def _sorted(table: dict[str, NDArray[np.float64]], issues: Counter[str]) -> dict[str, NDArray[np.float64]]:
    rows = np.stack(list(table.values()), axis=1) + 0.0  # + 0.0 turns -0.0 into 0.0
    rows = rows[np.lexsort(rows.T[::-1])]
    repeats = int(np.count_nonzero((rows[1:] == rows[:-1]).all(axis=1)))
    if repeats:
        issues["repeated"] += repeats
    return {name: rows[:, index] for index, name in enumerate(table)}


def _typed(kind: str, table: Mapping[str, NDArray[np.float64]]) -> dict[str, Column]:
    return {name: np.ascontiguousarray(table[name].astype(np.dtype(dtype))) for name, dtype in KINDS[kind].items()}


def _bad_entry(rows: Sequence[Any], key: str, where: str) -> BadInput:
    remedy = "fix or remove the difficulty"
    for index, row in enumerate(rows):
        if not isinstance(row, Mapping):
            return BadInput(f"{where}[{index}]: expected an object, got {row!r:.80}", remedy)
        value = row.get(key, 0)
        try:
            float("nan" if value is None else value)
        except (TypeError, ValueError, OverflowError):
            return BadInput(f"{where}[{index}].{key}: expected a number, got {value!r:.80}", remedy)
    return BadInput(f"{where}: field {key} cannot be read as numbers", remedy)
