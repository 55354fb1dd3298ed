"""Why: which part of an identity makes an entry stale, or made the last change.

Belongs here: explanations, for one upload at one stage or for a fan-in. Changes nothing.
Does not belong here: showing them (`cli`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from bgb_assets.chain import Chain
from bgb_assets.engine.fan_in import FanInRun
from bgb_assets.engine.recognise import RecogniseTask, recognise
from bgb_assets.engine.wanted import facets_read, wanted
from bgb_assets.modalities.contract import UPLOAD, Stage
from bgb_assets.runtime.errors import UsageError
from bgb_assets.runtime.imports import resolve
from bgb_assets.storage.identity import differences
from bgb_assets.storage.records import Record
from bgb_assets.storage.uploads import PRESENT, UploadRecord, is_untouched

State = Literal["current", "stale", "missing", "quarantined", "vanished"]


@dataclass(frozen=True)
class Explanation:
    """Why an entry is as it is.

    Attributes:
        asset: `beatmap/features`.
        key: The upload, or the variant of a model; empty for other fan-ins.
        lines: What differs, one sentence or `name old -> new` each.
        details: What the last change was in the modality's own words, where it has some.
    """

    asset: str
    key: str
    state: State
    identity: str
    lines: tuple[str, ...]
    details: tuple[str, ...] = ()


def why_upload(chain: Chain, stage: str, key: str) -> Explanation:
    """Explain one upload at one per-upload stage."""
    upload = chain.uploads.require(key)
    asset = f"{chain.modality.name}/{stage}"
    if upload.state != PRESENT:
        return Explanation(asset, key, "vanished", "", ("its files are gone from the inbox",))
    if not is_untouched(upload, chain.settings.data_root):
        upload = recognise(RecogniseTask(chain.settings.data_root, chain.modality, upload))
    records: dict[str, Record] = {}
    for item in chain.stages_of(upload):
        identity = wanted(chain.modality.name, item, facets_read(item, upload, records))
        held = chain.store.lookup(item.name, chain.modality.name, identity.digest())
        if held is None or not chain.store.is_whole(held):
            return _missed(chain, asset, upload, item, identity.as_json(), identity.digest())
        records[item.name] = held
        if item.name == stage:
            return _current(chain, asset, upload, held)
    raise UsageError(f"{asset} is not a per-upload stage; ask without a key")


def why_fan_in(chain: Chain, stage: str, variant: str | None = None) -> Explanation:
    """Explain a fan-in stage."""
    run = FanInRun(chain, stage, variant)
    asset = f"{chain.modality.name}/{stage}"
    key = run.head.partition("/")[2]
    head = run.heads.get(run.head)
    if head is None:
        return Explanation(asset, key, "missing", "", ("it was never made",))
    parts = run.identity()
    if parts.digest() != head.identity:
        old = chain.store.lookup(stage, chain.modality.name, head.identity)
        lines = _lines(old, parts.as_json()) + _members(old, run.inputs.digests)
        return Explanation(asset, key, "stale", parts.digest(), tuple(lines))
    now = chain.store.lookup(stage, chain.modality.name, head.identity)
    if now is None:
        return Explanation(asset, key, "missing", head.identity, ("its entry was removed by hand",))
    before = chain.store.lookup(stage, chain.modality.name, head.previous) if head.previous else None
    lines = _lines(before, now.parts_of_identity) + _members(before, now.members) if before else ["as first made"]
    return Explanation(asset, key, "current", head.identity, tuple(lines))


def _missed(
    chain: Chain, asset: str, upload: UploadRecord, stage: Stage, parts: Mapping[str, Any], identity: str
) -> Explanation:
    where = f"{chain.modality.name}/{stage.name}"
    row = chain.quarantine.get(identity)
    if row is not None:
        return Explanation(asset, upload.key, "quarantined", identity, (row.reason, row.remedy))
    held = upload.entries.get(stage.name)
    if held is None:
        return Explanation(asset, upload.key, "missing", identity, (f"{where} was never made for this upload",))
    old = chain.store.lookup(stage.name, chain.modality.name, held.identity)
    if held.identity == identity:
        return Explanation(asset, upload.key, "missing", identity, (f"the files of {where} were removed by hand",))
    lines = _lines(old, parts)
    first = [] if where == asset else [f"{where} is to be made first:"]
    return Explanation(asset, upload.key, "stale", identity, (*first, *lines))


def _current(chain: Chain, asset: str, upload: UploadRecord, now: Record) -> Explanation:
    state = upload.entries.get(now.stage)
    previous = state.previous if state is not None and state.identity == now.identity else None
    if state is not None and state.identity != now.identity:
        previous = state.identity
    before = chain.store.lookup(now.stage, chain.modality.name, previous) if previous else None
    if before is None:
        return Explanation(asset, upload.key, "current", now.identity, ("as first made",))
    lines = ["last change:", *_lines(before, now.parts_of_identity)]
    details = tuple(dict.fromkeys(_details(chain, upload, before, now)))
    return Explanation(asset, upload.key, "current", now.identity, tuple(lines), details)


def _details(chain: Chain, upload: UploadRecord, before: Record, now: Record) -> Iterator[str]:
    """Yield what changed in the entry itself and in those that it reads, as far as both are on disk."""
    if chain.modality.explain is None:
        return
    explain = resolve(chain.modality.explain)
    facets = {**before.parts_of_identity["facets"], **now.parts_of_identity["facets"]}
    asked = {name for name in facets if before.parts_of_identity["facets"].get(name) != facets[name]}
    sources = dict.fromkeys(read.source for read in chain.modality.stage(now.stage).reads if read.source != UPLOAD)
    pairs: list[tuple[str, Record | None, Record | None, set[str] | None]] = [(now.stage, before, now, None)]
    for source in sources:
        state = upload.entries.get(source)
        if state is not None and state.previous is not None:
            name = chain.modality.name
            was, held = (chain.store.lookup(source, name, one) for one in (state.previous, state.identity))
            pairs.append((source, was, held, asked))
    for stage, old, new, only in pairs:
        if old is None or new is None or not all(map(chain.store.is_whole, (old, new))) or old.evicted or new.evicted:
            continue
        changed = {name for name, digest in new.facets.items() if old.facets.get(name) != digest}
        wanted_facets = changed if only is None else changed & only
        yield from explain(stage, chain.store.directory(old), chain.store.directory(new), wanted_facets)


def _lines(old: Record | None, new: Mapping[str, Any]) -> list[str]:
    if old is None:
        return ["the entry it had is gone, so that there is nothing to compare with"]
    return differences(old.parts_of_identity, new)


def _members(old: Record | None, new: Mapping[str, str]) -> list[str]:
    if old is None:
        return []
    added = [f"upload {key} joined" for key in sorted(set(new) - set(old.members))]
    gone = [f"upload {key} left" for key in sorted(set(old.members) - set(new))]
    changed = [f"upload {key} changed" for key in sorted(set(new) & set(old.members)) if new[key] != old.members[key]]
    return [*added, *gone, *changed]
