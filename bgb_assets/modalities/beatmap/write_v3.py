"""Writes a difficulty as version 3.3.0.

Belongs here: the collections of version 3, and what it cannot hold: jump speed events.
Does not belong here: Info and the archive (`export`).
"""

from collections import Counter
from typing import Any

from bgb_assets.modalities.beatmap.objects import Objects, count
from bgb_assets.modalities.beatmap.parse_v3 import COLLECTIONS, FIELDS
from bgb_assets.modalities.beatmap.tempo import TempoMap
from bgb_assets.modalities.beatmap.write_rows import rows_of, with_fake_mark

VERSION = "3.3.0"

# Collections the game expects to find, which stay empty: light shows are not part of a map's objects.
_EMPTY = (
    "waypoints",
    "basicBeatmapEvents",
    "colorBoostBeatmapEvents",
    "lightColorEventBoxGroups",
    "lightRotationEventBoxGroups",
    "lightTranslationEventBoxGroups",
    "vfxEventBoxGroups",
)


def difficulty_v3(objects: Objects, tempo: TempoMap, lost: Counter[str]) -> dict[str, Any]:
    """Return the JSON value of a difficulty; what the version cannot hold is counted in `lost`."""
    lost["jump speed events"] += count(objects["njs"])
    changes = zip(tempo.beats[1:].tolist(), tempo.bpms[1:].tolist(), strict=True)
    return {
        "version": VERSION,
        "bpmEvents": [{"b": beat, "m": bpm} for beat, bpm in changes],
        **{name: _rows(objects, kind) for kind, name in COLLECTIONS.items()},
        **{name: [] for name in _EMPTY},
        "basicEventTypesWithKeywords": {"d": []},
        "_fxEventsCollection": {"_fl": [], "_il": []},
        "useNormalEventsAsCompatibleEvents": False,
    }


def _rows(objects: Objects, kind: str) -> list[dict[str, Any]]:
    rows = rows_of(objects[kind], FIELDS[kind])
    return with_fake_mark(rows, objects[kind]) if "fake" in objects[kind] else rows
