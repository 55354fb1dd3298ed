"""Reads the objects of a version 3 difficulty.

Belongs here: the field names of version 3; an omitted field is 0, whatever the field.
Does not belong here: any rule that holds for all versions (`objects`, `tempo`).
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bgb_assets.modalities.beatmap.formats.objects import collection, numbers
from bgb_assets.modalities.beatmap.formats.parsed import Parsed, columns, fake_flags, finish

FIELDS: Mapping[str, Mapping[str, str]] = {
    "notes": {"beat": "b", "x": "x", "y": "y", "color": "c", "cut_direction": "d", "angle_deg": "a"},
    "bombs": {"beat": "b", "x": "x", "y": "y"},
    "walls": {"beat": "b", "duration_beats": "d", "x": "x", "y": "y", "width": "w", "height": "h"},
    "arcs": {
        "beat": "b",
        "color": "c",
        "x": "x",
        "y": "y",
        "cut": "d",
        "mult": "mu",
        "tail_beat": "tb",
        "tail_x": "tx",
        "tail_y": "ty",
        "tail_cut": "tc",
        "tail_mult": "tmu",
        "mid_anchor": "m",
    },
    "chains": {
        "beat": "b",
        "color": "c",
        "x": "x",
        "y": "y",
        "cut": "d",
        "tail_beat": "tb",
        "tail_x": "tx",
        "tail_y": "ty",
        "slices": "sc",
        "squish": "s",
    },
    "rotations": {"beat": "b", "late": "e", "degrees": "r"},
}
"""Kind -> column -> field."""

COLLECTIONS: Mapping[str, str] = {
    "notes": "colorNotes",
    "bombs": "bombNotes",
    "walls": "obstacles",
    "arcs": "sliders",
    "chains": "burstSliders",
    "rotations": "rotationEvents",
}
"""Kind -> collection."""

_FAKE_COLLECTIONS = {"notes": "fakeColorNotes", "bombs": "fakeBombNotes", "walls": "fakeObstacles"}


def parse_v3(document: Mapping[str, Any], label: str) -> Parsed:
    """Read a version 3 difficulty.

    Raises:
        BadInput: A collection or an entry has the wrong type.
    """
    issues: Counter[str] = Counter()
    tables = {kind: _table(document, kind, label) for kind in COLLECTIONS}
    changes = collection(document, "bpmEvents", label)
    where = f"{label}: bpmEvents"
    return finish(tables, issues, (numbers(changes, "b", where), numbers(changes, "m", where)))


def _table(document: Mapping[str, Any], kind: str, label: str) -> dict[str, NDArray[Any]]:
    name = COLLECTIONS[kind]
    rows = collection(document, name, label)
    table = columns(rows, FIELDS[kind], f"{label}: {name}")
    if kind not in _FAKE_COLLECTIONS:
        return table
    table["fake"] = fake_flags(rows, "customData")
    custom = document.get("customData")
    fakes = collection(custom, _FAKE_COLLECTIONS[kind], label) if isinstance(custom, Mapping) else []
    if not fakes:
        return table
    more = columns(fakes, FIELDS[kind], f"{label}: customData.{_FAKE_COLLECTIONS[kind]}")
    more["fake"] = np.ones(len(fakes), np.bool_)
    return {column: np.concatenate([table[column], more[column]]) for column in table}
