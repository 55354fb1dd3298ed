"""Writes light shows as each version holds them: among the events of a difficulty, or as a file of its own.

Belongs here: the field names of light events in versions 2, 3 and 4. Does not belong here: what a show consists of
(`lights`), reading one (`read_lights`). Next in the flow: `write_v2`, `write_v3`, `export`.
"""

from collections.abc import Mapping
from typing import Any

from bgb_assets.modalities.beatmap.writing.lights import Lights
from bgb_assets.modalities.beatmap.writing.write_rows import SharedRows

LIGHTSHOW_VERSION = "4.0.0"
V2_BOOST = 5

_LIGHTSHOW_COLLECTIONS = (
    "waypoints",
    "waypointsData",
    "basicEvents",
    "basicEventsData",
    "colorBoostEvents",
    "colorBoostEventsData",
    "eventBoxGroups",
    "indexFilters",
    "lightColorEventBoxes",
    "lightColorEvents",
    "lightRotationEventBoxes",
    "lightRotationEvents",
    "lightTranslationEventBoxes",
    "lightTranslationEvents",
    "fxEventBoxes",
    "floatFxEvents",
)


def light_events_v2(lights: Lights) -> list[dict[str, Any]]:
    """Return the show as entries of `_events`."""
    events = [
        {"_time": beat, "_type": kind, "_value": value, "_floatValue": strength}
        for beat, kind, value, strength in _rows(lights)
    ]
    boosts = [{"_time": beat, "_type": V2_BOOST, "_value": on, "_floatValue": 1} for beat, on in _boosts(lights)]
    return events + boosts


def light_collections_v3(lights: Lights) -> dict[str, Any]:
    """Return the members of a difficulty that hold the show."""
    return {
        "basicBeatmapEvents": [
            {"b": beat, "et": kind, "i": value, "f": strength} for beat, kind, value, strength in _rows(lights)
        ],
        "colorBoostBeatmapEvents": [{"b": beat, "o": bool(on)} for beat, on in _boosts(lights)],
        "useNormalEventsAsCompatibleEvents": len(lights.beat) > 0,
    }


def lightshow_v4(lights: Lights) -> Mapping[str, Any]:
    """Return the JSON value of a light show file."""
    data, boost_data = SharedRows(), SharedRows()
    indices = data.indices([{"t": kind, "i": value, "f": strength} for _, kind, value, strength in _rows(lights)])
    boost_indices = boost_data.indices([{"b": on} for _, on in _boosts(lights)])
    return {
        "version": LIGHTSHOW_VERSION,
        **{name: [] for name in _LIGHTSHOW_COLLECTIONS},
        "basicEvents": _pointing(lights.beat.tolist(), indices),
        "basicEventsData": data.rows,
        "colorBoostEvents": _pointing(lights.boost_beat.tolist(), boost_indices),
        "colorBoostEventsData": boost_data.rows,
        "basicEventTypesWithKeywords": {"d": []},
        "useNormalEventsAsCompatibleEvents": len(lights.beat) > 0,
    }


def _rows(lights: Lights) -> list[tuple[float, int, int, float]]:
    columns = (lights.beat.tolist(), lights.kind.tolist(), lights.value.tolist(), lights.strength.tolist())
    return list(zip(*columns, strict=True))


def _boosts(lights: Lights) -> list[tuple[float, int]]:
    return [(beat, int(on)) for beat, on in zip(lights.boost_beat.tolist(), lights.boost_on.tolist(), strict=True)]


def _pointing(beats: list[float], indices: list[int]) -> list[dict[str, Any]]:
    return [{"b": beat, "i": index} for beat, index in zip(beats, indices, strict=True)]
