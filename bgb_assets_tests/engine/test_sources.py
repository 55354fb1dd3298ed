"""Ingest from a source: what is fetched and when, and what is only noted."""

import json
import shutil
from pathlib import Path

import pytest

from bgb_assets.engine.ingest import Ingest
from bgb_assets.engine.sources import SourceIngest
from bgb_assets.runtime.errors import SourceError
from bgb_assets.storage.leases import lease
from bgb_assets.storage.uploads import PRESENT, VANISHED, UploadRecord
from bgb_assets_tests import toy
from bgb_assets_tests.conftest import MakeChain
from bgb_assets_tests.driving import everything, fan_in, walk
from bgb_assets_tests.driving import ingest as look
from bgb_assets_tests.toy_source import PREFIX, FolderSource, Shelf, ingest

ALL = ("shelf.a", "shelf.b", "shelf.c")


def blobs(root: Path) -> set[str]:
    return {path.name for path in (root / "raw" / "blobs").glob("*/*")}


def upload(make_chain: MakeChain, key: str) -> UploadRecord:
    return make_chain().uploads.require(f"shelf.{key}")


@pytest.mark.parametrize("processes", [False, True])
def test_uploads_are_fetched_once_and_go_through_the_chain(
    shelf: Shelf, data_root: Path, make_chain: MakeChain, processes: bool
) -> None:
    shelf.put("a", facts={"made": 1}, popularity={"score": 0.5}, document={"words": ["x"]})
    report = ingest(make_chain(), shelf, processes=processes)
    assert (report.new, report.refused, report.failed, report.incomplete) == (ALL, {}, {}, None)
    assert shelf.fetched() == ["a", "b", "c"]
    record = upload(make_chain, "a")
    assert (record.source, record.origin, record.version) == ("shelf", "shelf://a", "1")
    assert (record.facts, record.popularity, record.pending) == ({"made": 1}, {"score": 0.5}, True)
    assert set(record.facets) == {"a", "b"}
    assert set(record.blobs.values()) <= blobs(data_root)
    assert json.loads((data_root / "raw" / "documents" / "toy" / "shelf.a.json").read_text()) == {"words": ["x"]}
    assert everything(make_chain())["raw"] == 3
    assert not upload(make_chain, "a").pending
    again = ingest(make_chain(), shelf, processes=processes)
    assert (again.held, again.new, shelf.fetched()) == (ALL, (), [])
    assert everything(make_chain()) == {}


def test_equal_bytes_are_stored_once(shelf: Shelf, data_root: Path, make_chain: MakeChain) -> None:
    shelf.put("twin", {"a.txt": "1 2 3", "b.txt": "word a"})
    ingest(make_chain(), shelf)
    assert len(blobs(data_root)) == 6
    assert upload(make_chain, "twin").blobs == upload(make_chain, "a").blobs


def test_one_archive_is_handed_on_unpacked(shelf: Shelf, tmp_path: Path, make_chain: MakeChain) -> None:
    packed = shutil.make_archive(str(tmp_path / "packed"), "zip", toy.write_upload(tmp_path / "zipped"))
    (tmp_path / "one").mkdir()
    shutil.move(packed, tmp_path / "one" / "whatever.zip")
    shelf.put("z.zip", tmp_path / "one")
    assert "shelf.z" in ingest(make_chain(), shelf).new, "the suffix is no part of the key"
    assert walk(make_chain())["shelf.z"].stages["notes"].outcome == "built"


def test_new_version_is_fetched_and_rebuilds_only_what_changed(shelf: Shelf, make_chain: MakeChain) -> None:
    ingest(make_chain(), shelf)
    everything(make_chain())
    shelf.put("b", {"a.txt": "4 5", "b.txt": "another word"}, version="2")
    assert ingest(make_chain(), shelf).changed == ("shelf.b",)
    assert (upload(make_chain, "b").version, upload(make_chain, "b").pending) == ("2", True)
    calls = everything(make_chain())
    assert (calls["raw"], calls["notes"]) == (1, 1)
    assert "cache" not in calls, "the numbers are the same"


def test_new_version_of_equal_bytes_runs_nothing(shelf: Shelf, make_chain: MakeChain) -> None:
    ingest(make_chain(), shelf)
    everything(make_chain())
    shelf.put("b", version="2")
    assert ingest(make_chain(), shelf).changed == ("shelf.b",)
    assert not upload(make_chain, "b").pending
    assert everything(make_chain()) == {}


def test_changed_popularity_touches_the_record_alone_and_reaches_the_manifest(
    shelf: Shelf, make_chain: MakeChain
) -> None:
    ingest(make_chain(), shelf)
    everything(make_chain())
    shelf.calls()
    shelf.put("b", popularity={"score": 0.9}, document={"words": 2})
    report = ingest(make_chain(), shelf)
    assert (report.touched, report.held, shelf.fetched()) == (("shelf.b",), ("shelf.a", "shelf.c"), [])
    record = upload(make_chain, "b")
    assert (record.popularity, record.pending) == ({"score": 0.9}, False)
    assert set(everything(make_chain())) == {"manifest"}, "no stage of uploads; the rows came out the same"
    shelf.put("b", document=None)
    assert ingest(make_chain(), shelf).touched == ("shelf.b",)
    assert ingest(make_chain(), shelf).touched == ()


def test_changed_facts_run_the_stages_that_read_them(shelf: Shelf, make_chain: MakeChain) -> None:
    from bgb_assets.modalities.contract import Reads

    reads = (*toy.MODALITY.stage("notes").reads, Reads("upload", ("facts",), ("facts.json",)))
    modality = toy.with_stage(toy.MODALITY, "notes", reads=reads)
    ingest(make_chain(modality), shelf)
    everything(make_chain(modality))
    shelf.put("b", facts={"label": "x"})
    assert ingest(make_chain(modality), shelf).touched == ("shelf.b",)
    assert upload(make_chain, "b").pending
    calls = everything(make_chain(modality))
    assert (calls["notes"], calls.get("raw")) == (1, None)


def test_what_the_source_took_back_is_gone_and_comes_back_without_a_fetch(shelf: Shelf, make_chain: MakeChain) -> None:
    ingest(make_chain(), shelf)
    everything(make_chain())
    shelf.calls()
    shelf.put("b", gone=True)
    assert ingest(make_chain(), shelf).gone == ("shelf.b",)
    assert upload(make_chain, "b").state == VANISHED
    assert set(everything(make_chain())) == {"manifest", "tokens", "model"}
    assert ingest(make_chain(), shelf).gone == (), "once"
    shelf.put("b", gone=False)
    assert ingest(make_chain(), shelf).returned == ("shelf.b",)
    assert (upload(make_chain, "b").state, shelf.fetched()) == (PRESENT, [])
    assert everything(make_chain()) == {}


def test_gone_and_never_held_is_nothing(shelf: Shelf, make_chain: MakeChain) -> None:
    shelf.put("b", gone=True)
    report = ingest(make_chain(), shelf)
    assert (report.new, report.gone) == (("shelf.a", "shelf.c"), ())


def test_no_longer_listed_is_not_gone(shelf: Shelf, make_chain: MakeChain) -> None:
    ingest(make_chain(), shelf)
    shelf.offers.pop("shelf.b")
    shelf.put("d", {"a.txt": "1"})
    assert ingest(make_chain(), shelf).gone == ()
    assert upload(make_chain, "b").state == PRESENT


def test_limit_bounds_what_is_fetched_and_the_rest_follows(shelf: Shelf, make_chain: MakeChain) -> None:
    report = ingest(make_chain(), shelf, limit=2)
    assert (len(report.new), report.limited) == (2, True)
    assert len(shelf.fetched()) == 2
    report = ingest(make_chain(), shelf, limit=2)
    assert (len(report.new), report.limited, len(shelf.fetched())) == (1, False, 1)
    assert ingest(make_chain(), shelf, limit=0).limited is False, "nothing is missing"


def test_name_that_the_inbox_holds_is_refused_and_the_other_way_round(
    shelf: Shelf, data_root: Path, make_chain: MakeChain
) -> None:
    inbox = data_root / "inbox" / "toy"
    toy.write_upload(inbox / "Shelf.A")
    look(make_chain())
    report = ingest(make_chain(), shelf)
    assert report.new == ("shelf.b", "shelf.c")
    assert "its name is taken by the upload 'Shelf.A' from inbox" in report.refused["shelf.a"]
    toy.write_upload(inbox / "shelf.b")
    found = look(make_chain())
    assert list(found.refused.values()) == ["'shelf.b' is an upload from shelf; rename the file or folder"]
    assert upload(make_chain, "b").source == "shelf"
    assert (found.vanished, found.held, found.unchanged) == ((), None, 1), "no folder can lose what was fetched"


def test_inbox_that_is_emptied_or_missing_loses_only_its_own(shelf: Shelf, inbox: Path, make_chain: MakeChain) -> None:
    look(make_chain())
    ingest(make_chain(), shelf)
    shutil.rmtree(inbox / "first")
    assert look(make_chain()).vanished == ("first",)
    shutil.rmtree(inbox)
    report = look(make_chain())
    assert report.held_keys == ("second", "third")
    assert {record.key for record in make_chain().uploads.all() if record.state == PRESENT} >= set(ALL)


def test_names_change_hands_when_their_holder_is_gone(shelf: Shelf, data_root: Path, make_chain: MakeChain) -> None:
    ingest(make_chain(), shelf)
    shelf.put("b", gone=True)
    ingest(make_chain(), shelf)
    toy.write_upload(data_root / "inbox" / "toy" / "shelf.b", "9 9")
    assert look(make_chain()).new == ("shelf.b",)
    record = upload(make_chain, "b")
    assert (record.source, record.fetched, record.version, record.origin) == ("inbox", False, None, None)
    assert walk(make_chain())["shelf.b"].stages["notes"].outcome == "built"
    shutil.rmtree(data_root / "inbox" / "toy" / "shelf.b")
    look(make_chain())
    shelf.put("b", gone=False)
    assert ingest(make_chain(), shelf).new == ("shelf.b",)
    assert upload(make_chain, "b").source == "shelf"


def test_damaged_or_lost_bytes_are_fetched_again_and_spoil_nothing(
    shelf: Shelf, data_root: Path, make_chain: MakeChain
) -> None:
    ingest(make_chain(), shelf)
    everything(make_chain())
    shelf.calls()
    digests = upload(make_chain, "b").blobs
    chain = make_chain()
    (data_root / "raw" / "blobs" / digests["a.txt"][:2] / digests["a.txt"]).write_text("9 9 9")
    outcome = {each.key: each for each in chain.run(chain.uploads.keys(), ["notes"])}["shelf.b"]
    assert "bytes differ from its name; run `bgb ingest toy shelf:`" in str(outcome.unstable)
    assert ingest(make_chain(), shelf).changed == ("shelf.b",)
    assert shelf.fetched() == ["b"]
    assert everything(make_chain()) == {}, "the same bytes as before"
    (data_root / "raw" / "blobs" / digests["b.txt"][:2] / digests["b.txt"]).unlink()
    assert ingest(make_chain(), shelf).changed == ("shelf.b",)
    assert everything(make_chain()) == {}


def test_moved_data_root_fetches_and_runs_nothing(
    shelf: Shelf, data_root: Path, tmp_path: Path, make_chain: MakeChain
) -> None:
    ingest(make_chain(), shelf)
    everything(make_chain())
    shelf.calls()
    shutil.copytree(data_root, tmp_path / "copy")
    moved = make_chain(root=tmp_path / "copy")
    assert ingest(moved, shelf).held == ALL
    assert shelf.fetched() == []
    assert everything(moved) == {}


def test_upload_that_cannot_be_read_is_registered_and_quarantined_by_the_run(
    shelf: Shelf, make_chain: MakeChain
) -> None:
    shelf.put("b", {"other.txt": "?"}, version="2")
    report = ingest(make_chain(), shelf)
    assert report.unrecognised == {"shelf.b": "no a.txt, expected a.txt with whole numbers"}
    assert walk(make_chain())["shelf.b"].stages["raw"].outcome == "quarantined"
    assert [row.stage for row in make_chain().rejections()] == ["raw"]


def test_dry_run_says_what_would_be_done_and_changes_nothing(
    shelf: Shelf, data_root: Path, make_chain: MakeChain
) -> None:
    ingest(make_chain(), shelf)
    shelf.put("a", gone=True)
    shelf.put("b", version="2")
    shelf.put("d", {"a.txt": "1"})
    shelf.calls()
    chain = make_chain()
    before = {
        path: path.read_bytes() for path in data_root.rglob("*") if path.is_file() and ".catalog" not in path.name
    }
    report = SourceIngest(chain, PREFIX, FolderSource(shelf.folder)).preview()
    assert (report.new, report.changed, report.gone, report.held) == (
        ("shelf.d",),
        ("shelf.b",),
        ("shelf.a",),
        ("shelf.c",),
    )
    after = {path: path.read_bytes() for path in data_root.rglob("*") if path.is_file() and ".catalog" not in path.name}
    assert (before, shelf.fetched()) == (after, []), "not even the source's cursor has moved"
    assert len(SourceIngest(chain, PREFIX, FolderSource(shelf.folder)).preview(limit=1).changed) == 1


def test_one_ingest_from_a_source_at_a_time(shelf: Shelf, data_root: Path, make_chain: MakeChain) -> None:
    with (
        lease(data_root / ".store" / "ingest" / "toy.shelf.lock"),
        pytest.raises(SourceError, match="another ingest from 'shelf' is under way"),
    ):
        ingest(make_chain(), shelf)


@pytest.mark.parametrize("workers", [0, 1, 5])
def test_workers_bound_how_many_are_fetched_at_once(shelf: Shelf, make_chain: MakeChain, workers: int) -> None:
    source = FolderSource(shelf.folder, at_once=2)
    assert SourceIngest(make_chain(), PREFIX, source, workers=workers).run().new == ALL


def test_work_folder_of_a_source_stays(shelf: Shelf, data_root: Path, make_chain: MakeChain) -> None:
    ingest(make_chain(), shelf)
    ingest(make_chain(), shelf)
    assert (data_root / ".work" / "sources" / "toy" / "shelf" / "cursor").read_text() == "2"


def test_fetched_uploads_leave_the_inbox_machinery_alone(shelf: Shelf, data_root: Path, make_chain: MakeChain) -> None:
    ingest(make_chain(), shelf)
    plan = Ingest(make_chain()).plan()
    assert (plan.new, plan.changed, plan.vanished, plan.held) == ((), (), (), None)
    assert fan_in(make_chain(), ["manifest"])["manifest"].outcome == "built"
