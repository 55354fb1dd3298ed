import dataclasses
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from bgb_assets.engine.ingest import Ingest, IngestReport
from bgb_assets.modalities.contract import Found
from bgb_assets.runtime.errors import UsageError
from bgb_assets.storage.uploads import VANISHED
from bgb_assets_tests import toy
from bgb_assets_tests.conftest import MakeChain
from bgb_assets_tests.driving import everything, fan_in, ingest, opened_below, walk


@pytest.fixture
def inbox(data_root: Path) -> Path:
    folder = data_root / "inbox" / "toy"
    toy.write_upload(folder / "one")
    toy.write_upload(folder / "two", "5 6")
    return folder


def test_new_changed_touched_vanished_and_unchanged(inbox: Path, make_chain: MakeChain) -> None:
    assert ingest(make_chain()).new == ("one", "two")
    assert ingest(make_chain()).unchanged == 2
    (inbox / "one" / "a.txt").write_text("1 2 3 5")
    (inbox / "two" / "a.txt").touch()
    report = ingest(make_chain())
    assert (report.new, report.changed, report.touched) == ((), ("one",), ("two",))
    shutil.rmtree(inbox / "two")
    report = ingest(make_chain())
    assert (report.vanished, report.unchanged, report.held) == (("two",), 1, None)
    record = make_chain().uploads.require("two")
    assert record.state == VANISHED
    toy.write_upload(inbox / "two", "5 6")
    assert ingest(make_chain()).new == ("two",)


def test_vanished_upload_keeps_its_entries_and_comes_back_for_nothing(inbox: Path, make_chain: MakeChain) -> None:
    everything(make_chain())
    shutil.copytree(inbox / "two", inbox.parent.parent / "kept")
    shutil.rmtree(inbox / "two")
    assert set(everything(make_chain())) == {"manifest", "tokens", "model"}
    shutil.copytree(inbox.parent.parent / "kept", inbox / "two")
    assert everything(make_chain()) == {}


def test_plan_changes_nothing(inbox: Path, data_root: Path, make_chain: MakeChain) -> None:
    before = sorted(path.relative_to(data_root) for path in data_root.rglob("*") if ".catalog" not in path.name)
    chain = make_chain()
    with opened_below(inbox) as opened:
        assert len(Ingest(chain).plan().new) == 2
    after = sorted(path.relative_to(data_root) for path in data_root.rglob("*") if ".catalog" not in path.name)
    assert (before, opened) == (after, [])


def test_unread_registration_opens_no_file_and_the_run_reads(inbox: Path, make_chain: MakeChain) -> None:
    with opened_below(inbox) as opened:
        report = Ingest(make_chain()).apply(fingerprint=False)
    assert report.new == ("one", "two")
    assert [name for name in opened if name.endswith(".txt")] == []
    found = walk(make_chain())
    assert {outcome.stages["notes"].outcome for outcome in found.values()} == {"built"}


def test_missing_inbox_deletes_nothing_until_confirmed(inbox: Path, data_root: Path, make_chain: MakeChain) -> None:
    everything(make_chain())
    shutil.rmtree(inbox)
    report = ingest(make_chain())
    assert report.held == f"{inbox} is missing"
    assert (report.vanished, report.held_keys) == ((), ("one", "two"))
    hold = Ingest(make_chain()).hold()
    assert hold is not None
    assert "2 uploads are kept until `bgb ingest toy --confirm-deletions`" in hold
    inbox.mkdir()
    assert "not the inbox that was seen before" in str(ingest(make_chain()).held), "an empty mount point"
    report = ingest(make_chain(), confirm_deletions=True)
    assert (report.vanished, report.held) == (("one", "two"), None)
    assert Ingest(make_chain()).hold() is None
    assert ingest(make_chain()).held is None
    assert fan_in(make_chain(), ["manifest"])["manifest"].outcome == "built", "an empty manifest is valid"


def test_many_deletions_wait_for_confirmation(data_root: Path, make_chain: MakeChain) -> None:
    inbox = data_root / "inbox" / "toy"
    toy.synth(inbox, 12, seed=3)
    ingest(make_chain())
    kept = sorted(inbox.iterdir())[0]
    for path in sorted(inbox.glob("toy_*"))[1:]:
        shutil.rmtree(path)
    toy.write_upload(inbox / "new")
    report = ingest(make_chain())
    assert report.held == "11 of 12 uploads vanished at once"
    assert report.new == ("new",), "what is new is registered all the same"
    assert len(ingest(make_chain(), confirm_deletions=True).vanished) == 11
    assert kept.exists()


def test_returned_files_end_the_hold(data_root: Path, make_chain: MakeChain) -> None:
    inbox = data_root / "inbox" / "toy"
    toy.synth(inbox, 3, seed=3)
    ingest(make_chain())
    inbox.rename(data_root / "unmounted")
    assert ingest(make_chain()).held is not None
    (data_root / "unmounted").rename(inbox)
    report = ingest(make_chain())
    assert (report.held, report.unchanged) == (None, 3)
    assert Ingest(make_chain()).hold() is None


def test_growing_files_are_waited_for(inbox: Path, data_root: Path, make_chain: MakeChain) -> None:
    (data_root / "config.toml").write_text("[inbox]\nsettle_s = 2.0\n")
    toy.write_upload(inbox / "fresh")
    assert ingest(make_chain()).unsettled == ("fresh", "one", "two")
    report = Ingest(make_chain()).wait_and_apply()
    assert (report.new, report.unsettled) == (("fresh", "one", "two"), ())


def test_report_of_two_looks_counts_each_upload_once() -> None:
    first = IngestReport(new=("a",), changed=("b",), unsettled=("c",), unrecognised={"a": "x"})
    second = IngestReport(new=("c",), changed=("a",), touched=("b",), unchanged=1)
    from bgb_assets.engine.ingest import merged

    both = merged(first, second)
    assert (both.new, both.changed, both.touched, both.unsettled) == (("a", "c"), ("b",), (), ())
    assert both.unrecognised == {"a": "x"}


def test_copies_into_the_inbox(tmp_path: Path, data_root: Path, make_chain: MakeChain) -> None:
    source = tmp_path / "source"
    toy.synth(source, 2, seed=5)
    step = Ingest(make_chain())
    seen: list[str] = []
    assert step.would_copy(source) == ["toy_00000", "toy_00001"]
    assert not step.inbox.exists()
    assert step.copy_in(source, seen.append) == seen == ["toy_00000", "toy_00001"]
    assert step.copy_in(source) == seen, "once more is fine"
    single = toy.write_upload(tmp_path / "elsewhere" / "single", "7 7")
    assert step.copy_in(single) == ["single"]
    assert ingest(make_chain()).new == ("single", "toy_00000", "toy_00001")
    (single / "a.txt").write_text("8 8")
    with pytest.raises(UsageError, match="exists and differs"):
        step.copy_in(single)
    with pytest.raises(UsageError, match="no such file"):
        step.copy_in(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="no toy found there"):
        step.copy_in(tmp_path / "empty")


def test_source_may_be_the_working_directory(
    tmp_path: Path, make_chain: MakeChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(toy.write_upload(tmp_path / "here"))
    assert Ingest(make_chain()).copy_in(Path()) == ["here"]


def test_folder_registered_in_place_stays_where_it_is(tmp_path: Path, data_root: Path, make_chain: MakeChain) -> None:
    outer = tmp_path / "outer"
    toy.synth(outer, 2, seed=5)
    step = Ingest(make_chain())
    step.register_in_place(outer)
    step.register_in_place(outer)
    assert everything(make_chain())["raw"] == 2
    assert make_chain().uploads.require("toy_00000").source == "path"
    assert list((data_root / "inbox" / "toy").glob("toy*")) == []
    outer.rename(tmp_path / "unmounted")
    assert ingest(make_chain()).held == f"{outer} is missing"
    with pytest.raises(UsageError, match="not a folder"):
        step.register_in_place(outer)


def test_folders_inside_each_other_are_refused(tmp_path: Path, data_root: Path, make_chain: MakeChain) -> None:
    (data_root / "inbox" / "toy").mkdir(parents=True)
    for folder in (data_root, data_root / "inbox" / "toy"):
        with pytest.raises(UsageError, match="is watched already"):
            Ingest(make_chain()).register_in_place(folder)


def test_root_that_is_itself_an_upload(tmp_path: Path, make_chain: MakeChain) -> None:
    outer = toy.write_upload(tmp_path / "outer")
    Ingest(make_chain()).register_in_place(outer)
    assert ingest(make_chain()).new == ("outer",)
    assert walk(make_chain())["outer"].stages["notes"].outcome == "built"


def test_colliding_names_are_refused_and_named(inbox: Path, make_chain: MakeChain) -> None:
    ingest(make_chain())
    toy.write_upload(inbox / "One")
    toy.write_upload(inbox / "three")
    report = ingest(make_chain())
    assert report.collided == {"One": ["inbox/toy/One", "inbox/toy/one"]}
    assert report.new == ("three",)
    assert make_chain().uploads.keys() == ["one", "three", "two"]


def test_run_and_ingest_at_once_lose_nothing(inbox: Path, make_chain: MakeChain) -> None:
    chain = make_chain()
    ingest(chain)
    running = chain.run(chain.uploads.keys(), ["raw", "cache"])
    next(running)
    (inbox / "one" / "b.txt").write_text("changed")
    ingest(make_chain())
    list(running)
    record = make_chain().uploads.require("one")
    assert set(record.entries) == {"raw", "cache"}, "the run's half"
    assert ingest(make_chain()).unchanged == 2, "the look's half"


def discover_pairs(root: Path) -> Iterator[Found]:
    """Yield `x` for `x.gpx` and its sidecar `x.json`: files that belong together without a folder."""
    for path in sorted(root.glob("*.gpx")):
        yield Found(path.stem, (path.name, path.with_suffix(".json").name))


def discover_sidecars(root: Path) -> Iterator[Found]:
    """Yield `x.gpx`, which is named after its first file, with its sidecar."""
    for path in sorted(root.glob("*.gpx")):
        yield Found(path.name, (path.name, path.with_suffix(".json").name))


@pytest.mark.parametrize(("name", "key"), [("discover_pairs", "walk"), ("discover_sidecars", "walk.gpx")])
def test_files_that_belong_together_are_copied_and_seen_together(
    name: str, key: str, data_root: Path, tmp_path: Path, make_chain: MakeChain
) -> None:
    modality = dataclasses.replace(toy.MODALITY, discover=f"{__name__}:{name}")
    source = tmp_path / "tracks"
    source.mkdir()
    (source / "walk.gpx").write_text("<gpx/>")
    (source / "walk.json").write_text('{"person": 1}')
    chain = make_chain(modality)
    Ingest(chain).copy_in(source)
    assert {path.name for path in (data_root / "inbox" / "toy").glob("walk*")} == {"walk.gpx", "walk.json"}
    assert ingest(chain).new == (key,)
    assert sorted(chain.uploads.require(key).files) == ["walk.gpx", "walk.json"]
    (data_root / "inbox" / "toy" / "walk.json").write_text('{"person": 2}')
    assert ingest(make_chain(modality)).changed == (key,)


@pytest.mark.parametrize("given", ["walk.gpx", "walk.json"])
def test_a_single_file_comes_with_the_other_files_of_its_upload(
    given: str, data_root: Path, tmp_path: Path, make_chain: MakeChain
) -> None:
    modality = dataclasses.replace(toy.MODALITY, discover=f"{__name__}:discover_pairs")
    source = tmp_path / "tracks"
    (source / "deep").mkdir(parents=True)
    for name in ("walk.gpx", "walk.json", "ride.gpx", "ride.json", "other.txt", "deep/walk.gpx"):
        (source / name).write_text(name)
    step = Ingest(make_chain(modality))
    assert step.would_copy(source / given) == ["walk.gpx", "walk.json"]
    assert step.copy_in(source / given) == ["walk.gpx", "walk.json"]
    assert not (data_root / "inbox" / "toy" / "walk.gpx").is_symlink()
    assert ingest(make_chain(modality)).new == ("walk",)
    assert step.would_copy(source / "other.txt") == ["other.txt"], "of no upload: alone, to be told why"


def test_a_file_of_a_folder_that_is_an_upload_comes_alone(tmp_path: Path, make_chain: MakeChain) -> None:
    folder = toy.write_upload(tmp_path / "one")
    assert Ingest(make_chain()).would_copy(folder / "a.txt") == ["a.txt"]
