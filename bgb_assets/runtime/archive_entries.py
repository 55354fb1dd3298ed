"""What an untrusted zip or tar holds, entry by entry, with a stream of bytes for each.

Belongs here: the two formats and their traps. Does not belong here: names (`archive_names.py`), limits on
what is inflated and writing (`archives.py`). Anything but plain files and folders is refused.
"""

import gzip
import io
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from bgb_assets.runtime.archive_names import REPACK, shown
from bgb_assets.runtime.errors import UnsafeArchive

CHUNK_BYTES = 1 << 20

_MAX_DIRECTORY_BYTES_PER_ENTRY = 1 << 10
_LOCAL_HEADER_BYTES = 30
_ENCRYPTED_FLAGS = 0x1 | 0x40 | 0x2000
_DAMAGE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    EOFError,
    struct.error,
    NotImplementedError,
    OverflowError,
    ValueError,
)


@dataclass(frozen=True)
class Entry:
    """One member as the archive tells it: nothing of it is checked yet but its type.

    Attributes:
        size_bytes: What the header says; a bound is to be counted, not believed.
        content: Its bytes, to be read before the next entry is asked for; empty for a folder.
    """

    name: str
    is_folder: bool
    size_bytes: int
    content: IO[bytes]


@contextmanager
def damage_refused(where: str) -> Iterator[None]:
    """Turn what the format libraries raise over broken bytes into a refusal; errors of the disk pass."""
    try:
        yield
    except _DAMAGE as error:
        raise UnsafeArchive(f"{where} is damaged: {error or type(error).__name__}", "copy or pack it again") from error
    except OSError as error:
        if error.errno is not None:
            raise
        raise UnsafeArchive(f"{where} is damaged: {error}", "copy or pack it again") from error


def zip_entries(path: Path, max_entries: int) -> Iterator[Entry]:
    """Yield the members of a zip in the order of its directory.

    Raises:
        UnsafeArchive: It is damaged, encrypted or too many, or holds links, devices or overlapping members.
    """
    where = f"archive {path.name!r}"
    with path.open("rb") as file, damage_refused(where):
        _check_directory_size(file, where, max_entries)
        with zipfile.ZipFile(file) as archive:
            infos = archive.infolist()
            _check_overlap(infos, where)
            for info in infos:
                _check_zip_member(info)
                with archive.open(info) as content:
                    yield Entry(info.orig_filename, info.orig_filename.endswith("/"), info.file_size, content)


def tar_entries(path: Path, compressed: bool, allowed_bytes: int) -> Iterator[Entry]:
    """Yield the members of a tar, gzipped or not, in their order.

    Args:
        allowed_bytes: Bound on the bytes of the tar itself, headers included.

    Raises:
        UnsafeArchive: It is damaged, cut off or too large, or holds links, devices or sparse files.
    """
    where = f"archive {path.name!r}"
    with damage_refused(where), _opened(path, compressed) as source:
        counted = _Counted(source, allowed_bytes, where)
        with tarfile.open(fileobj=counted, mode="r|", bufsize=CHUNK_BYTES) as archive:
            for info in archive:
                if not (info.isreg() or info.isdir()) or info.issparse():
                    raise UnsafeArchive(f"archive member {shown(info.name)} is no plain file or folder", REPACK)
                yield Entry(info.name, info.isdir(), info.size, archive.extractfile(info) or io.BytesIO())
            _check_tar_end(counted, archive.offset, where)


def _opened(path: Path, compressed: bool) -> io.BufferedIOBase:
    return gzip.open(path) if compressed else path.open("rb")


class _Counted(io.RawIOBase):
    """Passes bytes through; knows how many, where the last that is not zero was, and where to stop."""

    def __init__(self, source: io.BufferedIOBase, allowed_bytes: int, where: str) -> None:
        super().__init__()
        self._source = source
        self._allowed_bytes = allowed_bytes
        self._where = where
        self.total = 0
        self.content_end = 0

    def read(self, size: int = -1) -> bytes:
        """Read at most `size` bytes, or a chunk."""
        data = self._source.read(CHUNK_BYTES if size < 0 else size)
        content = len(data.rstrip(b"\0"))
        if content:
            self.content_end = self.total + content
        self.total += len(data)
        if self.total > self._allowed_bytes:
            raise UnsafeArchive(
                f"{self._where} inflates to more than {self._allowed_bytes} bytes", "upload less, or raise the limit"
            )
        return data


def _check_tar_end(counted: _Counted, end: int, where: str) -> None:
    """Check that the tar ends with zeros: the library takes a bad header and a cut-off file for the end, too."""
    while counted.read(CHUNK_BYTES):
        pass
    if counted.content_end > end or counted.total < end + tarfile.BLOCKSIZE:
        raise UnsafeArchive(f"{where} is damaged: no end mark at byte {end}", "copy or pack it again")


def _check_directory_size(file: IO[bytes], where: str, max_entries: int) -> None:
    """Refuse a directory far too large for the allowed entries before the library reads it all into memory."""
    size_bytes = _directory_bytes(file)
    if size_bytes > max_entries * _MAX_DIRECTORY_BYTES_PER_ENTRY:
        raise UnsafeArchive(
            f"{where} has a directory of {size_bytes} bytes, too large for at most {max_entries} entries",
            "upload fewer files, or raise the limit",
        )


def _directory_bytes(file: IO[bytes]) -> int:
    """Read the size of the central directory from the end record (APPNOTE 4.3.14 to 4.3.16); 0 without one."""
    file_bytes = file.seek(0, io.SEEK_END)
    tail_start = max(0, file_bytes - 22 - 0xFFFF - 20)
    file.seek(tail_start)
    tail = file.read()
    at = len(tail) - 22 if tail[-22:-18] == b"PK\5\6" else tail.rfind(b"PK\5\6")
    if at < 0 or len(tail) < at + 22:
        return 0
    size_bytes = int(struct.unpack_from("<I", tail, at + 12)[0])
    if at >= 20 and tail[at - 20 : at - 16] == b"PK\6\7":
        size_bytes = max(0 if size_bytes == 0xFFFFFFFF else size_bytes, _zip64_bytes(file, tail, at))
    return size_bytes


def _zip64_bytes(file: IO[bytes], tail: bytes, at: int) -> int:
    """Read the size from the record that the locator points at, or that stands right before it, as readers do."""
    locator_at = file.tell() - len(tail) + at - 20
    sizes = [0]
    for start in (struct.unpack_from("<Q", tail, at - 12)[0], locator_at - 56):
        if 0 <= start <= locator_at:
            file.seek(start)
            record = file.read(56)
            if len(record) == 56 and record.startswith(b"PK\6\6"):
                sizes.append(int(struct.unpack_from("<Q", record, 40)[0]))
    return max(sizes)


def _check_overlap(infos: list[zipfile.ZipInfo], where: str) -> None:
    """Refuse members that share bytes: a small file can claim the same kilobytes a thousand times."""
    end = 0
    for info in sorted(infos, key=lambda info: info.header_offset):
        if info.header_offset < end:
            raise UnsafeArchive(f"{where} has overlapping members at {shown(info.filename)}", REPACK)
        end = info.header_offset + _LOCAL_HEADER_BYTES + len(info.orig_filename) + info.compress_size


def _check_zip_member(info: zipfile.ZipInfo) -> None:
    who = f"archive member {shown(info.orig_filename)}"
    if info.flag_bits & _ENCRYPTED_FLAGS:
        raise UnsafeArchive(f"{who} is encrypted", "pack it again without a password")
    if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise UnsafeArchive(f"{who} is no plain file or folder", REPACK)
    # The library inflates other methods without a bound on one step.
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise UnsafeArchive(f"{who} uses compression method {info.compress_type}", "pack it again with deflate")
