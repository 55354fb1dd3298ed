"""What BeatSaver says about one map: its document read, filtered and turned into an offer.

Belongs here: the fields of the API's map document, and which maps are wanted. Does not belong here: asking for
documents (`beatsaver_api`) and the map's files (`beatsaver_zip`). Next in the flow: `beatsaver`.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bgb_assets.modalities.beatmap.formats.identities import json_digest
from bgb_assets.modalities.beatmap.formats.naming import characteristic_name
from bgb_assets.modalities.sources import Offer
from bgb_assets.runtime.errors import BadInput

PREFIX = "beatsaver."
SITE = "https://beatsaver.com/maps/"
PUBLISHED = "Published"

_ID = re.compile(r"^[0-9a-f]{1,12}$")
_HASH = re.compile(r"^[0-9a-f]{40}$")
_REMEDY = "the server's fault; leave the map out or ask again when its document is whole"


@dataclass(frozen=True)
class MapDocument:
    """One map as the API describes it; None where it says nothing.

    Attributes:
        id: Hexadecimal number of the map.
        hash: SHA-1 of the published version, which names its files.
        url: Where the published version's zip lies.
        uploaded_at: When the map was first published.
        score: Votes weighed, in [0, 1]: r - (r - 0.5)·2^(-log3(n/2 + 1)), r = up/n, n = up + down.
        characteristics: Canonical names of the published version's.
        declared_ai: What the mapper says about help by programs; "None" for none.
    """

    id: str
    hash: str
    url: str
    uploaded_at: str | None
    tags: tuple[str, ...]
    score: float | None
    upvotes: int | None
    downvotes: int | None
    ranked: bool | None
    curated: bool
    automapper: bool | None
    declared_ai: str | None
    nsfw: bool
    duration_s: float | None
    characteristics: frozenset[str]


@dataclass(frozen=True)
class Filters:
    """Which maps are wanted. A bound above 0 asks for a number: what the API leaves open does not pass it.

    Attributes:
        tags: `a,b|c,!d`: a, and b or c, and not d.
        characteristics: At least one of them; empty for any.
        automapper: Also maps that a program made.
        ai: Also maps whose mapper declares the help of one.
        nsfw: Also maps marked as not safe for work.
    """

    min_score: float = 0.75
    min_upvotes: int = 5
    min_duration_s: float = 0.0
    tags: str = ""
    characteristics: tuple[str, ...] = ()
    automapper: bool = False
    ai: bool = False
    nsfw: bool = False

    def accept(self, found: MapDocument) -> bool:
        """Say whether a map is wanted."""
        return (
            _reaches(found.score, self.min_score)
            and _reaches(found.upvotes, self.min_upvotes)
            and _reaches(found.duration_s, self.min_duration_s)
            and (self.automapper or not found.automapper)
            and (self.ai or found.declared_ai in (None, "None"))
            and (self.nsfw or not found.nsfw)
            and (not self.characteristics or not found.characteristics.isdisjoint(self.characteristics))
            and all(_tagged(found.tags, clause) for clause in self.tags.split(",") if clause)
        )


def read_map(document: Mapping[str, Any]) -> MapDocument:
    """Read a map document.

    Raises:
        BadInput: A field that is needed is missing or of another kind, or no version is published.
    """
    stats = _required(document, "stats", Mapping)
    version = _published(document)
    return MapDocument(
        id=map_id(document),
        hash=_hash(version),
        url=_required(version, "downloadURL", str),
        uploaded_at=_optional(document, "uploaded", str),
        tags=tuple(tag for tag in _optional(document, "tags", list) or () if isinstance(tag, str)),
        score=_score(stats),
        upvotes=_optional(stats, "upvotes", int),
        downvotes=_optional(stats, "downvotes", int),
        ranked=_optional(document, "ranked", bool),
        curated=document.get("curatedAt") is not None,
        automapper=_optional(document, "automapper", bool),
        declared_ai=_optional(document, "declaredAi", str),
        nsfw=bool(_optional(document, "nsfw", bool)),
        duration_s=_optional(_optional(document, "metadata", Mapping) or {}, "duration", (int, float)),
        characteristics=frozenset(_characteristics(version)),
    )


def map_id(document: Mapping[str, Any]) -> str:
    """Return the number of a map.

    Raises:
        BadInput: It has none.
    """
    text = str(_required(document, "id", str)).lower()
    if not is_number(text):
        raise BadInput(f"id must be a hexadecimal number, got {text!r:.40}", _REMEDY)
    return text


def is_number(text: str) -> bool:
    """Say whether a text can be the number of a map."""
    return bool(_ID.match(text))


def path_of(number: str) -> str:
    """Return the path that names a map among the uploads."""
    return f"{PREFIX}{number}.zip"


def offer_of(document: Mapping[str, Any]) -> Offer:
    """Return the offer of a map; one that cannot be read is offered too, so that its rejection is on record."""
    try:
        found = read_map(document)
    except BadInput:
        return _unusable(document)
    return Offer(
        path=path_of(found.id),
        origin=SITE + found.id,
        version=found.hash,
        facts={
            "source_id": found.id,
            "uploaded_at": found.uploaded_at,
            "automapper": found.automapper,
            "declaredAi": found.declared_ai,
            "tags": list(found.tags),
        },
        popularity={
            "score": found.score,
            "upvotes": found.upvotes,
            "downvotes": found.downvotes,
            "ranked": found.ranked,
            "curated": found.curated,
        },
        document=document,
    )


def _unusable(document: Mapping[str, Any]) -> Offer:
    digest = json_digest(document)
    try:
        number = map_id(document)
    except BadInput:
        number = f"unnamed-{digest[:12]}"
    return Offer(path=path_of(number), origin=SITE + number, version=f"unusable-{digest[:40]}", document=document)


def _published(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the newest published version."""
    versions = [version for version in _required(document, "versions", list) if isinstance(version, Mapping)]
    published = [version for version in versions if version.get("state") == PUBLISHED]
    if not published:
        states = [version.get("state") for version in versions]
        raise BadInput(f"no published version among {len(versions)} (states {states!r:.120})", _REMEDY)
    return max(published, key=lambda version: str(version.get("createdAt") or ""))


def _hash(version: Mapping[str, Any]) -> str:
    text = str(_required(version, "hash", str)).lower()
    if not _HASH.match(text):
        raise BadInput(f"hash must be 40 hexadecimal digits, got {text!r:.60}", _REMEDY)
    return text


def _score(stats: Mapping[str, Any]) -> float | None:
    score = _optional(stats, "score", (int, float))
    if score is not None and not 0 <= score <= 1:
        raise BadInput(f"stats.score must be from 0 to 1, got {score!r}", _REMEDY)
    return None if score is None else float(score)


def _characteristics(version: Mapping[str, Any]) -> Iterator[str]:
    for difficulty in _optional(version, "diffs", list) or ():
        name = difficulty.get("characteristic") if isinstance(difficulty, Mapping) else None
        if isinstance(name, str):
            yield characteristic_name(name)


def _required(parent: Mapping[str, Any], name: str, kind: Any) -> Any:
    value = _optional(parent, name, kind)
    if value is None:
        raise BadInput(f"the map's document has no {name!r}", _REMEDY)
    return value


def _optional(parent: Mapping[str, Any], name: str, kind: Any) -> Any:
    value = parent.get(name)
    wrong = not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool)
    if value is not None and wrong:
        raise BadInput(f"{name!r} of the map's document is of the wrong kind: {value!r:.80}", _REMEDY)
    return value


def _reaches(value: float | None, bound: float) -> bool:
    return bound <= 0 or (value is not None and value >= bound)


def _tagged(tags: tuple[str, ...], clause: str) -> bool:
    """Say whether one of the alternatives of a clause holds: a tag that is there, or, with `!`, is not."""
    return any((name.lstrip("!") in tags) != name.startswith("!") for name in clause.split("|"))
