import os
import subprocess
import sys
from pathlib import Path

import pytest

from bgb_assets.storage.copying import STAGING, copy_into, same_tree
from bgb_assets_tests.toy import write_upload


def test_copy_is_equal_and_independent(tmp_path: Path) -> None:
    origin = write_upload(tmp_path / "origin" / "song")
    os.utime(origin / "a.txt", (5, 5))
    copy_into(tmp_path / "inbox", "pack/song", origin)
    copy = tmp_path / "inbox" / "pack" / "song"
    assert same_tree(origin, copy)
    assert (copy / "a.txt").stat().st_mtime == 5
    assert (copy / "a.txt").stat().st_ino != (origin / "a.txt").stat().st_ino, "no hard link"
    (origin / "a.txt").write_text("changed")
    assert (copy / "a.txt").read_text() == "1 2 3 4"
    assert not same_tree(origin, copy)


def test_single_file_is_copied(tmp_path: Path) -> None:
    (tmp_path / "song.zip").write_bytes(b"zip")
    copy_into(tmp_path / "inbox", "song.zip", tmp_path / "song.zip")
    assert same_tree(tmp_path / "song.zip", tmp_path / "inbox" / "song.zip")


def test_trees_of_other_files_or_bytes_differ(tmp_path: Path) -> None:
    first, second = write_upload(tmp_path / "first"), write_upload(tmp_path / "second")
    assert same_tree(first, second)
    (second / "c.txt").touch()
    assert not same_tree(first, second)
    assert not same_tree(first, tmp_path / "missing")
    assert not same_tree(first / "a.txt", tmp_path / "missing")


def test_failed_copy_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    origin = write_upload(tmp_path / "song")

    def full(origin: str, target: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("bgb_assets.storage.copying._clone", lambda origin, target: False)
    monkeypatch.setattr("shutil.copyfile", full)
    with pytest.raises(OSError, match="No space left"):
        copy_into(tmp_path / "inbox", "song", origin)
    assert [path.name for path in (tmp_path / "inbox").rglob("*")] == [STAGING]


def test_what_a_killed_copy_left_is_swept_by_the_next(tmp_path: Path) -> None:
    origin = write_upload(tmp_path / "song")
    code = (
        "import os, shutil, sys; from pathlib import Path; from bgb_assets.storage.copying import copy_into\n"
        "shutil.copystat = lambda *arguments: os.kill(os.getpid(), 9)\n"
        "copy_into(Path(sys.argv[1]), 'song', Path(sys.argv[2]))"
    )
    arguments = [sys.executable, "-c", code, str(tmp_path / "inbox"), str(origin)]
    assert subprocess.run(arguments, check=False).returncode == -9
    assert [path.name for path in (tmp_path / "inbox").iterdir()] == [STAGING]
    copy_into(tmp_path / "inbox", "song", origin)
    assert sorted(path.name for path in (tmp_path / "inbox").iterdir()) == [STAGING, "song"]
    assert list((tmp_path / "inbox" / STAGING).iterdir()) == []
