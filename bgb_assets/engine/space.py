"""Space: what the entries take, whether their bytes are right, and making room within a budget.

Live is what current uploads and heads reach, fetched bytes included. Orphans go first, then live `cache` bytes, least
recently used first, leaving a tombstone.
Belongs here: totals, verify, prune. Does not belong here: single entries (`store`).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

import orjson

from bgb_assets.modalities.contract import STAGE_NAMES
from bgb_assets.runtime.errors import StoreError
from bgb_assets.storage.blobs import Blobs
from bgb_assets.storage.catalog import BATCH, Catalog, Held
from bgb_assets.storage.heads import heads_of
from bgb_assets.storage.layout import Layout
from bgb_assets.storage.store import StageStore, unused
from bgb_assets.storage.uploads import PRESENT, Uploads, blobs_in_use

EVICTABLE_STAGES = ("cache",)


@dataclass(frozen=True)
class PruneReport:
    """What a prune did.

    Attributes:
        removed: Locations of entries.
        blobs: Locations of fetched bytes that no present upload holds; removed too.
        evicted: Locations of entries that were left without their bytes.
    """

    budget_bytes: int
    before_bytes: int
    after_bytes: int
    removed: tuple[str, ...] = ()
    blobs: tuple[str, ...] = ()
    evicted: tuple[str, ...] = ()

    @property
    def reached(self) -> bool:
        """Whether the store fits the budget now."""
        return self.after_bytes <= self.budget_bytes


@dataclass(frozen=True)
class VerifyReport:
    """What a verification found: location -> problems."""

    checked: int
    problems: dict[str, list[str]] = field(default_factory=dict)


def live_identities(store: StageStore, catalog: Catalog, modalities: Iterable[str]) -> set[str]:
    """Return every identity that a present upload or a head reaches, parts and mapped files included."""
    live: set[str] = set()
    for name in modalities:
        for upload in Uploads(store.layout.uploads(name)).all():
            if upload.state == PRESENT:
                live |= {state.identity for state in upload.entries.values()}
        heads = heads_of(store.layout, name).all()
        live |= {head.identity for head in heads.values()}
        if "tokens" in heads:
            live |= _mapped_in_place(store, name, heads["tokens"].identity)
    known = sorted(live)
    for start in range(0, len(known), BATCH):
        for held in catalog.get_many(known[start : start + BATCH]).values():
            live |= set(held.record.parts.values())
    return live


def _mapped_in_place(store: StageStore, modality: str, identity: str) -> set[str]:
    """Return the identities of the entries whose files a tokens entry maps where they lie.

    An upload may have another one by now that holds the same: made with other params, it changed no facet and so
    no manifest. Tokens of a format of their own list no sources.

    Raises:
        StoreError: The index is damaged, so that what it maps is unknown.
    """
    path = store.layout.entry("tokens", modality, identity) / "index.json"
    try:
        sources = orjson.loads(path.read_bytes()).get("sources", ())
    except FileNotFoundError:
        return set()
    except ValueError as error:
        remedy = f"run `BGB_FORCE_TOKENS_REBUILD=1 bgb materialize {modality}`"
        raise StoreError(f"{path}: damaged ({error}); {remedy}") from error
    return {source["location"].rpartition("/")[2] for source in sources}


def prune(store: StageStore, catalog: Catalog, modalities: Iterable[str], budget_bytes: int) -> PruneReport:
    """Make the store fit a budget, orphans first, then live cache bytes by last use.

    Raises:
        StoreError: A run is in progress.
    """
    names = tuple(modalities)
    with unused(store):
        catalog.rebuild(store, names, STAGE_NAMES)
        live = live_identities(store, catalog, names)
        entries = catalog.sizes(names)
        before = sum(held.bytes for held in entries) + sum(Blobs(store.layout).sizes().values())
        blobs, left = _prune_blobs(store, budget_bytes, before)
        orphans = _until(budget_bytes, left, (held for held in entries if held.identity not in live))
        for held in orphans:
            store.backend.remove(_location(store, held))
        catalog.remove_many(held.identity for held in orphans)
        left -= sum(held.bytes for held in orphans)
        evictable = (held for held in entries if held.identity in live and _is_evictable(held))
        evicted = _until(budget_bytes, left, evictable)
        for held in evicted:
            _evict(store, catalog, held)
        after = left - sum(held.bytes for held in evicted)
    removed = tuple(_location(store, held) for held in orphans)
    return PruneReport(budget_bytes, before, after, removed, blobs, tuple(_location(store, held) for held in evicted))


def orphaned_blobs(store: StageStore) -> dict[str, int]:
    """Return digest -> bytes of the fetched bytes that no present upload of any modality holds, sorted by digest."""
    used = blobs_in_use(store.layout.all_uploads, present=True)
    return {digest: size for digest, size in Blobs(store.layout).sizes().items() if digest not in used}


def _prune_blobs(store: StageStore, budget_bytes: int, total_bytes: int) -> tuple[tuple[str, ...], int]:
    """Remove as many orphaned blobs as it takes; return their locations and the bytes left in all."""
    removed = []
    for digest, size in orphaned_blobs(store).items():
        if total_bytes <= budget_bytes:
            break
        Blobs(store.layout).remove(digest)
        removed.append(Layout.blob(digest))
        total_bytes -= size
    return tuple(removed), total_bytes


def verify(store: StageStore, modalities: Iterable[str]) -> VerifyReport:
    """Read every byte of every entry and compare it with its record, and all fetched bytes with their digests."""
    names = tuple(modalities)
    problems: dict[str, list[str]] = {}
    checked = 0
    for digest in _fetched(store, names):
        checked += 1
        if problem := Blobs(store.layout).problem(digest):
            problems[Layout.blob(digest)] = [problem]
    for location, stage, name in _locations(store, names):
        checked += 1
        record = store.lookup(stage, name, location.rsplit("/", 1)[1])
        found = ["no record: the directory does not count as an entry"] if record is None else store.verify(record)
        if found:
            problems[location] = found
    return VerifyReport(checked, problems)


def _fetched(store: StageStore, modalities: Iterable[str]) -> list[str]:
    """Return the digests of the fetched bytes that present uploads hold."""
    uploads = (upload for name in modalities for upload in Uploads(store.layout.uploads(name)).all())
    return sorted({digest for upload in uploads if upload.state == PRESENT for digest in upload.blobs.values()})


def _until(budget_bytes: int, total_bytes: int, entries: Iterable[Held]) -> list[Held]:
    """Return the first of the entries, as many as it takes to come down to the budget."""
    chosen = []
    for held in entries:
        if total_bytes <= budget_bytes:
            break
        chosen.append(held)
        total_bytes -= held.bytes
    return chosen


def _is_evictable(held: Held) -> bool:
    return held.stage in EVICTABLE_STAGES and not held.evicted and held.bytes > 0


def _evict(store: StageStore, catalog: Catalog, held: Held) -> None:
    record = store.lookup(held.stage, held.modality, held.identity)
    if record is None:
        return
    tombstone = replace(record, evicted=True)
    store.backend.evict(store.location(record), tombstone.to_bytes())
    signature = store.signature(tombstone)
    if signature is not None:
        catalog.put_many([(tombstone, signature)])


def _location(store: StageStore, held: Held) -> str:
    return store.layout.location(held.stage, held.modality, held.identity)


def _locations(store: StageStore, modalities: Iterable[str]) -> Iterator[tuple[str, str, str]]:
    for name in modalities:
        for stage in STAGE_NAMES:
            for location in store.backend.locations(f"{stage}/{name}"):
                yield location, stage, name
