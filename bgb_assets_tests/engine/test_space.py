import shutil
from pathlib import Path

import pytest

from bgb_assets.engine.sources import SourceIngest
from bgb_assets.engine.space import live_identities, orphaned_blobs, prune, verify
from bgb_assets.modalities.contract import STAGE_NAMES
from bgb_assets.runtime.errors import BgbError, StoreError
from bgb_assets_tests import toy
from bgb_assets_tests.conftest import SETTLE_AT_ONCE, MakeChain
from bgb_assets_tests.driving import everything, fan_in, ingest, opened_below, outputs, walk
from bgb_assets_tests.toy_source import PREFIX, FolderSource, Shelf
from bgb_assets_tests.toy_source import ingest as fetch


@pytest.fixture
def inbox(data_root: Path, make_chain: MakeChain) -> Path:
    folder = data_root / "inbox" / "toy"
    toy.synth(folder, 3, seed=2)
    everything(make_chain())
    return folder


def pruned(make_chain: MakeChain, budget_bytes: int):
    chain = make_chain()
    return prune(chain.store, chain.catalog, ["toy"], budget_bytes)


def cache_files(data_root: Path) -> list[Path]:
    return sorted((data_root / "cache").rglob("numbers.bin"))


def test_enough_room_removes_nothing(inbox: Path, data_root: Path, make_chain: MakeChain) -> None:
    before = outputs(data_root)
    report = pruned(make_chain, 1 << 30)
    assert (report.removed, report.evicted, report.reached) == ((), (), True)
    assert report.before_bytes == report.after_bytes == sum((data_root / name).stat().st_size for name in before)


def test_orphans_go_first_and_cost_nothing(inbox: Path, data_root: Path, make_chain: MakeChain) -> None:
    kept = outputs(data_root)
    (data_root / "config.toml").write_text(f"{SETTLE_AT_ONCE}[toy.notes]\noffset = 5\n")
    everything(make_chain())
    (data_root / "config.toml").write_text(SETTLE_AT_ONCE)
    assert everything(make_chain()) == {}
    size = sum((data_root / name).stat().st_size for name in kept)
    report = pruned(make_chain, size)
    assert report.reached
    assert report.evicted == ()
    assert report.after_bytes == size
    assert {location.split("/")[0] for location in report.removed} == {"notes", "manifest", "tokens", "model"}
    assert outputs(data_root) == kept
    assert everything(make_chain()) == {}


def test_evicted_cache_is_a_hit_until_its_bytes_are_needed(inbox: Path, data_root: Path, make_chain: MakeChain) -> None:
    before = outputs(data_root)
    report = pruned(make_chain, 0)
    assert not report.reached
    assert report.after_bytes > 0
    assert len(report.evicted) == 3
    assert cache_files(data_root) == []
    assert everything(make_chain()) == {}, "tombstones are hits"
    with opened_below(data_root) as opened:
        walk(make_chain())
    assert [name for name in opened if name.startswith("cache/")] == []
    raised = toy.with_stage(toy.MODALITY, "features", code_version="2")
    calls = everything(make_chain(raised))
    assert calls == {"cache": 3, "features": 9}
    assert {name: digest for name, digest in outputs(data_root).items() if name.startswith("cache/")} == {
        name: digest for name, digest in before.items() if name.startswith("cache/")
    }, "byte for byte"
    assert everything(make_chain(raised)) == {}
    chain = make_chain()
    assert not any(held.evicted for held in chain.catalog.sizes(["toy"]))


def test_only_as_much_goes_as_it_takes_least_recently_used_first(
    inbox: Path, data_root: Path, make_chain: MakeChain
) -> None:
    chain = make_chain()
    list(chain.run(["toy_00000", "toy_00002"], ["cache"]))
    total = pruned(make_chain, 1 << 30).before_bytes
    report = pruned(make_chain, total - 1)
    oldest = make_chain().uploads.require("toy_00001").entries["cache"].identity
    assert [location.rsplit("/", 1)[1] for location in report.evicted] == [oldest]
    assert report.reached


def test_evicted_bytes_that_come_out_otherwise_are_refused(inbox: Path, data_root: Path, make_chain: MakeChain) -> None:
    pruned(make_chain, 0)
    changed = toy.with_stage(toy.MODALITY, "cache", run="bgb_assets_tests.engine.test_space:other_cache")
    changed = toy.with_stage(changed, "features", code_version="2")
    with pytest.raises(BgbError, match="made again, the outputs differ"):
        walk(make_chain(changed))
    assert cache_files(data_root) == [], "nothing wrong was committed"
    assert walk(make_chain(toy.with_stage(toy.MODALITY, "features", code_version="2")))


def other_cache(inputs, params, out):
    result = toy.cache(inputs, params, out)
    (out / "numbers.bin").write_bytes(b"\0" * 8)
    return result


def test_fan_in_that_needs_evicted_bytes_makes_them_once(inbox: Path, data_root: Path, make_chain: MakeChain) -> None:
    from bgb_assets.modalities.contract import Reads

    pruned(make_chain, 0)
    reads = (*toy.MODALITY.stage("manifest").reads, Reads("cache", ("signal",), ("numbers.bin",)))
    modality = toy.with_stage(
        toy.MODALITY, "manifest", reads=reads, run="bgb_assets_tests.engine.test_space:manifest_of_signals"
    )
    assert everything(make_chain(modality)) == {"cache": 3, "manifest": 1}
    assert len(cache_files(data_root)) == 3
    modality = toy.with_stage(modality, "manifest", code_version="2")
    calls = everything(make_chain(modality))
    assert "cache" not in calls


def manifest_of_signals(fan_in, params, out):
    for member in fan_in.members:
        assert (member.entries["cache"].directory / "numbers.bin").stat().st_size > 0
        assert [path.name for path in member.entries["cache"].directory.iterdir()] == ["numbers.bin"]
    return toy.manifest(fan_in, params, out)


def test_pruning_waits_for_no_run(inbox: Path, make_chain: MakeChain) -> None:
    chain = make_chain()
    running = chain.run(chain.uploads.keys(), ["raw"])
    next(running)
    with pytest.raises(StoreError, match="a run is in progress"):
        pruned(make_chain, 0)
    running.close()
    pruned(make_chain, 0)


def test_index_that_cannot_be_read_stops_a_prune(inbox: Path, data_root: Path, make_chain: MakeChain) -> None:
    before = outputs(data_root)
    (index,) = (data_root / "tokens").rglob("index.json")
    index.write_bytes(index.read_bytes()[:-4])
    with pytest.raises(StoreError, match=r"index\.json: damaged .*BGB_FORCE_TOKENS_REBUILD=1"):
        pruned(make_chain, 0)
    assert outputs(data_root).keys() == before.keys()


def test_vanished_uploads_are_not_live(inbox: Path, data_root: Path, make_chain: MakeChain) -> None:
    chain = make_chain()
    before = live_identities(chain.store, chain.catalog, ["toy"])
    everyone = {path.parent.name for stage in STAGE_NAMES for path in (data_root / stage).rglob("record.json")}
    assert before == everyone, "parts and heads included"
    shutil.rmtree(inbox / "toy_00001")
    ingest(make_chain())
    fan_in(make_chain())
    gone = {state.identity for state in make_chain().uploads.require("toy_00001").entries.values()}
    assert not gone & live_identities(chain.store, chain.catalog, ["toy"])


def test_verify_finds_flipped_bytes_and_what_is_no_entry(inbox: Path, data_root: Path, make_chain: MakeChain) -> None:
    store = make_chain().store
    report = verify(store, ["toy"])
    assert report.problems == {}
    assert report.checked == len(list(data_root.rglob("record.json")))
    flipped = cache_files(data_root)[0]
    data = bytearray(flipped.read_bytes())
    data[-1] ^= 1
    flipped.write_bytes(data)
    damaged = sorted((data_root / "notes").rglob("record.json"))[0]
    damaged.write_text("{")
    problems = verify(store, ["toy"]).problems
    assert problems == {
        flipped.parent.relative_to(data_root).as_posix(): ["numbers.bin: bytes differ from the record"],
        damaged.parent.relative_to(data_root).as_posix(): ["no record: the directory does not count as an entry"],
    }


def blob_files(data_root: Path) -> dict[str, int]:
    return {path.name: path.stat().st_size for path in (data_root / "raw" / "blobs").glob("*/*")}


def test_blobs_of_present_uploads_are_live_and_orphaned_ones_go_first(
    shelf: Shelf, data_root: Path, make_chain: MakeChain
) -> None:
    fetch(make_chain(), shelf)
    everything(make_chain())
    before = blob_files(data_root)
    report = pruned(make_chain, 1 << 30)
    entries = sum((data_root / name).stat().st_size for name in outputs(data_root))
    assert report.before_bytes == entries + sum(before.values())
    assert orphaned_blobs(make_chain().store) == {}
    shelf.put("b", gone=True)
    fetch(make_chain(), shelf)
    gone = set(make_chain().uploads.require("shelf.b").blobs.values())
    assert set(orphaned_blobs(make_chain().store)) == gone
    assert pruned(make_chain, 1 << 30).blobs == (), "there is room"
    report = pruned(make_chain, report.before_bytes - sum(before[digest] for digest in gone))
    assert {location.rsplit("/", 1)[1] for location in report.blobs} == gone
    assert report.removed == report.evicted == ()
    assert set(blob_files(data_root)) == set(before) - gone
    pruned(make_chain, 0)
    assert set(blob_files(data_root)) == set(before) - gone, "those of present uploads are never removed"
    shelf.put("b", gone=False)
    assert fetch(make_chain(), shelf).new == ("shelf.b",), "it is fetched again"
    assert blob_files(data_root) == before


def test_nothing_is_pruned_while_something_is_fetched(shelf: Shelf, make_chain: MakeChain) -> None:
    tried: list[str] = []

    def prune_meanwhile(line: str) -> None:
        with pytest.raises(StoreError, match="a run is in progress"):
            pruned(make_chain, 0)
        tried.append(line)

    SourceIngest(make_chain(), PREFIX, FolderSource(shelf.folder)).run(log=prune_meanwhile)
    assert tried


def test_verify_reads_fetched_bytes(shelf: Shelf, data_root: Path, make_chain: MakeChain) -> None:
    fetch(make_chain(), shelf)
    store = make_chain().store
    assert (verify(store, ["toy"]).checked, verify(store, ["toy"]).problems) == (6, {})
    one, other = sorted((data_root / "raw" / "blobs").glob("*/*"))[:2]
    one.write_bytes(b"other bytes")
    other.unlink()
    assert verify(store, ["toy"]).problems == {
        one.relative_to(data_root).as_posix(): ["bytes differ from its name"],
        other.relative_to(data_root).as_posix(): ["missing"],
    }
    assert verify(store, []).checked == 0
