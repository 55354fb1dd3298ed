import os
from pathlib import Path

import pytest

from bgb_assets.storage.backend import LocalBackend
from bgb_assets.storage.records import RECORD_NAME

LOCATION = "raw/toy/ab/abcd"


@pytest.fixture
def backend(tmp_path: Path) -> LocalBackend:
    return LocalBackend(tmp_path / "data", tmp_path / "data" / ".tmp")


def finished(tmp_path: Path, text: str) -> Path:
    directory = tmp_path / f"work_{text}"
    (directory / "deep").mkdir(parents=True)
    (directory / "deep" / "a.txt").write_text(text)
    (directory / RECORD_NAME).write_text(text)
    return directory


def test_publish_moves_once(tmp_path: Path, backend: LocalBackend) -> None:
    assert backend.read_record(LOCATION) is None
    assert backend.signature(LOCATION) is None
    assert backend.publish(finished(tmp_path, "one"), LOCATION, replace=False)
    assert not backend.publish(finished(tmp_path, "two"), LOCATION, replace=False)
    assert backend.read_record(LOCATION) == b"one"
    assert backend.publish(finished(tmp_path, "three"), LOCATION, replace=True)
    assert backend.read_record(LOCATION) == b"three"
    assert list((tmp_path / "data" / ".tmp").iterdir()) == [], "what was replaced is gone"


@pytest.mark.parametrize("in_the_way", ["empty", "partial", "file"])
def test_what_is_no_entry_does_not_stop_publishing(tmp_path: Path, backend: LocalBackend, in_the_way: str) -> None:
    target = tmp_path / "data" / LOCATION
    target.parent.mkdir(parents=True)
    if in_the_way == "file":
        target.write_text("x")
    else:
        target.mkdir()
        if in_the_way == "partial":
            (target / "a.txt").write_text("half")
    assert backend.publish(finished(tmp_path, "one"), LOCATION, replace=False)
    assert backend.read_record(LOCATION) == b"one"


def test_every_file_is_flushed_before_the_rename_and_the_record_last(
    tmp_path: Path, backend: LocalBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda fd: events.append(Path(f"/proc/self/fd/{fd}").readlink().name))
    rename = Path.rename
    monkeypatch.setattr(Path, "rename", lambda self, target: (events.append("rename"), rename(self, target))[1])
    backend.publish(finished(tmp_path, "one"), LOCATION, replace=False)
    assert events == ["a.txt", RECORD_NAME, "work_one", "rename"]


def test_signature_shows_removed_files_and_changed_records(tmp_path: Path, backend: LocalBackend) -> None:
    backend.publish(finished(tmp_path, "one"), LOCATION, replace=False)
    before = backend.signature(LOCATION)
    assert before is not None
    directory = backend.directory(LOCATION)
    (directory / "extra").write_text("")
    (directory / "extra").unlink()
    os.utime(directory, ns=(1, before[2] + 1))
    assert backend.signature(LOCATION) != before


def test_evict_leaves_the_tombstone_and_remove_nothing(tmp_path: Path, backend: LocalBackend) -> None:
    backend.publish(finished(tmp_path, "one"), LOCATION, replace=False)
    backend.evict(LOCATION, b"tombstone")
    assert [path.name for path in backend.directory(LOCATION).iterdir()] == [RECORD_NAME]
    assert backend.read_record(LOCATION) == b"tombstone"
    backend.remove(LOCATION)
    backend.remove(LOCATION)
    assert not backend.directory(LOCATION).exists()


def test_locations_are_sorted(tmp_path: Path, backend: LocalBackend) -> None:
    assert list(backend.locations("raw/toy")) == []
    for identity in ("cd01", "ab02", "ab01"):
        backend.publish(finished(tmp_path, identity), f"raw/toy/{identity[:2]}/{identity}", replace=False)
    assert list(backend.locations("raw/toy")) == ["raw/toy/ab/ab01", "raw/toy/ab/ab02", "raw/toy/cd/cd01"]
