import os
import subprocess
import sys
from pathlib import Path

import pytest

from bgb_assets.storage import atomic
from bgb_assets.storage.atomic import (
    process_token,
    remove_tree,
    sweep,
    sweep_unfinished,
    temporary_directory,
    write_bytes,
    write_json,
)


def test_write_replaces_whole_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file.json"
    write_json(path, {"b": 1, "a": 2})
    write_bytes(path, b"second")
    assert path.read_bytes() == b"second"
    assert [item.name for item in path.parent.iterdir()] == ["file.json"]


def test_failed_write_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    write_bytes(path, b"old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_bytes(path, b"new")
    assert path.read_bytes() == b"old"
    assert [item.name for item in tmp_path.iterdir()] == ["file"]


def test_temporary_directory_is_empty_and_goes(tmp_path: Path) -> None:
    with temporary_directory(tmp_path / "tmp") as first, temporary_directory(tmp_path / "tmp") as second:
        assert first != second
        assert list(first.iterdir()) == []
        (first / "deep").mkdir()
        assert sweep(tmp_path / "tmp") == 0, "this process is alive"
    assert list((tmp_path / "tmp").iterdir()) == []


def test_sweep_removes_what_dead_processes_left(tmp_path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from bgb_assets.storage.atomic import temporary_directory\n"
        "with temporary_directory(Path(sys.argv[1])) as path:\n"
        "    (path / 'half').write_text('x'); os.kill(os.getpid(), 9)"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert killed.returncode == -9
    left = list(tmp_path.iterdir())
    assert len(left) == 1
    (left[0].with_name(f"{process_token(os.getpid())}.mine")).mkdir()
    assert sweep(tmp_path) == 1
    assert [path.name for path in tmp_path.iterdir()] == [f"{process_token(os.getpid())}.mine"]
    assert sweep(tmp_path / "absent") == 0


def test_unfinished_writes_of_dead_processes_are_swept(tmp_path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from bgb_assets.storage import atomic\n"
        "os.fsync = lambda descriptor: os.kill(os.getpid(), 9)\n"
        "atomic.write_bytes(Path(sys.argv[1]), b'half')"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(tmp_path / "a.b.json")], check=False)
    assert killed.returncode == -9
    (left,) = tmp_path.iterdir()
    mine = left.with_name(f".a.b.json.{process_token(os.getpid())}.12345678.tmp")
    mine.touch()
    (tmp_path / ".other.tmp").touch()
    assert sweep_unfinished(tmp_path) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([mine.name, ".other.tmp"])
    assert sweep_unfinished(tmp_path / "absent") == 0


def test_reused_process_number_is_another_process(tmp_path: Path) -> None:
    machine, pid, started = process_token(os.getpid()).split(".")
    assert pid == str(os.getpid())
    (tmp_path / f"{machine}.{pid}.{int(started) + 1}.x").mkdir()
    assert sweep(tmp_path) == 1


def test_dead_process_that_nobody_asks_for_is_dead(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    (tmp_path / f"{process_token(process.pid)}.x").mkdir()
    assert sweep(tmp_path) == 0
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # dead, and still in the table of processes
    assert sweep(tmp_path) == 1
    process.communicate()


def test_another_machine_has_a_week(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    foreign = tmp_path / "0badcafe.1.1.x"
    foreign.mkdir()
    assert sweep(tmp_path) == 0, "its processes cannot be seen from here"
    os.utime(foreign, (1, 1))
    assert sweep(tmp_path) == 1
    assert atomic.FOREIGN_AGE_S >= 24 * 3600


def test_remove_tree_takes_links_not_what_they_point_at(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "kept")
    remove_tree(tmp_path / "link")
    remove_tree(tmp_path / "missing")
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
