"""The plan of one source: the offers of the visits that are wanted, its fingerprint, and its file.

Belongs here: making a plan from a survey, keeping it, comparing two. Does not belong here: when a plan is made anew and
what is told of it (`planning`), what a source has (`visits`), fetching.
"""

import json
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bgb_assets.modalities.mri.pairing.names import acquisition_of
from bgb_assets.modalities.mri.scans.flags import BadScan, Flag
from bgb_assets.modalities.mri.sources.cohort import Asked, Cohort
from bgb_assets.modalities.mri.sources.visits import SourceFile, Survey, Visit
from bgb_assets.modalities.sources import Offer
from bgb_assets.storage.digests import canonical_json, sha256_json

SCHEMA = 1
"""Raise it when plans of equal sources come out otherwise: all are then made anew."""
_DIGITS = 16


@dataclass(frozen=True)
class Origin:
    """Where a plan is of.

    Attributes:
        kind: The source's name: `bids`, `parquet`, `hf`, `listing`.
        id: What it is: a folder's path, a repository.
        revision: Which state of it was asked for, or None.
        root: The folder that goes when the source goes; None where there is none.
    """

    kind: str
    id: str
    revision: str | None = None
    root: str | None = None


@dataclass(frozen=True)
class Plan:
    """What one source is asked for.

    Attributes:
        origin: The source.
        state: What it looked like; a plan of the same state and filter need not be made anew.
        cohort: The filter.
        name: Of the data set, before the uploads' own.
        fingerprint: SHA-256 over source, revision, filter, and every upload's files by digest, or size and version.
        told: Counts, as `planning` tells them.
        offers: In the order of their names.
    """

    origin: Origin
    state: str
    cohort: Cohort
    name: str
    fingerprint: str
    told: Mapping[str, Any]
    offers: tuple[Offer, ...] = field(repr=False)

    @property
    def selected(self) -> dict[str, Offer]:
        """The offers of scans that can be fetched, by path."""
        return {offer.path: offer for offer in self.offers if "files" in (offer.document or {})}


def make_plan(origin: Origin, state: str, asked: Asked, survey: Survey) -> Plan:
    """Return the plan of what is wanted of a survey; visits that are wanted and cannot be used are offered too."""
    left_out: Counter[str] = Counter({"no mask": survey.unseen} if survey.unseen else {})
    wanted = []
    for visit in _told_apart(survey.visits):
        reason = asked.cohort.excludes(visit)
        if reason is None:
            wanted.append(visit)
        else:
            left_out[reason] += 1
    offers = tuple(_offer(origin, asked.name, visit) for visit in wanted)
    told = _told(survey, [visit for visit in wanted if not visit.flags], left_out)
    told["refused"] = {visit.name: _flag_text(visit) for visit in wanted if visit.flags}
    fingerprint = _fingerprint(origin, asked, wanted)
    return Plan(origin, state, asked.cohort, asked.name, fingerprint, told, offers)


def files_of(offer: Offer) -> dict[str, dict[str, Any]]:
    """Return the files of an offer by role, each with path, n_bytes, version and sha256."""
    return dict((offer.document or {}).get("files", {}))


def place_of(offer: Offer) -> dict[str, Any]:
    """Return where the bytes of an offer lie (`visits.Visit`); empty for those of a folder and those not to be had."""
    return dict((offer.document or {}).get("place", {}))


def refuse_flagged(offer: Offer) -> None:
    """Refuse an offer of a visit that cannot be used.

    Raises:
        BadScan: With the flags that the plan found.
    """
    if flags := (offer.document or {}).get("flags"):
        raise BadScan(*(Flag(**flag) for flag in flags))


def changed_roles(offer: Offer, held: str | None) -> list[str]:
    """Return which files of an offer are others than those held in a version; all of them where none is held."""
    had = set((held or "").split())
    return sorted(token.partition("=")[0] for token in offer.version.split() if token not in had)


def plan_path(work: Path, kind: str, source_id: str) -> Path:
    """Return where the plan of a source is kept, in the folder of its kind."""
    return work / "plans" / f"{sha256_json([kind, source_id])[:_DIGITS]}.json"


def read_plan(path: Path) -> Plan | None:
    """Return a plan that was kept, or None: there is none of this schema."""
    try:
        held = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return None
    if held.pop("schema", None) != SCHEMA:
        return None
    offers = tuple(Offer(**offer) for offer in held.pop("offers"))
    return Plan(Origin(**held.pop("origin")), cohort=Cohort(**held.pop("cohort")), offers=offers, **held)


def write_plan(path: Path, plan: Plan) -> None:
    """Keep a plan, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".tmp")
    unfinished.write_bytes(canonical_json({"schema": SCHEMA, **asdict(plan)}) + b"\n")
    os.replace(unfinished, path)  # noqa: PTH105 - the same as for every kept file: over what was there


def _told_apart(visits: tuple[Visit, ...]) -> list[Visit]:
    """Refuse visits that stand there more than once."""
    several = {name: n for name, n in Counter(visit.name for visit in visits).items() if n > 1}
    kept = [visit for visit in visits if visit.name not in several]
    for name, n in several.items():
        first = next(visit for visit in visits if visit.name == name)
        flag = Flag("ambiguous_pair", f"{name} stands there {n} times, once is expected", n)
        kept.append(Visit(first.subject, first.session, has_mask=True, flags=(flag,)))
    return kept


def _offer(origin: Origin, name: str, visit: Visit) -> Offer:
    path = ".".join(filter(None, (origin.kind, name, visit.name)))
    tokens = [f"{role}={_token(file)}" for role, file in sorted(visit.files.items())]
    if visit.flags:
        flags = [flag.as_json() for flag in visit.flags]
        version = " ".join([*tokens, f"flags={sha256_json(flags)[:_DIGITS]}"])
        return Offer(path, origin.id, version, document={"flags": flags})
    document = {"files": {role: _of_document(file) for role, file in visit.files.items()}, "place": dict(visit.place)}
    main = visit.files.get("image") or visit.files["mask"]
    where = f"{origin.id}/{main.path}" if origin.revision is None else f"{origin.id}@{origin.revision}/{main.path}"
    return Offer(path, where, " ".join(tokens), dict(visit.facts), document=document)


def _of_document(file: SourceFile) -> dict[str, Any]:
    # Not whether it is here: that changes without the scan being another.
    return {"path": file.path, "n_bytes": file.n_bytes, "version": file.version, "sha256": file.sha256}


def _token(file: SourceFile) -> str:
    # The name counts: a mask finds its image by it.
    return sha256_json([file.path, file.version])[:_DIGITS]


def _fingerprint(origin: Origin, asked: Asked, wanted: list[Visit]) -> str:
    files = sorted(
        [visit.name, role, file.path, file.sha256 or [file.n_bytes, file.version]]
        for visit in wanted
        for role, file in visit.files.items()
    )
    source = {"kind": origin.kind, "id": origin.id, "revision": origin.revision}
    return sha256_json({"schema": SCHEMA, "source": source, "filter": asked.cohort, "name": asked.name, "files": files})


def _told(survey: Survey, chosen: list[Visit], left_out: Counter[str]) -> dict[str, Any]:
    masks = [visit for visit in survey.visits if visit.has_mask]
    roles = [(role, file) for visit in chosen for role, file in visit.files.items()]
    return {
        "visits": len(survey.visits) + survey.unseen,
        "subjects": len({visit.subject for visit in survey.visits}),
        "unseen": survey.unseen,
        "items": {survey.items: survey.n_items},
        "bytes_of_all": survey.n_bytes,
        "masks": len(masks),
        "pair_methods": dict(Counter(visit.method for visit in masks if visit.method != "none")),
        "selected": len(chosen),
        "acquisitions": dict(Counter(acquisition_of(visit.acquisition_label) or "none" for visit in chosen)),
        "left_out": dict(left_out),
        "bytes": {name: sum(file.n_bytes or 0 for role, file in roles if role == name) for name in ("image", "mask")},
        "not_here": sum(not file.is_here for _, file in roles),
    }


def _flag_text(visit: Visit) -> str:
    return "; ".join(f"{flag.code}: {flag.message}" for flag in visit.flags)
