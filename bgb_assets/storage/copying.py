"""Copies of uploads: whole or not at all, free where the disk can clone, never sharing bytes with their origin.

A hard link would be cheaper still, but a later change of the origin would reach the copy.
Belongs here: copying and comparing trees. Does not belong here: which trees (`engine.ingest`).
"""

import fcntl
import shutil
from pathlib import Path

from bgb_assets.storage.atomic import sweep, temporary_directory

# Linux: clone a whole file (`linux/fs.h`). Other systems answer that they do not know it.
_FICLONE = 0x40049409
STAGING = ".incoming"
"""Hidden, so that a watched folder shows a copy only when it is whole."""


def copy_into(folder: Path, name: str, origin: Path) -> None:
    """Copy a file or folder to `folder/name`, which does not exist yet; it appears there at one instant."""
    staging = folder / STAGING
    sweep(staging)
    target = folder / name
    target.parent.mkdir(parents=True, exist_ok=True)
    with temporary_directory(staging) as space:
        if origin.is_dir():
            shutil.copytree(origin, space / "copy", copy_function=_copy_file)
        else:
            _copy_file(str(origin), str(space / "copy"))
        (space / "copy").rename(target)


def same_tree(origin: Path, target: Path) -> bool:
    """Say whether two files, or the files of two folders, hold the same bytes."""
    if origin.is_file():
        return target.is_file() and _same_file(origin, target)
    if not target.is_dir():
        return False
    names = {path.relative_to(origin) for path in origin.rglob("*") if path.is_file()}
    held = {path.relative_to(target) for path in target.rglob("*") if path.is_file()}
    return names == held and all(_same_file(origin / name, target / name) for name in names)


def _copy_file(origin: str, target: str) -> str:
    if not _clone(Path(origin), Path(target)):
        shutil.copyfile(origin, target)
    shutil.copystat(origin, target)
    return target


def _clone(origin: Path, target: Path) -> bool:
    """Let both files share their blocks until one of them is written; False where the disk cannot."""
    with origin.open("rb") as source, target.open("wb") as sink:
        try:
            fcntl.ioctl(sink.fileno(), _FICLONE, source.fileno())
        except OSError:
            return False
    return True


def _same_file(first: Path, second: Path) -> bool:
    a, b = first.stat(), second.stat()
    return a.st_size == b.st_size and (a.st_mtime_ns == b.st_mtime_ns or first.read_bytes() == second.read_bytes())
