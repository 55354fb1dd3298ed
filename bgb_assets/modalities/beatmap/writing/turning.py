"""Turns notes in a difficulty's own file: cuts change, all else stays as its maker wrote it, custom data included.

Belongs here: finding the objects of a file whose canonical form changed direction, in every version. Does not belong
here: choosing directions (`parity`). Next in the flow: `repair` writes the file.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from bgb_assets.modalities.beatmap.formats.objects import KINDS, Columns, Objects, collection, numbers
from bgb_assets.modalities.beatmap.formats.parse_v2 import ARC_FIELDS
from bgb_assets.modalities.beatmap.formats.parse_v3 import COLLECTIONS, FIELDS
from bgb_assets.modalities.beatmap.formats.parsed import fake_flags
from bgb_assets.modalities.beatmap.formats.versions import Version

Key = tuple[float, ...]
Cuts = dict[str, float]

_NOTES_V2 = {"beat": "_time", "x": "_lineIndex", "y": "_lineLayer", "color": "_type", "cut_direction": "_cutDirection"}
_CUTS: Mapping[str, tuple[str, ...]] = {
    "notes": ("cut_direction", "angle_deg"),
    "arcs": ("cut", "tail_cut"),
    "chains": ("cut",),
}
"""Kind -> the columns that a turn changes."""
_PLACES: Mapping[str, tuple[str, ...]] = {
    "notes": ("beat", "x", "y", "color", "cut_direction"),
    "arcs": ("beat", "color", "x", "y", "cut", "tail_beat", "tail_x", "tail_y", "tail_cut"),
    "chains": ("beat", "color", "x", "y", "cut", "tail_beat", "tail_x", "tail_y"),
}
"""Kind -> the columns by which an object is found again."""


def turned_document(document: Mapping[str, Any], version: Version, before: Objects, after: Objects) -> dict[str, Any]:
    """Return the JSON value of a difficulty with the directions that its objects have now.

    Args:
        document: The difficulty, as read.
        version: Its version.
        before: Its objects.
        after: The same, row by row, with other directions.
    """
    turns = {kind: _turns(kind, before[kind], after[kind]) for kind in _CUTS}
    if version.major == 4:
        return _turned_v4(document, turns)
    if version.major == 3:
        names, fields, custom = COLLECTIONS, FIELDS, "customData"
    else:
        names, custom = {"notes": "_notes", "arcs": "_sliders"}, "_customData"
        fields = {"notes": _NOTES_V2, "arcs": ARC_FIELDS}
    turned = dict(document)
    for kind in _CUTS:
        if kind in names and turns[kind]:
            turned[names[kind]] = _turned_rows(document, names[kind], kind, fields[kind], turns[kind], custom)
    return turned


def _turns(kind: str, before: Columns, after: Columns) -> dict[Key, Cuts]:
    """Return the new directions of each object that has others, by the place of the old."""
    cuts = _CUTS[kind]
    changed = np.logical_or.reduce([before[name] != after[name] for name in cuts])
    keys = _keys(kind, before)
    return {
        keys[row]: {name: after[name][row].item() for name in cuts if after[name][row] != before[name][row]}
        for row in np.flatnonzero(changed).tolist()
    }


def _keys(kind: str, columns: Mapping[str, Any]) -> list[Key]:
    """Return the place of each object; whole numbers are rounded as reading does."""
    whole = {name for name, dtype in KINDS[kind].items() if dtype == "i8"}
    values = [np.floor(columns[name] + 0.5) if name in whole else columns[name] for name in _PLACES[kind]]
    return list(zip(*(np.asarray(value, np.float64).tolist() for value in values), strict=True))


def _turned_rows(
    document: Mapping[str, Any],
    name: str,
    kind: str,
    fields: Mapping[str, str],
    turns: Mapping[Key, Cuts],
    custom: str,
) -> list[Any]:
    rows = collection(document, name, name)
    keys = _keys(kind, {column: numbers(rows, fields[column], name) for column in _PLACES[kind]})
    fakes = fake_flags(rows, custom) if kind == "notes" else np.zeros(len(rows), np.bool_)
    return [
        row if fake or key not in turns else {**row, **{fields[column]: cut for column, cut in turns[key].items()}}
        for row, key, fake in zip(rows, keys, fakes.tolist(), strict=True)
    ]


def _turned_v4(document: Mapping[str, Any], turns: Mapping[str, Mapping[Key, Cuts]]) -> dict[str, Any]:
    """Point the objects at note data with other directions, which is appended."""
    content = document.get("content")
    flat = dict(content) if isinstance(content, Mapping) else dict(document)
    data = list(collection(flat, "colorNotesData", "colorNotesData"))
    fields = {"cut_direction": "d", "angle_deg": "a", "cut": "d", "tail_cut": "d"}
    for kind, name, pointers in (
        ("notes", "colorNotes", {"cut_direction": "i", "angle_deg": "i"}),
        ("arcs", "arcs", {"cut": "hi", "tail_cut": "ti"}),
        ("chains", "chains", {"cut": "i"}),
    ):
        if turns[kind]:
            rows = collection(flat, name, name)
            keys = _keys(kind, _columns_v4(kind, rows, data, flat))
            fakes = fake_flags(rows, "customData") if kind == "notes" else np.zeros(len(rows), np.bool_)
            flat[name] = [
                row if fake or key not in turns[kind] else _repointed(row, turns[kind][key], pointers, fields, data)
                for row, key, fake in zip(rows, keys, fakes.tolist(), strict=True)
            ]
    flat["colorNotesData"] = data
    return {**document, "content": flat} if isinstance(content, Mapping) else flat


def _repointed(
    row: Mapping[str, Any], cuts: Cuts, pointers: Mapping[str, str], fields: Mapping[str, str], data: list[Any]
) -> dict[str, Any]:
    turned = dict(row)
    for pointer in dict.fromkeys(pointers[column] for column in cuts):
        own = {fields[column]: cut for column, cut in cuts.items() if pointers[column] == pointer}
        wanted = {**data[int(row.get(pointer, 0))], **own}
        if wanted not in data:
            data.append(wanted)
        turned[pointer] = data.index(wanted)
    return turned


def _columns_v4(kind: str, rows: Sequence[Any], data: Sequence[Any], flat: Mapping[str, Any]) -> dict[str, Any]:
    head = {"x": "x", "y": "y", "color": "c", "cut_direction" if kind == "notes" else "cut": "d"}
    beat, pointer = ("b", "i") if kind == "notes" else ("hb", "hi" if kind == "arcs" else "i")
    columns = {"beat": numbers(rows, beat, kind), **dict(_pointed(rows, pointer, data, head))}
    if kind == "notes":
        return columns
    columns["tail_beat"] = numbers(rows, "tb", kind)
    if kind == "arcs":
        return columns | dict(_pointed(rows, "ti", data, {"tail_x": "x", "tail_y": "y", "tail_cut": "d"}))
    shapes = collection(flat, "chainsData", "chainsData")
    return columns | dict(_pointed(rows, "ci", shapes, {"tail_x": "tx", "tail_y": "ty"}))


def _pointed(
    rows: Sequence[Any], pointer: str, data: Sequence[Any], fields: Mapping[str, str]
) -> Iterator[tuple[str, Any]]:
    indices = numbers(rows, pointer, pointer).astype(np.intp)
    for column, field in fields.items():
        yield column, numbers(data, field, field)[indices]
