"""Fetched bytes, by content: one file per SHA-256, however many uploads hold it.

A blob appears whole or not at all and never changes. Belongs here: putting, checking and removing blobs. Does not
belong here: which upload holds which blob (`uploads`), fetching (`bgb_assets.engine.fetching`).
"""

import os
from collections.abc import Iterator
from pathlib import Path

from bgb_assets.storage.atomic import flush_file
from bgb_assets.storage.digests import sha256_file
from bgb_assets.storage.layout import Layout


class Blobs:
    """The blobs below one data root.

    Args:
        layout: The places below that root.
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def path(self, digest: str) -> Path:
        """Return where the blob of a digest lies, or would."""
        return self._layout.root / self._layout.blob(digest)

    def take(self, file: Path) -> str:
        """Move a file of the same disk among the blobs and return its digest; equal bytes are kept once.

        A blob of that digest whose bytes are damaged is replaced.
        """
        digest = sha256_file(file)
        target = self.path(digest)
        if self.is_whole(digest):
            file.unlink()
            return digest
        flush_file(file)
        target.parent.mkdir(parents=True, exist_ok=True)
        file.replace(target)
        _flush_folder(target.parent)
        return digest

    def is_whole(self, digest: str) -> bool:
        """Say whether the blob is there with the bytes of its name; reads them all."""
        try:
            return sha256_file(self.path(digest)) == digest
        except FileNotFoundError:
            return False

    def problem(self, digest: str) -> str | None:
        """Say what is wrong with a blob that an upload holds, or None."""
        if self.is_whole(digest):
            return None
        return "bytes differ from its name" if self.path(digest).is_file() else "missing"

    def sizes(self) -> dict[str, int]:
        """Return digest -> bytes of all blobs, sorted by digest."""
        return {path.name: path.stat().st_size for path in self._files()}

    def remove(self, digest: str) -> None:
        """Delete a blob; a missing one is fine."""
        self.path(digest).unlink(missing_ok=True)

    def _files(self) -> Iterator[Path]:
        folder = self._layout.root / self._layout.BLOBS
        for shard in sorted(folder.iterdir()) if folder.is_dir() else []:
            yield from sorted(path for path in shard.iterdir() if path.is_file())


def _flush_folder(folder: Path) -> None:
    # The rename itself must be on the disk before a record names the blob.
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
