"""Planning with any source of scans: from the plan that is kept, or anew, and what is told of it.

Belongs here: when the source has to be looked through, the number that is expected, two data sets of the same subjects,
lines for people. Does not belong here: what a plan is (`plan`), sources. Next in the flow: the engine fetches.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bgb_assets.modalities.mri.sources.cohort import Asked
from bgb_assets.modalities.mri.sources.plan import (
    Origin,
    Plan,
    changed_roles,
    files_of,
    make_plan,
    place_of,
    plan_path,
    read_plan,
    write_plan,
)
from bgb_assets.modalities.mri.sources.visits import Survey
from bgb_assets.modalities.sources import Offer
from bgb_assets.runtime.errors import SourceError

_log = logging.getLogger(__name__)
_SHOWN = 10


def planned_offers(
    origin: Origin, state: str, asked: Asked, survey: Callable[[], Survey], held: Mapping[str, str], work: Path
) -> Iterator[Offer]:
    """Yield the offers of a source, after all that can be wrong with the plan as a whole was looked at.

    Args:
        origin: The source.
        state: Digest of what it looks like, found out without opening any file of it.
        asked: What the command asks for.
        survey: Looks through the source; called only where state or filter are others than those of the plan kept.
        held: Path -> version of what is there.
        work: The folder of this kind of source.

    Raises:
        SourceError: Nothing is left by the filter, there are more or fewer scans than expected, or another data set
            brought uploads of the same names.
    """
    path = plan_path(work, origin.kind, origin.id)
    kept = read_plan(path)
    wanted = (origin, state, asked.cohort, asked.name)
    if kept is not None and (kept.origin, kept.state, kept.cohort, kept.name) == wanted:
        plan = kept
    else:
        plan = make_plan(origin, state, asked, survey())
        for line in differences(kept, plan):
            _log.info("%s", line)
    for line in described(plan, held):
        _log.info("%s", line)
    _require_expected(plan, asked.expect, kept)
    if not asked.replace:
        _require_own(plan, held, path)
    if plan is not kept:
        write_plan(path, plan)
    yield from plan.offers


def described(plan: Plan, held: Mapping[str, str]) -> list[str]:
    """Return what a plan comes to, in lines for people; each scan that is to be fetched in a new version is named."""
    told = plan.told
    to_fetch = {path: changed_roles(offer, held.get(path)) for path, offer in plan.selected.items()}
    to_fetch = {path: roles for path, roles in to_fetch.items() if roles}
    n_files = sum(role != "sidecar" for roles in to_fetch.values() for role in roles)
    everything = {path: list(files_of(offer)) for path, offer in plan.selected.items()}
    paired, kinds, left = (told[name] for name in ("pair_methods", "acquisitions", "left_out"))
    lines = [
        f"{told['visits']} visits of {'at least ' if told['unseen'] else ''}{told['subjects']} subjects, "
        f"{told['masks']} with a mask{_counts('by', paired)}; {_listed(told['items'])}, {told['bytes_of_all']} bytes",
        f"{told['selected']} selected{_counts('of', kinds)}, {_size(plan, everything)}{_counts('left out:', left)}",
        f"{told['selected'] - len(to_fetch)} are here; to fetch: {len(to_fetch)} scans, {n_files} images and masks, "
        f"{_size(plan, to_fetch)}",
    ]
    if told["not_here"]:
        lines.append(
            f"{told['not_here']} files have no bytes here; `git annex get` brings those of an annexed data set"
        )
    lines += [
        f"{path}: {' and '.join(roles)} changed, {_size(plan, {path: roles})}"
        for path, roles in to_fetch.items()
        if path in held
    ]
    return lines + [f"{name}: cannot be used: {reason}" for name, reason in told["refused"].items()]


def differences(kept: Plan | None, plan: Plan) -> list[str]:
    """Return in which fields a plan differs from the one that was kept, in lines for people."""
    if kept is None:
        return [f"{plan.origin.id}: planned for the first time"]
    if kept.fingerprint == plan.fingerprint:
        return [f"{plan.origin.id}: looks otherwise, and has the same scans"]
    fields: list[tuple[str, Any, Any]] = [
        ("revision", kept.origin.revision, plan.origin.revision),
        ("filter", kept.cohort, plan.cohort),
        ("name", kept.name, plan.name),
    ]
    lines = [f"{name}: {old!r} -> {new!r}" for name, old, new in fields if old != new]
    before, now = kept.selected, plan.selected
    lines += [f"scans: {len(now.keys() - before.keys())} more, {len(before.keys() - now.keys())} fewer"]
    for path in sorted(before.keys() & now.keys()):
        lines += [f"{path}: {line}" for line in _file_changes(before[path], now[path])]
    return lines


def _file_changes(before: Offer, now: Offer) -> list[str]:
    old, new = files_of(before), files_of(now)
    return [f"{role}: {_shown(old.get(role))} -> {_shown(new[role])}" for role in changed_roles(now, before.version)]


def _shown(file: Mapping[str, Any] | None) -> str:
    if file is None:
        return "none"
    return f"{file['n_bytes']} bytes, {file['sha256'] or file['version']}"


def _size(plan: Plan, roles: Mapping[str, Sequence[str]]) -> str:
    """Return how much some files are, sidecars apart; of rows it is known of their row groups only."""
    offers = {path: plan.selected[path] for path in roles}
    places = [place for offer in offers.values() if (place := place_of(offer))]
    if places:
        groups = {(place["file"], place["row_group"]): place["group_bytes"] for place in places}
        return f"at most the {sum(groups.values())} bytes of {len(groups)} row groups"
    sizes = [
        files_of(offer)[role]["n_bytes"] for path, offer in offers.items() for role in roles[path] if role != "sidecar"
    ]
    return f"{'at least ' if None in sizes else ''}{sum(size or 0 for size in sizes)} bytes"


def _counts(word: str, counts: Mapping[str, int]) -> str:
    return f" ({word} {_listed(counts)})" if counts else ""


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{n} {name}" for name, n in sorted(counts.items()))


def _require_expected(plan: Plan, expect: int | None, kept: Plan | None) -> None:
    told, got = plan.told, len(plan.selected)
    because = f"{told['visits']} visits{_counts('left out:', told['left_out'])}, {len(told['refused'])} refused"
    if expect is not None and got != expect:
        named = [f"{name} ({reason.partition(':')[0]})" for name, reason in told["refused"].items()]
        named += [
            f"{path} (was in the plan before)"
            for path in sorted((kept.selected if kept else {}).keys() - plan.selected)
        ]
        missing = f"; missing: {', '.join(named[:_SHOWN])}{', ...' if len(named) > _SHOWN else ''}" if named else ""
        raise SourceError(f"{plan.origin.id}: expected {expect} scans, got {got} of {because}{missing}")
    if not plan.offers:
        options = f"--modality {plan.cohort.modality}, --include-tse {str(plan.cohort.include_tse).lower()}, "
        options += f"--allow-no-mask {str(plan.cohort.allow_no_mask).lower()}"
        raise SourceError(f"{plan.origin.id}: no scan is left of {because}; the filter was {options}")


def _require_own(plan: Plan, held: Mapping[str, str], path: Path) -> None:
    """Refuse to put scans in the place of those that another data set brought, while that one is still there."""
    for other_path in sorted(path.parent.glob("*.json")):
        other = None if other_path == path else read_plan(other_path)
        if other is None or (other.origin.root is not None and not Path(other.origin.root).exists()):
            continue
        theirs, mine = other.selected, plan.selected
        shared = [
            name
            for name in sorted(theirs.keys() & mine.keys())
            if held.get(name) == theirs[name].version != mine[name].version
        ]
        if shared:
            raise SourceError(
                f"{plan.origin.id}: {len(shared)} uploads, the first {shared[0]}, came from {other.origin.id}; "
                "--name NAME keeps both data sets apart, --replace true takes these in their place"
            )
