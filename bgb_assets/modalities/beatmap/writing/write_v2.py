"""Writes a difficulty as version 2.6.0.

Belongs here: the field names and codes of version 2, and what it cannot hold: chains, angles, jump speed events,
lane rotations other than its eight. Does not belong here: Info and the archive (`export`).
"""

from collections import Counter
from typing import Any

import numpy as np

from bgb_assets.modalities.beatmap.formats.objects import Columns, Objects, count
from bgb_assets.modalities.beatmap.formats.parse_v2 import (
    ARC_FIELDS,
    BOMB,
    BPM_EVENT,
    CROUCH_WALL,
    EARLY_ROTATION,
    EXPLICIT_WALL,
    FULL_WALL,
    LATE_ROTATION,
    ROTATION_DEGREES,
)
from bgb_assets.modalities.beatmap.formats.tempo import TempoMap
from bgb_assets.modalities.beatmap.writing.lights import Lights, no_lights
from bgb_assets.modalities.beatmap.writing.write_lights import light_events_v2
from bgb_assets.modalities.beatmap.writing.write_rows import rows_of, tempo_changes

VERSION = "2.6.0"
_BOMB_CUT = 8


def difficulty_v2(
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
    events = _tempo_events(tempo, base_bpm) + _rotations(objects["rotations"], lost)
    lost["chains"] += count(objects["chains"])
    lost["angles"] += int(np.count_nonzero(objects["notes"]["angle_deg"]))
    lost["jump speed events"] += count(objects["njs"])
    return {
        "_version": VERSION,
        "_notes": _notes(objects),
        "_sliders": rows_of(objects["arcs"], ARC_FIELDS),
        "_obstacles": _walls(objects["walls"]),
        "_events": sorted(events + light_events_v2(lights or no_lights()), key=lambda row: float(row["_time"])),
        "_waypoints": [],
        "_specialEventsKeywordFilters": {"_keywords": []},
    }


def _notes(objects: Objects) -> list[dict[str, Any]]:
    place = {"beat": "_time", "x": "_lineIndex", "y": "_lineLayer"}
    notes = rows_of(objects["notes"], {**place, "color": "_type", "cut_direction": "_cutDirection"})
    bombs = rows_of(objects["bombs"], place)
    bombs = [{**row, "_type": BOMB, "_cutDirection": _BOMB_CUT} for row in bombs]
    return sorted(
        _marked(notes, objects["notes"]) + _marked(bombs, objects["bombs"]), key=lambda row: float(row["_time"])
    )


def _walls(walls: Columns) -> list[dict[str, Any]]:
    fields = {"beat": "_time", "duration_beats": "_duration", "x": "_lineIndex", "y": "_lineLayer"}
    rows = rows_of(walls, {**fields, "width": "_width", "height": "_height"})
    return _marked([{**row, "_type": _wall_type(row["_lineLayer"], row["_height"])} for row in rows], walls)


def _wall_type(y: int, height: int) -> int:
    return {(0, 5): FULL_WALL, (2, 3): CROUCH_WALL}.get((y, height), EXPLICIT_WALL)


def _marked(rows: list[dict[str, Any]], columns: Columns) -> list[dict[str, Any]]:
    return [
        {**row, "_customData": {"_fake": True}} if fake else row
        for row, fake in zip(rows, columns["fake"].tolist(), strict=True)
    ]


def _tempo_events(tempo: TempoMap, base_bpm: float | None) -> list[dict[str, Any]]:
    changes = tempo_changes(tempo, base_bpm)
    return [{"_time": beat, "_type": BPM_EVENT, "_value": 0, "_floatValue": bpm} for beat, bpm in changes]


def _rotations(rotations: Columns, lost: Counter[str]) -> list[dict[str, Any]]:
    events = []
    for beat, late, degrees in zip(*(rotations[name].tolist() for name in ("beat", "late", "degrees")), strict=True):
        if degrees not in ROTATION_DEGREES:
            lost["rotations"] += 1
            continue
        kind = LATE_ROTATION if late else EARLY_ROTATION
        events.append({"_time": beat, "_type": kind, "_value": ROTATION_DEGREES.index(degrees), "_floatValue": 0})
    return events
