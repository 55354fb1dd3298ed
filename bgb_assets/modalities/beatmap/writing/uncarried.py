"""Counts what the files of a map say beyond objects, tempo and basic lights: what a written map will not say.

Every member of a file that holds anything is either carried, or counted under a name that a person knows, or under its
own. Nothing is lost without a word.

Belongs here: which members are carried, and the counts. Does not belong here: what a version of the format cannot hold
(the writers count that).
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from bgb_assets.modalities.beatmap.formats.versions import unwrapped

CUSTOM = "customData"
_CUSTOM_KEYS = ("_customData", CUSTOM)
_FAKE_KEYS = ("_fake", "_interactable", "uninteractable")
_FAKE_LISTS = ("fakeColorNotes", "fakeBombNotes", "fakeObstacles")
_REQUIREMENTS = ("_requirements", "requirements")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_CARRIED = _words(
    "version _version content _notes _obstacles _sliders _events bpmEvents rotationEvents colorNotes bombNotes "
    "obstacles sliders burstSliders basicBeatmapEvents colorBoostBeatmapEvents useNormalEventsAsCompatibleEvents "
    "colorNotesData bombNotesData obstaclesData arcs arcsData chains chainsData njsEvents njsEventData "
    "spawnRotations spawnRotationsData basicEvents basicEventsData colorBoostEvents colorBoostEventsData "
    "_beatsPerMinute _shuffle _shufflePeriod _noteJumpSpeed _noteJumpStartBeatOffset _beatsPerBar"
)
# What groups of lights point at is not counted beside them.
_DATA_OF_GROUPS = _words(
    "waypointsData indexFilters lightColorEventBoxes lightColorEvents lightRotationEventBoxes lightRotationEvents "
    "lightTranslationEventBoxes lightTranslationEvents fxEventBoxes floatFxEvents _fxEventsCollection "
    "_fxEventsCollections"
)
_NAMED = {
    "_waypoints": "waypoints",
    "waypoints": "waypoints",
    "_specialEventsKeywordFilters": "keywords of events",
    "basicEventTypesWithKeywords": "keywords of events",
    "lightColorEventBoxGroups": "groups of lights",
    "lightRotationEventBoxGroups": "groups of lights",
    "lightTranslationEventBoxGroups": "groups of lights",
    "vfxEventBoxGroups": "groups of lights",
    "eventBoxGroups": "groups of lights",
}
_INFO_CARRIED = _words(
    "_version _songName _songSubName _songAuthorName _levelAuthorName _beatsPerMinute _songTimeOffset _shuffle "
    "_shufflePeriod _previewStartTime _previewDuration _songFilename _coverImageFilename _environmentName "
    "_allDirectionsEnvironmentName _environmentNames _difficultyBeatmapSets version song audio coverImageFilename "
    "songPreviewFilename environmentNames difficultyBeatmaps songName songSubName authorName beatsPerMinute "
    "previewStartTime previewDuration coverImagePath environmentName difficultyLevels oneSaber"
)
_INFO_NAMED = {"_colorSchemes": "colour schemes", "colorSchemes": "colour schemes"}
_TURNING = ("360Degree", "90Degree")


def uncarried_in_difficulty(document: Mapping[str, Any]) -> Counter[str]:
    """Count what a difficulty or light show file says beyond what is carried."""
    found = _members(unwrapped(document), _CARRIED | _DATA_OF_GROUPS, _NAMED, "custom values of difficulties")
    for name, rows in unwrapped(document).items():
        if isinstance(rows, list):
            events = "vents" in name
            found["events with custom data" if events else "objects with custom data"] += sum(map(_has_custom, rows))
    return +found


def uncarried_in_info(document: Mapping[str, Any], environments: tuple[str, str]) -> Counter[str]:
    """Count what an Info file says beyond what is carried.

    Args:
        document: Its JSON value.
        environments: The stages that are carried.
    """
    found = _members(document, _INFO_CARRIED, _INFO_NAMED, "custom values of Info")
    names = document.get("_environmentNames") or document.get("environmentNames") or []
    mappers = {_listed(entry, "mappers") for _, entry in difficulty_entries(document)}
    for characteristic, entry in difficulty_entries(document):
        found["custom values of Info"] += sum(map(_custom_size, _customs(entry, _REQUIREMENTS)))
        index = entry.get("_environmentNameIdx", entry.get("environmentNameIdx", 0))
        own = names[index] if isinstance(index, int) and 0 <= index < len(names) else None
        carried = environments[characteristic in _TURNING]
        found["stages of single difficulties"] += own not in (None, carried)
        found["lighters"] += len(_listed(entry, "lighters"))
        found["mappers of single difficulties"] += len(mappers) > 1
    audio = document.get("audio")
    found["loudness"] += bool(isinstance(audio, Mapping) and audio.get("lufs"))
    preview = document.get("songPreviewFilename")
    own_preview = isinstance(audio, Mapping) and preview and preview != audio.get("songFilename")
    found["preview audio"] += bool(own_preview)
    return +found


def difficulty_entries(document: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """Return (characteristic, entry) of each difficulty of an Info file of any version."""
    sets = _mappings(document.get("_difficultyBeatmapSets"))
    nested = [
        (str(group.get("_beatmapCharacteristicName")), entry)
        for group in sets
        for entry in _mappings(group.get("_difficultyBeatmaps"))
    ]
    flat = [*_mappings(document.get("difficultyBeatmaps")), *_mappings(document.get("difficultyLevels"))]
    return nested + [(str(entry.get("characteristic")), entry) for entry in flat]


def _members(
    document: Mapping[str, Any], carried: Iterable[str], named: Mapping[str, str], custom_name: str
) -> Counter[str]:
    found: Counter[str] = Counter()
    for name, value in document.items():
        if name in _CUSTOM_KEYS:
            found[custom_name] += _custom_size(_without(value, _FAKE_LISTS))
        elif name not in carried:
            found[named.get(name, f"member {name}")] += _size(value)
    return found


def _has_custom(row: Any) -> bool:
    # What almost all objects of a plain map are: no custom data under either key.
    if not isinstance(row, dict) or ("_customData" not in row and CUSTOM not in row):
        return False
    return any(map(_custom_size, _customs(row, _FAKE_KEYS)))


def _customs(row: Mapping[str, Any], left_out: Iterable[str]) -> list[Any]:
    return [_without(row[key], left_out) for key in _CUSTOM_KEYS if key in row]


def _without(custom: Any, keys: Iterable[str]) -> Any:
    return {key: value for key, value in custom.items() if key not in keys} if isinstance(custom, Mapping) else custom


def _custom_size(custom: Any) -> int:
    if isinstance(custom, Mapping):
        return sum(1 for value in custom.values() if value not in (None, {}, []))
    return int(bool(custom))


def _size(value: Any) -> int:
    if isinstance(value, list):
        return len(value)
    return sum(map(_size, value.values())) if isinstance(value, Mapping) else int(bool(value))


def _mappings(value: Any) -> list[Mapping[str, Any]]:
    return [entry for entry in value if isinstance(entry, Mapping)] if isinstance(value, list) else []


def _listed(entry: Mapping[str, Any], role: str) -> tuple[str, ...]:
    authors = entry.get("beatmapAuthors")
    names = authors.get(role) if isinstance(authors, Mapping) else None
    return tuple(map(str, names)) if isinstance(names, list) else ()
