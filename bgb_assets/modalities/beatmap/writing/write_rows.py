"""Turns columns into the lists of JSON objects that map files hold.

Belongs here: the step from columns to rows that the writers of all versions share, and lists of distinct rows that
others point into. Does not belong here: field names of a version (`write_v2`, `write_v3`, `write_v4`, `write_lights`).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from bgb_assets.modalities.beatmap.formats.objects import Columns
from bgb_assets.modalities.beatmap.formats.tempo import TempoMap


def rows_of(columns: Columns, fields: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return one JSON object per row.

    Args:
        columns: The columns of one kind.
        fields: Column -> field name in the file.
    """
    names = list(fields.values())
    values = [columns[column].tolist() for column in fields]
    return [dict(zip(names, row, strict=True)) for row in zip(*values, strict=True)]


def with_fake_mark(rows: list[dict[str, Any]], columns: Columns) -> list[dict[str, Any]]:
    """Mark decoration as versions 3 and 4 do."""
    return [
        {**row, "customData": {"uninteractable": True}} if fake else row
        for row, fake in zip(rows, columns["fake"].tolist(), strict=True)
    ]


def tempo_changes(tempo: TempoMap, base_bpm: float | None) -> list[tuple[float, float]]:
    """Return (beat, tempo) of each change of a regular map; one at beat 0 where Info has another tempo."""
    changes = list(zip(tempo.beats.tolist(), tempo.bpms.tolist(), strict=True))
    return changes[1:] if base_bpm is None or base_bpm == changes[0][1] else changes


class SharedRows:
    """A list of distinct rows that rows elsewhere point into; rows are known by their values."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self._index: dict[tuple[Any, ...], int] = {}

    def indices(self, rows: Sequence[dict[str, Any]]) -> list[int]:
        """Return where each row lies in the list, appending the new ones."""
        return [self._place(row) for row in rows]

    def _place(self, row: dict[str, Any]) -> int:
        key = tuple(row.values())
        if key not in self._index:
            self._index[key] = len(self.rows)
            self.rows.append(row)
        return self._index[key]
