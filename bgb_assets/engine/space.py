"""Space: what the entries take, whether their bytes are right, and making room within a budget.

Live is what current uploads and heads reach. Orphans go first, then live `cache` bytes, least recently used
first, leaving a tombstone. Belongs here: totals, verify, prune. Does not belong here: single entries (`store`).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from bgb_assets.modalities.contract import STAGE_NAMES
from bgb_assets.storage.catalog import Catalog, Indexed
from bgb_assets.storage.heads import heads_of
from bgb_assets.storage.store import StageStore
from bgb_assets.storage.uploads import PRESENT, Uploads

EVICTABLE_STAGES = ("cache",)


@dataclass(frozen=True)
class PruneReport:
    """What a prune did.

    Attributes:
        reached: Whether the store fits the budget now.
    """

    budget_bytes: int
    before_bytes: int
    after_bytes: int
    removed: tuple[str, ...] = ()
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
    """Return every identity that a present upload or a head reaches, parts included."""
    live: set[str] = set()
    for name in modalities:
        for upload in Uploads(store.layout.uploads(name)).all():
            if upload.state == PRESENT:
                live |= {state.identity for state in upload.entries.values()}
        live |= {head.identity for head in heads_of(store.layout, name).all().values()}
    for held in catalog.get_many(live).values():
        live |= set(held.record.parts.values())
    return live


def prune(store: StageStore, catalog: Catalog, modalities: Iterable[str], budget_bytes: int) -> PruneReport:
    """Make the store fit a budget, orphans first, then live cache bytes by last use."""
    names = tuple(modalities)
    catalog.rebuild(store, names, STAGE_NAMES)
    live = live_identities(store, catalog, names)
    entries = sorted(catalog.entries(), key=lambda held: held.last_used_s)
    before = total = sum(_disk_bytes(held) for held in entries)
    removed, evicted = [], []
    for held in entries:
        if total > budget_bytes and held.record.identity not in live:
            store.backend.remove(store.location(held.record))
            removed.append(store.location(held.record))
            total -= _disk_bytes(held)
    catalog.remove_many([location.rsplit("/", 1)[1] for location in removed])
    for held in entries:
        evictable = held.record.stage in EVICTABLE_STAGES and held.record.identity in live
        if total > budget_bytes and evictable and not held.record.evicted:
            total -= _evict(store, catalog, held)
            evicted.append(store.location(held.record))
    return PruneReport(budget_bytes, before, total, tuple(removed), tuple(evicted))


def verify(store: StageStore, modalities: Iterable[str]) -> VerifyReport:
    """Read every byte of every entry and compare it with its record."""
    problems: dict[str, list[str]] = {}
    checked = 0
    for location, stage, name in _locations(store, modalities):
        checked += 1
        record = store.lookup(stage, name, location.rsplit("/", 1)[1])
        found = ["no record: the directory does not count as an entry"] if record is None else store.verify(record)
        if found:
            problems[location] = found
    return VerifyReport(checked, problems)


def _evict(store: StageStore, catalog: Catalog, held: Indexed) -> int:
    tombstone = replace(held.record, evicted=True)
    location = store.location(held.record)
    store.backend.evict(location, tombstone.to_bytes())
    signature = store.backend.signature(location)
    if signature is not None:
        catalog.put_many([(tombstone, signature)])
    return held.record.size_bytes


def _disk_bytes(held: Indexed) -> int:
    return 0 if held.record.evicted else held.record.size_bytes


def _locations(store: StageStore, modalities: Iterable[str]) -> Iterator[tuple[str, str, str]]:
    for name in modalities:
        for stage in STAGE_NAMES:
            for location in store.backend.locations(f"{stage}/{name}"):
                yield location, stage, name
