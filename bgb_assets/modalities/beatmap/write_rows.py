"""Turns columns into the lists of JSON objects that map files hold.

Belongs here: the step from columns to rows that the writers of all versions share.
Does not belong here: field names of a version (`write_v2`, `write_v3`, `write_v4`).
"""

from collections.abc import Mapping
from typing import Any

from bgb_assets.modalities.beatmap.objects import Columns


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
