import json
import os
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from bgb_assets.runtime.errors import NewerStore, StoreError, UnsafeArchive, Unstable, UsageError
from bgb_assets.storage.blobs import Blobs
from bgb_assets.storage.digests import signature
from bgb_assets.storage.layout import Layout
from bgb_assets.storage.uploads import (
    FACTS_NAME,
    Problem,
    StageState,
    UploadRecord,
    Uploads,
    blobs_in_use,
    delivered_digest,
    file_of,
    is_untouched,
    opened,
    require_untouched,
)

LIMITS = {"max_entries": 10, "max_bytes": 1000, "max_ratio": 100.0}


@pytest.fixture
def folder(tmp_path: Path) -> UploadRecord:
    root = tmp_path / "inbox"
    (root / "song" / "deep").mkdir(parents=True)
    for name in ("a.txt", "deep/b.txt", "facts.json"):
        (root / "song" / name).write_text(name)
    names = ("song/a.txt", "song/deep/b.txt", "song/facts.json")
    return UploadRecord("toy", "song", "inbox", "song", {name: signature(root / name) for name in names})


def zipped(tmp_path: Path, members: dict[str, str]) -> UploadRecord:
    (tmp_path / "inbox").mkdir(exist_ok=True)
    with zipfile.ZipFile(tmp_path / "inbox" / "song.zip", "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    path = tmp_path / "inbox" / "song.zip"
    return UploadRecord("toy", "song", "inbox", "song.zip", {"song.zip": signature(path)})


def test_records_are_read_as_written(tmp_path: Path) -> None:
    uploads = Uploads(tmp_path / "uploads")
    assert uploads.keys() == []
    record = UploadRecord(
        "toy",
        "b",
        "inbox",
        "b",
        {"b/a.txt": (1, 2, 3, 4)},
        facets={"a": "0" * 64},
        origin="there",
        facts={"label": 1.5},
        popularity={"plays": 3},
        problem=Problem("why", "how", "1"),
        entries={"raw": StageState("i", "p")},
    )
    uploads.put(record)
    uploads.put(replace(record, key="a", problem=None))
    assert uploads.get("b") == record
    assert uploads.keys() == ["a", "b"]
    assert [held.key for held in uploads.all()] == ["a", "b"]
    assert [held.key for held in uploads.all(["c", "b"])] == ["b"]
    uploads.remove("b")
    uploads.remove("b")
    with pytest.raises(UsageError, match="no upload 'b' in uploads; run `bgb status"):
        uploads.require("b")


@pytest.mark.parametrize("key", ["../x", "a/b", ".hidden"])
def test_what_is_no_key_reaches_no_path(tmp_path: Path, key: str) -> None:
    with pytest.raises(UsageError, match="no upload key"):
        Uploads(tmp_path).get(key)


def test_damaged_and_newer_records_are_refused(tmp_path: Path) -> None:
    uploads = Uploads(tmp_path)
    uploads.put(UploadRecord("toy", "a", "inbox", "a", {}))
    path = tmp_path / "a.json"
    value = json.loads(path.read_text())
    path.write_text(json.dumps({**value, "format": 2}))
    with pytest.raises(NewerStore, match="upload format 2 is newer"):
        uploads.get("a")
    for text in ("{", "[]", json.dumps({**value, "unknown": 1})):
        path.write_text(text)
        with pytest.raises(StoreError, match="not a valid upload record"):
            uploads.get("a")


def test_observer_and_run_write_different_halves(tmp_path: Path) -> None:
    uploads = Uploads(tmp_path)
    seen = UploadRecord("toy", "a", "inbox", "a", {}, facets={"a": "1"})
    uploads.observe(seen)
    uploads.note("a", lambda held: held.with_entry("raw", "i1"))
    uploads.observe(replace(seen, facets={"a": "2"}))
    uploads.note("a", lambda held: replace(held.with_entry("raw", "i2"), facets={"a": "stale"}))
    held = uploads.require("a")
    assert held.facets == {"a": "2"}
    assert held.entries == {"raw": StageState("i2", "i1")}
    uploads.note("gone", lambda held: held.with_entry("raw", "i"))
    assert uploads.keys() == ["a"], "a removed upload does not come back"


def test_entries_remember_one_before() -> None:
    record = UploadRecord("toy", "a", "inbox", "a", {})
    record = record.with_entry("raw", "1").with_entry("raw", "2")
    assert record.entries["raw"] == StageState("2", "1")
    assert record.with_entry("raw", "2") is record
    assert record.with_entry("cache", "c").without_entries(["raw", "notes"]).entries == {"cache": StageState("c")}
    assert record.without_entries(["notes"]) is record


def test_folder_is_opened_as_links_to_what_is_asked_for(tmp_path: Path, folder: UploadRecord) -> None:
    with opened(folder, tmp_path, tmp_path / "tmp", LIMITS) as view:
        found = sorted(path.relative_to(view).as_posix() for path in view.rglob("*") if path.is_file())
        assert found == ["a.txt", "deep/b.txt", "facts.json"]
    with opened(folder, tmp_path, tmp_path / "tmp", LIMITS, ["deep/*"]) as view:
        assert [path.name for path in view.rglob("*.txt")] == ["b.txt"]
    assert list((tmp_path / "tmp").iterdir()) == []


def test_facts_are_the_sources_and_a_delivered_file_of_that_name_is_left_alone(
    tmp_path: Path, folder: UploadRecord
) -> None:
    record = replace(folder, facts={"label": 3})
    with opened(record, tmp_path, tmp_path / "tmp", LIMITS, ["a.txt", FACTS_NAME]) as view:
        assert json.loads((view / FACTS_NAME).read_text()) == {"label": 3}
    assert (tmp_path / "inbox" / "song" / "facts.json").read_text() == "facts.json"


def test_archive_is_opened_as_what_it_holds(tmp_path: Path) -> None:
    record = zipped(tmp_path, {"a.txt": "1", "deep/b.txt": "2"})
    assert record.archive == "song.zip"
    with opened(record, tmp_path, tmp_path / "tmp", LIMITS) as view:
        assert (view / "deep" / "b.txt").read_text() == "2"
    assert list((tmp_path / "tmp").iterdir()) == []


def test_unsafe_archive_is_refused(tmp_path: Path) -> None:
    record = zipped(tmp_path, {"../a.txt": "1"})
    with pytest.raises(UnsafeArchive), opened(record, tmp_path, tmp_path / "tmp", LIMITS):
        pass


def test_changed_file_is_unstable_before_and_after(tmp_path: Path, folder: UploadRecord) -> None:
    assert is_untouched(folder, tmp_path)
    with pytest.raises(Unstable, match="changed while it was read"), opened(folder, tmp_path, tmp_path / "t", LIMITS):
        (tmp_path / "inbox" / "song" / "a.txt").write_text("longer")
    with pytest.raises(Unstable, match="run `bgb ingest toy` again"), opened(folder, tmp_path, tmp_path / "t", LIMITS):
        pass
    with pytest.raises(Unstable):
        require_untouched(folder, tmp_path)


def test_delivered_digest_is_of_names_and_bytes_below_the_upload(tmp_path: Path, folder: UploadRecord) -> None:
    first = delivered_digest(folder, tmp_path)
    os.utime(tmp_path / "inbox" / "song" / "a.txt", (1, 1))
    assert delivered_digest(folder, tmp_path) == first
    (tmp_path / "inbox" / "song").rename(tmp_path / "inbox" / "other")
    files = {name.replace("song/", "other/"): held for name, held in folder.files.items()}
    assert delivered_digest(replace(folder, path="other", files=files), tmp_path) == first
    (tmp_path / "inbox" / "other" / "a.txt").write_text("x")
    assert delivered_digest(replace(folder, path="other", files=files), tmp_path) != first


def test_facts_and_labels(folder: UploadRecord) -> None:
    labelled = replace(folder, facts={"label": 1}, popularity={"plays": 2})
    assert labelled.all_facets["facts"] != folder.all_facets["facts"]
    assert replace(labelled, popularity={}).all_facets == labelled.all_facets, "popularity is no content"
    assert labelled.labels == {"source": "inbox", "origin": None, "popularity": {"plays": 2}, "facts": {"label": 1}}


def fetched(tmp_path: Path, files: dict[str, bytes], path: str = "shelf.song") -> UploadRecord:
    """Return an upload whose files lie among the blobs."""
    blobs = Blobs(Layout(tmp_path))
    digests = {}
    for name, data in files.items():
        (tmp_path / "file").write_bytes(data)
        digests[name] = blobs.take(tmp_path / "file")
    signatures = {name: signature(blobs.path(digest)) for name, digest in digests.items()}
    return UploadRecord("toy", "shelf.song", Layout.BLOBS, path, signatures, blobs=digests, source="shelf", version="1")


def test_fetched_files_are_opened_under_their_own_names(tmp_path: Path) -> None:
    record = fetched(tmp_path, {"a.txt": b"1", "deep/b.txt": b"1", "shelf.song": b"2"})
    assert len(set(record.blobs.values())) == 2, "equal bytes lie there once"
    with opened(record, tmp_path, tmp_path / "tmp", LIMITS) as view:
        assert {path.relative_to(view).as_posix(): path.read_bytes() for path in view.rglob("*") if path.is_file()} == {
            "a.txt": b"1",
            "deep/b.txt": b"1",
            "shelf.song": b"2",
        }
    assert file_of(record, "a.txt", tmp_path) == file_of(record, "deep/b.txt", tmp_path)
    assert record.archive is None


def test_fetched_archive_is_unpacked_although_a_blob_has_no_suffix(tmp_path: Path) -> None:
    zipped(tmp_path, {"a.txt": "1"})
    record = fetched(tmp_path, {"map.zip": (tmp_path / "inbox" / "song.zip").read_bytes()})
    with opened(record, tmp_path, tmp_path / "tmp", LIMITS) as view:
        assert [path.name for path in view.iterdir()] == ["a.txt"]


def test_delivered_digest_does_not_tell_where_bytes_lie(tmp_path: Path, folder: UploadRecord) -> None:
    names = {"a.txt": b"a.txt", "deep/b.txt": b"deep/b.txt", "facts.json": b"facts.json"}
    assert delivered_digest(fetched(tmp_path, names), tmp_path) == delivered_digest(folder, tmp_path)


def test_touched_blob_is_noticed(tmp_path: Path) -> None:
    record = fetched(tmp_path, {"a.txt": b"1"})
    assert is_untouched(record, tmp_path)
    file_of(record, "a.txt", tmp_path).write_bytes(b"2")
    assert not is_untouched(record, tmp_path)
    with (
        pytest.raises(Unstable, match="run `bgb ingest toy shelf:` again"),
        opened(record, tmp_path, tmp_path / "tmp", LIMITS),
    ):
        pass


def test_blobs_in_use_are_those_of_all_modalities(tmp_path: Path) -> None:
    one = fetched(tmp_path, {"a.txt": b"1"})
    two = replace(fetched(tmp_path, {"b.txt": b"2"}), modality="other", state="vanished")
    folder = tmp_path / "uploads"
    assert blobs_in_use(folder) == set()
    for record in (one, two):
        Uploads(folder / record.modality).put(record)
    (first,), (second,) = one.blobs.values(), two.blobs.values()
    assert blobs_in_use(folder) == {first, second}
    assert blobs_in_use(folder, but=("toy", "shelf.song")) == {second}
    assert blobs_in_use(folder, present=True) == {first}


def test_record_from_before_there_were_sources_is_read(tmp_path: Path, folder: UploadRecord) -> None:
    uploads = Uploads(tmp_path / "uploads")
    uploads.put(folder)
    path = tmp_path / "uploads" / "song.json"
    value = json.loads(path.read_text())
    del value["blobs"], value["version"]
    path.write_text(json.dumps(value))
    assert uploads.require("song") == folder
