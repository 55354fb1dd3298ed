"""Recognises the schema version of each file of a map, on its own: a v2 Info with v3 difficulties is normal.

Belongs here: the version rule. The version string decides; without one, structure that only one version
has. Never one collection alone where all collections are optional.
Does not belong here: reading the objects. Next in the flow: `parse_v2`, `parse_v3`, `parse_v4`, `info`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bgb_assets.runtime.errors import BadInput

Document = Mapping[str, Any]

_V3_COLLECTIONS = ("colorNotes", "bombNotes", "burstSliders")
_VERSION = re.compile(r"^\s*(\d+)(?:\.(\d+))?(?:\.(\d+))?")


@dataclass(frozen=True)
class Version:
    """The schema version of one file.

    Attributes:
        number: (major, minor, patch); (2, 0, 0) and the like where only the structure told.
        text: The version string of the file, or `v2` and the like where the structure told.
        warning: What string and structure disagree on, or None.
    """

    number: tuple[int, int, int]
    text: str
    warning: str | None = None

    @property
    def major(self) -> int:
        """The major number, which selects the reader."""
        return self.number[0]


def difficulty_version(document: Any, label: str) -> Version:
    """Return the version of a difficulty file.

    Raises:
        BadInput: Not an object, an unknown major version, or nothing that tells the version.
    """
    return _recognise(document, label, known=(1, 2, 3, 4), structure=_difficulty_structure(document))


def info_version(document: Any, label: str) -> Version:
    """Return the version of an Info file.

    Raises:
        BadInput: As for `difficulty_version`.
    """
    return _recognise(document, label, known=(1, 2, 4), structure=_info_structure(document))


def unwrapped(document: Document) -> Document:
    """Return a v4 document whose collections may lie under a `content` key as one flat mapping."""
    content = document.get("content")
    return {**document, **content} if isinstance(content, Mapping) else document


def _recognise(document: Any, label: str, known: tuple[int, ...], structure: int | None) -> Version:
    if not isinstance(document, Mapping):
        raise BadInput(
            f"{label}: expected a JSON object, got {type(document).__name__}", "fix or remove the difficulty"
        )
    text = document.get("version", document.get("_version"))
    match = _VERSION.match(text) if isinstance(text, str) else None
    if match is None:
        if structure is None:
            raise BadInput(f"{label}: no version and nothing that tells it", "add the version or remove the file")
        return Version((structure, 0, 0), f"v{structure}")
    major, minor, patch = (int(part or 0) for part in match.groups())
    if major not in known:
        raise BadInput(
            f"{label}: unknown version {text!r}, expected a major number in {known}", "convert the file to version 3"
        )
    return Version((major, minor, patch), str(text), _disagreement(label, str(text), major, structure))


def _disagreement(label: str, text: str, major: int, structure: int | None) -> str | None:
    if structure in (None, major) or (structure == 2 and major == 1):
        return None
    return f"{label}: the version string says {text!r}, the structure is that of version {structure}"


def _difficulty_structure(document: Any) -> int | None:
    if not isinstance(document, Mapping):
        return None
    if "_notes" in document:
        return 2
    flat = unwrapped(document)
    notes = flat.get("colorNotes")
    indexed = isinstance(notes, list) and any(isinstance(note, Mapping) and "i" in note for note in notes)
    if indexed or "colorNotesData" in flat or "bombNotesData" in flat:
        return 4
    # Empty collections are the same in versions 3 and 4, so they contradict no version string.
    versioned = "version" in flat
    return 3 if any(key in flat and (flat[key] or not versioned) for key in _V3_COLLECTIONS) else None


def _info_structure(document: Any) -> int | None:
    if not isinstance(document, Mapping):
        return None
    if "difficultyLevels" in document:
        return 1
    if "_difficultyBeatmapSets" in document:
        return 2
    return 4 if isinstance(document.get("difficultyBeatmaps"), list) else None
