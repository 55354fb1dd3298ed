"""Reads the objects of a version 2 difficulty; `_version` 1.x has the same structure.

Belongs here: the field names and codes of version 2.
Does not belong here: any rule that holds for all versions (`objects`, `tempo`).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bgb_assets.modalities.beatmap.formats.objects import collection, numbers
from bgb_assets.modalities.beatmap.formats.parsed import Parsed, columns, fake_flags, finish
from bgb_assets.modalities.beatmap.formats.versions import Version

LEFT, RIGHT, BOMB = 0, 1, 3
FULL_WALL, CROUCH_WALL, EXPLICIT_WALL = 0, 1, 2
BPM_EVENT, OLD_BPM_EVENT = 100, 10
EARLY_ROTATION, LATE_ROTATION = 14, 15
ROTATION_DEGREES = (-60, -45, -30, -15, 15, 30, 45, 60)
"""What values 0 to 7 of a rotation event mean."""

_OLD_BPM_EVENT_ENDS = (2, 5, 0)
_CUSTOM = "_customData"
_PLACE = {"beat": "_time", "x": "_lineIndex", "y": "_lineLayer"}
ARC_FIELDS = {
    "beat": "_headTime",
    "color": "_colorType",
    "x": "_headLineIndex",
    "y": "_headLineLayer",
    "cut": "_headCutDirection",
    "mult": "_headControlPointLengthMultiplier",
    "tail_beat": "_tailTime",
    "tail_x": "_tailLineIndex",
    "tail_y": "_tailLineLayer",
    "tail_cut": "_tailCutDirection",
    "tail_mult": "_tailControlPointLengthMultiplier",
    "mid_anchor": "_sliderMidAnchorMode",
}

Table = dict[str, NDArray[Any]]


def parse_v2(document: Mapping[str, Any], version: Version, label: str) -> Parsed:
    """Read a version 1 or 2 difficulty.

    Args:
        document: The JSON object of the file.
        version: Its version: before 2.5.0 events of type 10 change the tempo, from then on they are lights.
        label: How messages name the file.

    Raises:
        BadInput: A collection or an entry has the wrong type.
    """
    issues: Counter[str] = Counter()
    events = collection(document, "_events", label)
    event_types = numbers(events, "_type", f"{label}: _events")
    notes, bombs = _notes_and_bombs(document, label, issues)
    arcs = collection(document, "_sliders", label)
    tables = {
        "notes": notes,
        "bombs": bombs,
        "walls": _walls(document, label, issues),
        "arcs": columns(arcs, ARC_FIELDS, f"{label}: _sliders"),
        "rotations": _rotations(events, event_types, label, issues),
    }
    return finish(tables, issues, _tempo_events(events, event_types, version, label))


def _notes_and_bombs(document: Mapping[str, Any], label: str, issues: Counter[str]) -> tuple[Table, Table]:
    rows, where = collection(document, "_notes", label), f"{label}: _notes"
    kinds = numbers(rows, "_type", where)
    table = columns(rows, {**_PLACE, "cut_direction": "_cutDirection"}, where)
    table |= {"fake": fake_flags(rows, _CUSTOM), "color": kinds}
    is_note, is_bomb = np.isin(kinds, (LEFT, RIGHT)), kinds == BOMB
    issues["unknown_type"] += int(np.count_nonzero(~(is_note | is_bomb)))
    bombs = {name: column for name, column in table.items() if name not in ("color", "cut_direction")}
    return _select(table, is_note), _select(bombs, is_bomb)


def _walls(document: Mapping[str, Any], label: str, issues: Counter[str]) -> Table:
    rows, where = collection(document, "_obstacles", label), f"{label}: _obstacles"
    kinds = numbers(rows, "_type", where)
    table = columns(rows, {**_PLACE, "duration_beats": "_duration", "width": "_width", "height": "_height"}, where)
    table["fake"] = fake_flags(rows, _CUSTOM)
    table["y"] = np.select([kinds == FULL_WALL, kinds == CROUCH_WALL], [0.0, 2.0], table["y"])
    table["height"] = np.select([kinds == FULL_WALL, kinds == CROUCH_WALL], [5.0, 3.0], table["height"])
    known = np.isin(kinds, (FULL_WALL, CROUCH_WALL, EXPLICIT_WALL))
    issues["unknown_type"] += int(np.count_nonzero(~known))
    return _select(table, known)


def _rotations(events: Sequence[Any], types: NDArray[np.float64], label: str, issues: Counter[str]) -> Table:
    where = f"{label}: _events"
    chosen = [events[index] for index in np.flatnonzero(np.isin(types, (EARLY_ROTATION, LATE_ROTATION))).tolist()]
    values = numbers(chosen, "_value", where)
    known = np.isin(values, np.arange(len(ROTATION_DEGREES)))
    issues["unknown_rotation"] += int(np.count_nonzero(~known))
    indices = np.where(known, values, 0).astype(np.intp)
    table = columns(chosen, {"beat": "_time", "late": "_type"}, where)
    table["late"] = (table["late"] == LATE_ROTATION).astype(np.float64)
    table["degrees"] = np.array(ROTATION_DEGREES, np.float64)[indices]
    return _select(table, known)


def _tempo_events(
    events: Sequence[Any], types: NDArray[np.float64], version: Version, label: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    old = version.number < _OLD_BPM_EVENT_ENDS
    wanted = (BPM_EVENT, OLD_BPM_EVENT) if old else (BPM_EVENT,)
    chosen = [events[index] for index in np.flatnonzero(np.isin(types, wanted)).tolist()]
    bpms = [{"bpm": event.get("_floatValue", event.get("_value", 0))} for event in chosen]
    where = f"{label}: _events"
    return numbers(chosen, "_time", where), numbers(bpms, "bpm", where)


def _select(table: Table, rows: NDArray[np.bool_]) -> Table:
    return {name: column[rows] for name, column in table.items()}
