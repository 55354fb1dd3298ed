"""Writes a difficulty as version 3.3.0.

Belongs here: the collections of version 3, and what it cannot hold: jump speed events.
Does not belong here: Info and the archive (`export`).
"""

from collections import Counter
from typing import Any

from bgb_assets.modalities.beatmap.formats.objects import Objects, count
from bgb_assets.modalities.beatmap.formats.parse_v3 import COLLECTIONS, FIELDS
from bgb_assets.modalities.beatmap.formats.tempo import TempoMap
from bgb_assets.modalities.beatmap.writing.lights import Lights, no_lights
from bgb_assets.modalities.beatmap.writing.write_lights import light_collections_v3
from bgb_assets.modalities.beatmap.writing.write_rows import rows_of, tempo_changes, with_fake_mark

VERSION = "3.3.0"

# Collections the game expects to find, which stay empty.
_EMPTY = (
    "waypoints",
    "lightColorEventBoxGroups",
    "lightRotationEventBoxGroups",
    "lightTranslationEventBoxGroups",
    "vfxEventBoxGroups",
)


def difficulty_v3(
    objects: Objects, tempo: TempoMap, lost: Counter[str], lights: Lights | None = None, base_bpm: float | None = None
) -> dict[str, Any]:
    """Return the JSON value of a difficulty; what the version cannot hold is counted in `lost`.

    Args:
        objects: Canonical objects.
        tempo: A regular tempo map.
        lost: What cannot be held -> how many; counts are added.
        lights: None for a dark stage.
        base_bpm: The tempo in Info, where it is not that at beat 0.
    """
    lost["jump speed events"] += count(objects["njs"])
    return {
        "version": VERSION,
        "bpmEvents": [{"b": beat, "m": bpm} for beat, bpm in tempo_changes(tempo, base_bpm)],
        **{name: _rows(objects, kind) for kind, name in COLLECTIONS.items()},
        **{name: [] for name in _EMPTY},
        "basicEventTypesWithKeywords": {"d": []},
        "_fxEventsCollection": {"_fl": [], "_il": []},
        **light_collections_v3(lights or no_lights()),
    }


def _rows(objects: Objects, kind: str) -> list[dict[str, Any]]:
    rows = rows_of(objects[kind], FIELDS[kind])
    return with_fake_mark(rows, objects[kind]) if "fake" in objects[kind] else rows
