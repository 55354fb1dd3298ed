"""Reads light shows from difficulty files of versions 1 to 3 and from the light show files of version 4.

Belongs here: the field names of light events, and what of a show cannot be carried. Does not belong here: writing one
(`write_lights`), and groups of lights, which only some stages have (`uncarried` counts them).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bgb_assets.modalities.beatmap.formats.objects import collection, numbers
from bgb_assets.modalities.beatmap.formats.parse_v2 import BPM_EVENT, EARLY_ROTATION, LATE_ROTATION, OLD_BPM_EVENT
from bgb_assets.modalities.beatmap.formats.versions import Version, unwrapped
from bgb_assets.modalities.beatmap.writing.lights import Float64, Lights
from bgb_assets.modalities.beatmap.writing.write_lights import V2_BOOST
from bgb_assets.runtime.errors import BadInput

NO_NUMBERS = "light events that are no numbers"
OTHER_MEANING = "light events of types that version 2 uses for something else"

_NO_LIGHTS_V2 = (BPM_EVENT, EARLY_ROTATION, LATE_ROTATION)
_TEN_IS_A_LIGHT_SINCE = (2, 5, 0)


@dataclass(frozen=True)
class LightsRead:
    """A show, and how many of its events cannot be carried, by reason."""

    lights: Lights
    left: Mapping[str, int]


def read_lights(document: Mapping[str, Any], version: Version, label: str) -> LightsRead:
    """Return the show in a difficulty of version 1, 2 or 3.

    Raises:
        BadInput: A collection or an event has the wrong type.
    """
    return _read_v3(document, label) if version.major == 3 else _read_v2(document, version, label)


def read_lightshow(document: Any, label: str) -> LightsRead:
    """Return the show in a light show file of version 4.

    Raises:
        BadInput: Not such a file, a collection or an event has the wrong type, or an index points past its data.
    """
    if not isinstance(document, Mapping):
        raise BadInput(f"{label}: expected a JSON object, got {type(document).__name__}", "fix or remove the file")
    flat = unwrapped(document)
    basic = _joined(flat, "basicEvents", "basicEventsData", ("t", "i", "f"), label)
    boosts = _joined(flat, "colorBoostEvents", "colorBoostEventsData", ("b",), label)
    return _finished(*_without_other_meanings(basic), boosts)


def _read_v2(document: Mapping[str, Any], version: Version, label: str) -> LightsRead:
    where = f"{label}: _events"
    events = collection(document, "_events", label)
    # Events had no strength before 2.5.0: they were all as bright as 1 is now.
    strengths = [{"f": event.get("_floatValue", 1.0)} for event in events if isinstance(event, Mapping)]
    table = np.stack(
        [*(numbers(events, key, where) for key in ("_time", "_type", "_value")), numbers(strengths, "f", where)], axis=1
    )
    others = (*_NO_LIGHTS_V2, *((OLD_BPM_EVENT,) if version.number < _TEN_IS_A_LIGHT_SINCE else ()))
    boost = table[:, 1] == V2_BOOST
    lights = table[~boost & ~np.isin(table[:, 1], others)]
    return _finished(lights, 0, table[boost][:, [0, 2]])


def _read_v3(document: Mapping[str, Any], label: str) -> LightsRead:
    basic = _table(document, "basicBeatmapEvents", ("b", "et", "i", "f"), label)
    boosts = _table(document, "colorBoostBeatmapEvents", ("b", "o"), label)
    return _finished(*_without_other_meanings(basic), boosts)


def _without_other_meanings(basic: Float64) -> tuple[Float64, int]:
    other = np.isin(basic[:, 1], (*_NO_LIGHTS_V2, V2_BOOST))
    return basic[~other], int(np.count_nonzero(other))


def _finished(basic: Float64, other_meaning: int, boosts: Float64) -> LightsRead:
    kept, kept_boosts = basic[np.isfinite(basic).all(axis=1)], boosts[np.isfinite(boosts).all(axis=1)]
    broken = len(basic) + len(boosts) - len(kept) - len(kept_boosts)
    # By beat and kind; events of one kind at one beat stay in the order of the file, where the last one wins.
    kept = kept[np.lexsort((kept[:, 1], kept[:, 0]))]
    kept_boosts = kept_boosts[np.argsort(kept_boosts[:, 0], kind="stable")]
    kind, value = (np.rint(kept[:, column]).astype(np.int64) for column in (1, 2))
    lights = Lights(kept[:, 0], kind, value, kept[:, 3], kept_boosts[:, 0], kept_boosts[:, 1] != 0)
    return LightsRead(lights, +Counter({NO_NUMBERS: broken, OTHER_MEANING: other_meaning}))


def _table(document: Mapping[str, Any], name: str, fields: Sequence[str], label: str) -> NDArray[np.float64]:
    rows = collection(document, name, label)
    return np.stack([numbers(rows, field, f"{label}: {name}") for field in fields], axis=1)


def _joined(
    document: Mapping[str, Any], name: str, data_name: str, fields: Sequence[str], label: str
) -> NDArray[np.float64]:
    """Return beats and the fields of the data that the rows point at."""
    rows, data = _table(document, name, ("b", "i"), label), _table(document, data_name, fields, label)
    wrong = ~np.isin(rows[:, 1], np.arange(len(data)))
    if wrong.any():
        first = int(np.flatnonzero(wrong)[0])
        raise BadInput(
            f"{label}: {name}[{first}].i: index {rows[first, 1]:g} into {data_name}, which has {len(data)} entries",
            "fix or remove the file",
        )
    return np.concatenate([rows[:, :1], data[rows[:, 1].astype(np.intp)]], axis=1)
