"""The storage interface: where entries live. A local disk now; a bucket needs these seven operations.

Stages always work in a local directory; a backend publishes the finished directory under a location
(`features/beatmap/ab/abcd...`) and hands directories back. Belongs here: the protocol and the local disk.
Does not belong here: records and identities (`store`), the catalog.
"""

import errno
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from bgb_assets.storage.atomic import flush_file, remove_tree, temporary_directory, write_bytes
from bgb_assets.storage.records import RECORD_NAME

EntrySignature = tuple[int, int, int]
"""(record size, record mtime_ns, directory mtime_ns): changes when a file of the entry is removed by hand."""


class Backend(Protocol):
    """What the stage store needs of a disk or a bucket."""

    def read_record(self, location: str) -> bytes | None:
        """Return the bytes of a location's record, None where there is no entry."""

    def signature(self, location: str) -> EntrySignature | None:
        """Return what changes when an entry is changed from outside, without opening a file."""

    def publish(self, directory: Path, location: str, *, replace: bool) -> bool:
        """Move a finished directory to its location at one instant; False where another was first."""

    def directory(self, location: str) -> Path:
        """Return a local directory with the entry's files (a bucket fetches them)."""

    def evict(self, location: str, record: bytes) -> None:
        """Drop the entry's files and leave this record."""

    def remove(self, location: str) -> None:
        """Remove an entry whole."""

    def locations(self, prefix: str) -> Iterator[str]:
        """Yield the locations of all entries below a prefix (`features/beatmap`), sorted."""


class LocalBackend:
    """Entries on a local disk.

    Args:
        root: The data root.
        temporary: A folder on the same disk.
    """

    def __init__(self, root: Path, temporary: Path) -> None:
        self._root = root
        self._temporary = temporary

    def read_record(self, location: str) -> bytes | None:
        """Return the bytes of a location's record, None where there is no entry."""
        try:
            return (self._root / location / RECORD_NAME).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def signature(self, location: str) -> EntrySignature | None:
        """Return (record size, record mtime_ns, directory mtime_ns), None where there is no entry."""
        directory = f"{self._root}/{location}"
        try:
            record = os.stat(f"{directory}/{RECORD_NAME}")  # noqa: PTH116 - hot: once per upload and stage
            return record.st_size, record.st_mtime_ns, os.stat(directory).st_mtime_ns  # noqa: PTH116
        except (FileNotFoundError, NotADirectoryError):
            return None

    def publish(self, directory: Path, location: str, *, replace: bool) -> bool:
        """Flush the directory's files, then rename it to its location."""
        _flush_tree(directory)
        target = self._root / location
        target.parent.mkdir(parents=True, exist_ok=True)
        while True:
            try:
                directory.rename(target)
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                    raise
                if not replace and (target / RECORD_NAME).is_file():
                    return False
                self._discard(target)
            else:
                # The parent is not flushed: a rename that a power cut undoes costs a rebuild, not a wrong entry.
                return True

    def directory(self, location: str) -> Path:
        """Return the entry's directory."""
        return self._root / location

    def evict(self, location: str, record: bytes) -> None:
        """Write the tombstone first, then drop the files: a kill between leaves files that nothing lists."""
        target = self._root / location
        write_bytes(target / RECORD_NAME, record)
        for path in sorted(target.iterdir()):
            if path.name != RECORD_NAME:
                remove_tree(path) if path.is_dir() else path.unlink()

    def remove(self, location: str) -> None:
        """Move the entry aside, then delete it: it is gone at one instant."""
        self._discard(self._root / location)

    def locations(self, prefix: str) -> Iterator[str]:
        """Yield the locations of all entries below a prefix, sorted."""
        base = self._root / prefix
        for shard in sorted(base.iterdir()) if base.is_dir() else []:
            for path in sorted(shard.iterdir()) if shard.is_dir() else []:
                yield f"{prefix}/{shard.name}/{path.name}"

    def _discard(self, target: Path) -> None:
        with temporary_directory(self._temporary) as trash:
            try:
                target.rename(trash / uuid.uuid4().hex)
            except FileNotFoundError:
                return  # another process was quicker


def _flush_tree(directory: Path) -> None:
    # The record last: its rename makes the entry exist, so everything it lists is on the disk by then.
    files = [Path(folder) / name for folder, _, names in os.walk(directory) for name in names]
    for path in sorted(files, key=lambda path: path.name == RECORD_NAME):
        flush_file(path)
    _flush_directory(directory)


def _flush_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
