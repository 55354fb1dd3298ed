"""Removing one upload: its files and record, and with a purge every byte that was made from it."""

from dataclasses import replace
from pathlib import Path

import pytest

from bgb_assets.engine.removal import remove_upload
from bgb_assets.runtime.errors import StoreError, UsageError
from bgb_assets.storage.heads import heads_of
from bgb_assets.storage.store import in_use
from bgb_assets.storage.uploads import Uploads
from bgb_assets_tests import toy
from bgb_assets_tests.conftest import MakeChain
from bgb_assets_tests.driving import everything
from bgb_assets_tests.toy_source import Shelf
from bgb_assets_tests.toy_source import ingest as fetch


@pytest.fixture
def inbox(data_root: Path, make_chain: MakeChain) -> Path:
    """Two uploads that went through the whole chain."""
    folder = data_root / "inbox" / "toy"
    toy.write_upload(folder / "one")
    toy.write_upload(folder / "zebra", "5 6")
    everything(make_chain())
    return folder


def files_with(root: Path, needle: bytes) -> list[str]:
    """Return the files below the stages' folders that hold some bytes."""
    stages = ("raw", "cache", "features", "notes", "manifest", "tokens", "model")
    found = [path for stage in stages for path in (root / stage).rglob("*") if path.is_file()]
    return sorted(str(path.relative_to(root)) for path in found if needle in path.read_bytes())


def test_removed_upload_leaves_its_entries_for_prune(inbox: Path, make_chain: MakeChain) -> None:
    chain = make_chain()
    entries = {state.identity for state in chain.uploads.require("zebra").entries.values()}
    report = remove_upload(chain, "zebra", purge=False)
    assert (report.entries, report.remade) == (0, ())
    assert not (inbox / "zebra").exists()
    assert chain.uploads.get("zebra") is None
    assert set(chain.catalog.get_many(entries)) == entries
    assert set(everything(make_chain())) == {"manifest", "tokens", "model"}, "the others are not touched"


def test_purge_erases_every_byte_and_what_held_it_is_made_again(inbox: Path, make_chain: MakeChain) -> None:
    chain = make_chain()
    root = chain.store.root
    assert files_with(root, b'"zebra"'), "the manifest and the shards name it"
    entries = {state.identity for state in chain.uploads.require("zebra").entries.values()}
    report = remove_upload(chain, "zebra", purge=True)
    assert set(report.remade) == {"manifest", "tokens", f"model/{toy.MODALITY.default_variant}"}
    assert heads_of(chain.store.layout, "toy").all() == {}
    assert chain.catalog.get_many(entries) == {}
    assert files_with(root, b'"zebra"') == []
    assert set(everything(make_chain())) >= {"manifest", "tokens", "model"}
    assert make_chain().uploads.keys() == ["one"]


def test_purge_keeps_entries_that_another_upload_shares(inbox: Path, make_chain: MakeChain) -> None:
    toy.write_upload(inbox / "twin", "5 6")
    everything(make_chain())
    chain = make_chain()
    shared = {state.identity for state in chain.uploads.require("twin").entries.values()}
    remove_upload(chain, "zebra", purge=True)
    assert set(chain.catalog.get_many(shared)) == shared


def test_purge_waits_for_no_run_but_refuses_beside_one(inbox: Path, make_chain: MakeChain) -> None:
    chain = make_chain()
    with in_use(chain.store), pytest.raises(StoreError, match="a run is in progress"):
        remove_upload(chain, "zebra", purge=True)
    assert chain.uploads.get("zebra") is not None


def test_unknown_upload_is_a_wrong_use(inbox: Path, make_chain: MakeChain) -> None:
    with pytest.raises(UsageError, match="'three'"):
        remove_upload(make_chain(), "three", purge=False)


def blobs(root: Path) -> set[str]:
    return {path.name for path in (root / "raw" / "blobs").glob("*/*")}


def test_removed_upload_of_a_source_is_not_fetched_again_until_it_is_let_in(
    shelf: Shelf, data_root: Path, make_chain: MakeChain
) -> None:
    shelf.put("a", document={"x": 1})
    fetch(make_chain(), shelf)
    before = blobs(data_root)
    assert remove_upload(make_chain(), "shelf.a", purge=False).files == 0
    assert blobs(data_root) == before, "the bytes stay for prune"
    assert not list((data_root / "raw" / "documents").rglob("*.json"))
    shelf.put("a", version="2")
    shelf.calls()
    report = fetch(make_chain(), shelf)
    assert "it was removed by hand; `bgb quarantine retry toy shelf.a` lets" in report.refused["shelf.a"]
    assert (shelf.fetched(), make_chain().uploads.keys()) == ([], ["shelf.b", "shelf.c"])
    (row,) = make_chain().quarantine.rows()
    make_chain().quarantine.remove(row.identity)
    assert fetch(make_chain(), shelf).new == ("shelf.a",)


def test_purge_erases_fetched_bytes_that_nothing_else_holds(
    shelf: Shelf, data_root: Path, make_chain: MakeChain
) -> None:
    shelf.put("b", {"a.txt": "4 5", "b.txt": "word a"}, version="2")
    fetch(make_chain(), shelf)
    everything(make_chain())
    shared = make_chain().uploads.require("shelf.b").blobs
    removed = make_chain().uploads.require("shelf.a").blobs
    # A record of another modality counts as well.
    other = replace(make_chain().uploads.require("shelf.c"), modality="other")
    Uploads(data_root / "uploads" / "other").put(other)
    assert remove_upload(make_chain(), "shelf.a", purge=True).files == 1
    assert blobs(data_root) & set(removed.values()) == {shared["b.txt"]}
    assert remove_upload(make_chain(), "shelf.c", purge=True).files == 0
    assert set(other.blobs.values()) <= blobs(data_root)
