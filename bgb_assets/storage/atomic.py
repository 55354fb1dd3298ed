"""Writing so that a kill at any instant leaves the old state or the new one, never half of one.

Belongs here: atomic files, temporary directories that name their process, the sweep of abandoned ones.
Does not belong here: what an entry is (`store`).
"""

import functools
import os
import shutil
import socket
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bgb_assets.storage.digests import canonical_json, sha256_bytes

FOREIGN_AGE_S = 7 * 24 * 3600.0
"""A temporary directory of another machine is swept when nothing changed in it for this long."""
_UNFINISHED = ".tmp"
_DEAD_STATES = ("Z", "X")
"""A dead process keeps its number until its parent asks for it, which in some containers nobody does."""


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file whole or not at all: temporary name, flush, rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{_own_token(os.getpid())}.{uuid.uuid4().hex[:8]}{_UNFINISHED}")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_json(path: Path, value: object) -> None:
    """Write canonical JSON and a final newline, whole or not at all."""
    write_bytes(path, canonical_json(value) + b"\n")


def flush_file(path: Path) -> None:
    """Force a file's bytes to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def temporary_directory(parent: Path) -> Iterator[Path]:
    """Give an empty directory that is removed at the end, or swept later if this process is killed."""
    parent.mkdir(parents=True, exist_ok=True)
    path = parent / f"{process_token(os.getpid())}.{uuid.uuid4().hex[:12]}"
    path.mkdir()
    try:
        yield path
    finally:
        remove_tree(path)


def remove_tree(path: Path) -> None:
    """Remove a directory tree; a missing one is fine."""
    if path.is_symlink():
        path.unlink(missing_ok=True)
    elif path.exists():
        shutil.rmtree(path, ignore_errors=False)


def sweep(parent: Path) -> int:
    """Remove the temporary directories of dead processes; return how many."""
    swept = 0
    for path in sorted(parent.iterdir()) if parent.is_dir() else []:
        if not _is_held(path.name, path):
            shutil.rmtree(path, ignore_errors=True)
            swept += 1
    return swept


def sweep_unfinished(folder: Path) -> int:
    """Remove what dead processes left of files that they were writing into a folder; return how many."""
    swept = 0
    for path in sorted(folder.glob(f".*{_UNFINISHED}")) if folder.is_dir() else []:
        # `.<name>.<machine>.<pid>.<start time>.<random>.tmp`
        name = ".".join(path.name.removesuffix(_UNFINISHED).rsplit(".", 4)[1:])
        if not _is_held(name, path):
            path.unlink(missing_ok=True)
            swept += 1
    return swept


@functools.cache
def _own_token(pid: int) -> str:
    return process_token(pid)


def process_token(pid: int) -> str:
    """Return `<machine>.<pid>.<start time>`: a reused process number is not the same process."""
    return f"{_machine()}.{pid}.{_start_time(pid)}"


@functools.cache
def _machine() -> str:
    """Return what tells apart machines, and containers with process numbers of their own, that share one disk."""
    try:
        space = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        space = ""
    return sha256_bytes(f"{socket.gethostname()} {space}".encode())[:8]


def _is_held(name: str, path: Path) -> bool:
    """Say whether the process in a name `<process token>.<random>` may still work on a path."""
    machine, _, token = name.rpartition(".")[0].partition(".")
    if machine == _machine():
        return _is_alive(token)
    try:
        return time.time() - path.stat().st_mtime < FOREIGN_AGE_S
    except OSError:
        return True  # another process sweeps it


def _is_alive(token: str) -> bool:
    pid, _, started = token.partition(".")
    if not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return _start_time(int(pid)) == started


def _start_time(pid: int) -> str:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return "0"  # macOS has no /proc: the process number alone decides
    # Fields 3 and 22; the command name before them may hold spaces and brackets.
    state, *fields = stat.rpartition(")")[2].split()
    return "dead" if state in _DEAD_STATES else fields[18]
