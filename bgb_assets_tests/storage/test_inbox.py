import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from bgb_assets.storage.inbox import MARKER, Comparison, Root, Sighting, compare, look
from bgb_assets.storage.uploads import VANISHED, UploadRecord
from bgb_assets_tests.toy import discover, write_upload

FILES = {"x/a.txt": (1, 2, 3, 4)}


@dataclass(frozen=True)
class Found:
    path: str
    files: tuple[str, ...]


def sighting(path: str, root: str = "inbox/toy", settled: bool = True, files: Mapping = FILES) -> Sighting:
    return Sighting(path.removesuffix(".zip"), root, path, files, settled)


def record(key: str, path: str = "", root: str = "inbox/toy", state: str = "present") -> UploadRecord:
    return UploadRecord("toy", key, root, path or key, FILES, state=state)


def compared(tmp_path: Path, sightings: list[Sighting], records: list[UploadRecord], *roots: Root) -> Comparison:
    (tmp_path / "inbox" / "toy").mkdir(parents=True, exist_ok=True)
    places = roots or (Root(tmp_path / "inbox" / "toy", marked=False),)
    return compare(sightings, records, places, tmp_path, vanish_count=10, vanish_share=0.2)


def test_look_gives_signatures_and_opens_nothing(tmp_path: Path) -> None:
    write_upload(tmp_path / "inbox" / "toy" / "Song (1)")
    (seen,) = look(tmp_path / "inbox" / "toy", tmp_path, discover, settle_s=0.0)
    assert (seen.key, seen.root, seen.path, seen.settled) == ("Song%20%281%29", "inbox/toy", "Song (1)", True)
    assert set(seen.files) == {"Song (1)/a.txt", "Song (1)/b.txt"}


def test_growing_files_are_unsettled_even_with_old_times(tmp_path: Path) -> None:
    folder = write_upload(tmp_path / "song")
    os.utime(folder / "a.txt", (1, 1))
    assert [seen.settled for seen in look(tmp_path, tmp_path, discover, settle_s=60.0)] == [False]
    time.sleep(0.02)
    assert [seen.settled for seen in look(tmp_path, tmp_path, discover, settle_s=0.01)] == [True]


def test_file_that_goes_while_we_look_is_left_for_the_next_look(tmp_path: Path) -> None:
    found = [Found("gone", ("gone/a.txt",)), Found("file", ("file/below",))]
    (tmp_path / "file").write_text("")
    assert list(look(tmp_path, tmp_path, lambda root: found, settle_s=0.0)) == []


def test_name_that_can_be_no_key_is_refused_alone(tmp_path: Path) -> None:
    write_upload(tmp_path / "good")
    write_upload(Path(os.fsdecode(os.fsencode(tmp_path) + b"/bad\xff")))
    seen = list(look(tmp_path, tmp_path, discover, settle_s=0.0))
    found = compared(tmp_path, seen, [])
    assert [s.key for s in found.new] == ["good"]
    assert len(found.refused) == 1
    ((path, reason),) = found.refused.items()
    assert path.endswith("bad\\udcff")
    assert "not valid UTF-8" in reason


def test_new_changed_and_unchanged(tmp_path: Path) -> None:
    seen = [sighting("c"), sighting("b", files={"b/a.txt": (9, 9, 9, 9)}), sighting("a"), sighting("back")]
    found = compared(tmp_path, seen, [record("a"), record("b"), record("back", state=VANISHED)])
    assert [s.key for s in found.new] == ["back", "c"]
    assert [s.key for s in found.changed] == ["b"]
    assert found.unchanged == ("a",)
    assert (found.vanished, found.held) == ((), None)


def test_unsettled_is_neither_new_nor_gone(tmp_path: Path) -> None:
    seen = [sighting("new", settled=False), sighting("known", settled=False), sighting("same", settled=False)]
    changed = UploadRecord("toy", "known", "inbox/toy", "known", {})
    found = compared(tmp_path, seen, [changed, record("same")])
    assert found.unsettled == ("known", "new")
    assert (found.new, found.changed, found.vanished) == ((), (), ())


def test_collisions_are_refused_and_the_first_one_stays(tmp_path: Path) -> None:
    seen = [sighting("song"), sighting("Song"), sighting("other.zip"), sighting("other")]
    found = compared(tmp_path, seen, [record("song")])
    assert found.new == ()
    assert found.unchanged == ("song",)
    assert found.collided == {
        "Song": ["inbox/toy/Song", "inbox/toy/song"],
        "other": ["inbox/toy/other", "inbox/toy/other.zip"],
    }


def test_one_name_in_two_folders_is_a_collision(tmp_path: Path) -> None:
    seen = [sighting("song", root="/outer"), sighting("song")]
    found = compared(tmp_path, seen, [record("song")])
    assert found.unchanged == ("song",)
    assert found.collided == {"song": ["/outer/song", "inbox/toy/song"]}
    assert (found.changed, found.vanished) == ((), ())


def test_archive_that_became_a_folder_is_a_change(tmp_path: Path) -> None:
    found = compared(tmp_path, [sighting("song")], [record("song", "song.zip")])
    assert [s.path for s in found.changed] == ["song"]


@pytest.mark.parametrize(
    ("present", "gone", "held"), [(60, 13, True), (60, 12, False), (60, 11, False), (11, 11, True), (10, 10, False)]
)
def test_many_that_vanish_at_once_are_held(tmp_path: Path, present: int, gone: int, held: bool) -> None:
    (tmp_path / "inbox" / "toy").mkdir(parents=True)
    (tmp_path / "inbox" / "toy" / "something").touch()
    records = [record(f"k{i:02d}") for i in range(present)]
    found = compared(tmp_path, [sighting(item.key) for item in records[gone:]], records)
    if held:
        assert found.held == f"{gone} of {present} uploads vanished at once"
        assert (len(found.held_keys), found.vanished) == (gone, ())
    else:
        assert (len(found.vanished), found.held, found.held_keys) == (gone, None, ())


def test_missing_or_unmounted_folder_deletes_nothing(tmp_path: Path) -> None:
    inbox = tmp_path / "inbox" / "toy"
    inbox.mkdir(parents=True)
    found = compared(tmp_path, [], [record("a")], Root(inbox, marked=True))
    assert found.held is not None
    assert "is not the inbox that was seen before" in found.held
    (inbox / MARKER).touch()
    assert compared(tmp_path, [], [record("a")], Root(inbox, marked=True)).vanished == ("a",)
    outer = tmp_path / "outer"
    found = compared(tmp_path, [], [record("a", root=str(outer))], Root(inbox, marked=True), Root(outer, marked=False))
    assert found.held == f"{outer} is missing"
    outer.mkdir()
    found = compared(tmp_path, [], [record("a", root=str(outer))], Root(inbox, marked=True), Root(outer, marked=False))
    assert found.held == f"{outer} is empty: is a disk unmounted?"
    (outer / "another").touch()
    found = compared(tmp_path, [], [record("a", root=str(outer))], Root(inbox, marked=True), Root(outer, marked=False))
    assert found.vanished == ("a",)


def fetched(key: str, state: str = "present") -> UploadRecord:
    return UploadRecord(
        "toy", key, "raw/blobs", key, FILES, blobs={"x/a.txt": "0" * 64}, source="shelf", version="1", state=state
    )


def test_what_was_fetched_lies_in_no_folder_and_vanishes_from_none(tmp_path: Path) -> None:
    found = compared(tmp_path, [sighting("a")], [record("a"), fetched("shelf.b"), fetched("shelf.c")])
    assert (found.vanished, found.held, found.unchanged) == ((), None, ("a",))
    (tmp_path / "inbox" / "toy" / "note").touch()
    gone = [record(f"n{i}") for i in range(11)]
    many = [fetched(f"shelf.{i}") for i in range(100)]
    found = compared(tmp_path, [], [*gone, *many])
    assert found.held == "11 of 11 uploads vanished at once", "the share is of what folders hold"


def test_name_of_a_fetched_upload_is_refused_until_it_is_gone(tmp_path: Path) -> None:
    found = compared(tmp_path, [sighting("shelf.B")], [fetched("shelf.b")])
    assert found.refused == {"inbox/toy/shelf.B": "'shelf.b' is an upload from shelf; rename the file or folder"}
    assert (found.new, found.unsettled, found.collided) == ((), (), {})
    found = compared(tmp_path, [sighting("shelf.b")], [fetched("shelf.b", state=VANISHED)])
    assert [seen.key for seen in found.new] == ["shelf.b"]
