from dataclasses import replace
from pathlib import Path

import pytest

from bgb_assets.engine.bookkeeping import BATCH, Bookkeeper
from bgb_assets.engine.outcomes import UploadOutcome, outcome_of, rejected
from bgb_assets.storage.quarantine import Rejection
from bgb_assets.storage.records import Record
from bgb_assets.storage.uploads import StageState
from bgb_assets_tests import toy
from bgb_assets_tests.conftest import MakeChain
from bgb_assets_tests.driving import ingest, walk


@pytest.fixture
def chain(data_root: Path, make_chain: MakeChain):
    toy.write_upload(data_root / "inbox" / "toy" / "one")
    chain = make_chain()
    ingest(chain)
    walk(chain)
    return chain


def books(chain) -> Bookkeeper:
    return Bookkeeper(chain.store, chain.catalog, chain.uploads, chain.quarantine)


def indexed(chain, stage: str = "features"):
    identity = chain.uploads.require("one").entries[stage].identity
    held = chain.catalog.get_many([identity])[identity]
    return held, chain.catalog.get_many(held.record.parts.values())


def test_hit_is_noted_with_its_parts(chain) -> None:
    held, parts = indexed(chain)
    with books(chain) as keeper:
        assert keeper.hit(held, parts) == held.record
    again, parts_again = indexed(chain)
    assert again.hits == held.hits + 1
    assert [part.hits for part in parts_again.values()] == [part.hits + 1 for part in parts.values()]


def test_entry_that_was_replaced_is_read_anew(chain) -> None:
    held, parts = indexed(chain, "cache")
    tombstone = replace(held.record, evicted=True)
    chain.store.backend.evict(chain.store.location(held.record), tombstone.to_bytes())
    with books(chain) as keeper:
        assert keeper.hit(held, parts) == tombstone, "not what the catalog still says"
    assert indexed(chain, "cache")[0].record.evicted


def test_rejection_takes_entries_from_its_stage_on(chain) -> None:
    record = chain.uploads.require("one")
    row = Rejection("new", "toy", "cache", "one", "input", "r", "m")
    outcome = UploadOutcome("one", {"cache": rejected("cache", row, called=True)})
    with books(chain) as keeper:
        keeper.outcome(record, outcome, ())
        assert "new" in keeper.rejected_identities
    assert set(chain.uploads.require("one").entries) == {"raw"}
    assert chain.quarantine.get("new") == row


def test_entry_that_is_there_after_all_resolves_its_rejection(chain) -> None:
    held, _ = indexed(chain, "cache")
    chain.quarantine.add(Rejection(held.record.identity, "toy", "cache", "one", "crash", "r", "m"))
    with books(chain) as keeper:
        outcome = UploadOutcome("one", {"cache": outcome_of(held.record, called=False)})
        keeper.outcome(chain.uploads.require("one"), outcome, {"cache"})
    assert chain.quarantine.identities() == set()


def test_unstable_upload_changes_nothing(chain) -> None:
    record = chain.uploads.require("one")
    with books(chain) as keeper:
        keeper.outcome(record, UploadOutcome("one", {}, unstable="changed"), ())
    assert chain.uploads.require("one") == record


def test_rows_are_written_in_batches(chain, monkeypatch: pytest.MonkeyPatch) -> None:
    held, _ = indexed(chain, "raw")
    written: list[int] = []
    monkeypatch.setattr(chain.catalog, "put_many", lambda rows: written.append(len(rows)))
    monkeypatch.setattr("bgb_assets.engine.bookkeeping.AGE_S", 1e9)
    with books(chain) as keeper:
        for i in range(BATCH + 1):
            outcome = UploadOutcome(f"k{i}", {"raw": outcome_of(held.record, called=True)})
            keeper.outcome(replace(chain.uploads.require("one"), key=f"k{i}"), outcome, ())
    assert written == [BATCH, 1]


def test_entries_are_noted_with_the_one_before(chain) -> None:
    held, _ = indexed(chain, "raw")
    newer = Record("toy", "raw", "f" * 64, {}, {}, held.record.outputs)
    with books(chain) as keeper:
        outcome = UploadOutcome("one", {"raw": outcome_of(newer, called=True)})
        keeper.outcome(chain.uploads.require("one"), outcome, ())
    assert chain.uploads.require("one").entries["raw"] == StageState("f" * 64, held.record.identity)
