"""The bytes of a scan, inflated where they are compressed, in blocks: by its first two bytes, never by its name.

Belongs here: gzip with several members, damaged and cut streams, what follows the last member. Does not belong here:
what the bytes mean (`nifti`, `volumes`).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from bgb_assets.modalities.mri.scans.flags import bad
from bgb_assets.modalities.mri.scans.limits import LIMITS
from bgb_assets.runtime import monitoring

GZIP_MAGIC = b"\x1f\x8b"
BLOCK_BYTES = 1 << 20
_READ_BYTES = 1 << 18
_HEAD_READ_BYTES = 1 << 16
_WITH_GZIP_HEADER = 31


def is_gzip(path: Path) -> bool:
    """Say whether a file is compressed, by its magic."""
    with path.open("rb") as file:
        return file.read(2) == GZIP_MAGIC


class ScanBytes:
    """The inflated bytes of one file; iterate once.

    A gzip stream that is read to its end was checked: each member's CRC and length are right.

    Args:
        path: A .nii or .nii.gz file.
        expected_bytes: How many bytes the header promises, where it is known: a stream that breaks off before its
            end is damaged where its last four bytes still give this size, and cut off where they do not.
        max_bytes: More are refused.

    Attributes:
        compressed: Whether the file is gzip.
        total_bytes: How many bytes were given so far.
        members: Members of the gzip stream that were read to their end.
        trailing_bytes: Bytes after the last member, known at the end.
    """

    def __init__(
        self, path: Path, expected_bytes: int | None = None, max_bytes: int = LIMITS.max_inflated_bytes
    ) -> None:
        self.path = path
        self.compressed = is_gzip(path)
        self.total_bytes = 0
        self.members = 0
        self.trailing_bytes = 0
        self._expected_bytes = expected_bytes
        self._max_bytes = max_bytes

    def __iter__(self) -> Iterator[bytes]:
        with self.path.open("rb") as file:
            for block in self._inflated(file) if self.compressed else _plain(file):
                self.total_bytes += len(block)
                if self.total_bytes > self._max_bytes:
                    raise bad("too_large", f"more than {self._max_bytes} bytes when inflated", self.total_bytes)
                yield block

    def _inflated(self, file: IO[bytes]) -> Iterator[bytes]:
        from isal import isal_zlib

        monitoring.count("inflations")
        member = isal_zlib.decompressobj(_WITH_GZIP_HEADER)
        waiting = b""
        while data := waiting + file.read(_READ_BYTES):
            if member.eof:
                if not self._next_member(data, file):
                    return
                member = isal_zlib.decompressobj(_WITH_GZIP_HEADER)
            yield from self._blocks(member, data)
            waiting = member.unused_data if member.eof else b""
            self.members += member.eof
        if not member.eof:
            raise self._broken_off(file)

    def _next_member(self, data: bytes, file: IO[bytes]) -> bool:
        """Say whether another member follows; what does not look like one is counted as trailing."""
        if data.startswith(GZIP_MAGIC):
            return True
        self.trailing_bytes = len(data) + self.path.stat().st_size - file.tell()
        return False

    def _blocks(self, member: Any, data: bytes) -> Iterator[bytes]:
        """Yield what some compressed bytes hold, at most `BLOCK_BYTES` at a time."""
        while True:
            try:
                block = member.decompress(data, BLOCK_BYTES)
            except (OSError, EOFError, _isal_error()) as error:
                raise bad("gzip_crc", f"damaged gzip stream after {self.total_bytes} bytes: {error}") from error
            if block:
                yield block
            data = member.unconsumed_tail
            if member.eof or (not data and len(block) < BLOCK_BYTES):
                return

    def _broken_off(self, file: IO[bytes]) -> Exception:
        size = file.tell()
        if self._expected_bytes is not None and size > 18 and isize(self.path) == self._expected_bytes % (1 << 32):
            return bad("gzip_crc", f"damaged gzip stream: its end is there, but not reached after {size} bytes", size)
        return bad("gzip_truncated", f"the gzip stream breaks off after {size} bytes", size)


def isize(path: Path) -> int:
    """Return the last four bytes of a file as a number: of gzip, the length of its last member modulo 2^32."""
    with path.open("rb") as file:
        file.seek(-4, 2)
        return int.from_bytes(file.read(4), "little")


def beginning(path: Path, n_bytes: int) -> bytes:
    """Return at most the first inflated bytes of a file, reading little more than they need.

    Raises:
        BadScan: `gzip_truncated`, `gzip_crc`.
    """
    with path.open("rb") as file:
        return head_of(file.read(_HEAD_READ_BYTES), n_bytes)


def head_of(data: bytes, n_bytes: int) -> bytes:
    """Return at most the first inflated bytes of what a file begins with.

    Raises:
        BadScan: `gzip_truncated`, `gzip_crc`.
    """
    if not data.startswith(GZIP_MAGIC):
        return data[:n_bytes]
    from isal import isal_zlib

    head = b""
    while len(head) < n_bytes and data.startswith(GZIP_MAGIC):
        member = isal_zlib.decompressobj(_WITH_GZIP_HEADER)
        try:
            head += member.decompress(data, n_bytes - len(head))
        except (OSError, EOFError, _isal_error()) as error:
            raise bad("gzip_crc", f"damaged gzip stream: {error}") from error
        if len(head) < n_bytes and not member.eof:
            raise bad("gzip_truncated", f"the gzip stream breaks off after {len(data)} bytes", len(data))
        data = member.unused_data
    return head


def _plain(file: IO[bytes]) -> Iterator[bytes]:
    while block := file.read(BLOCK_BYTES):
        yield block


def _isal_error() -> type[Exception]:
    from isal import isal_zlib

    error: Any = isal_zlib.error
    return error  # type: ignore[no-any-return]
