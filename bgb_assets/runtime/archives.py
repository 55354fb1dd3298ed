"""Untrusted archives: recognise, list and unpack them, or refuse them whole.

An archive that climbs out of its folder, holds links or devices, is encrypted or damaged, or is larger
than allowed when inflated, leaves nothing behind but a reason. Limits are numbers that the caller gives.

Belongs here: limits, writing, and single gzipped files. Does not belong here: the formats
(`archive_entries.py`) and the rules for names (`archive_names.py`).
"""

import shutil
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bgb_assets.runtime.archive_entries import CHUNK_BYTES, Entry, damage_refused, tar_entries, zip_entries
from bgb_assets.runtime.archive_names import Names, safe_name
from bgb_assets.runtime.errors import BadInput, ContractError, UnsafeArchive

ARCHIVE_SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz")

FREE_BYTES = 1 << 20
"""An archive may inflate to this much whatever its ratio: a few empty pictures are no attack."""

_GZIP_MAGIC = b"\x1f\x8b"
_ZIP_MAGICS = (b"PK\3\4", b"PK\5\6")


@dataclass(frozen=True)
class ArchiveMember:
    """One file of an archive; its size is what the archive claims."""

    name: str
    size_bytes: int


def archive_suffix(name: str) -> str | None:
    """Return the archive suffix of a file name, in lower case, or None: `"a.TAR.GZ"` gives `".tar.gz"`."""
    lower = name.lower()
    return next((suffix for suffix in ARCHIVE_SUFFIXES if lower.endswith(suffix) and len(lower) > len(suffix)), None)


def strip_archive_suffix(name: str) -> str:
    """Return a file name without its archive suffix, or as it is."""
    suffix = archive_suffix(name)
    return name[: -len(suffix)] if suffix else name


def is_archive(path: Path) -> bool:
    """Say whether a file is an archive by both its suffix and its first bytes."""
    suffix = archive_suffix(path.name)
    if suffix is None or not path.is_file():
        return False
    with path.open("rb") as file:
        head = file.read(512)
    if suffix == ".zip":
        return head.startswith(_ZIP_MAGICS)
    return head[257:262] == b"ustar" if suffix == ".tar" else head.startswith(_GZIP_MAGIC)


def members(path: Path, *, max_entries: int, max_bytes: int, max_ratio: float) -> tuple[ArchiveMember, ...]:
    """Return the files of an archive, sorted by name; writes nothing.

    Raises:
        UnsafeArchive: A name, a type or the number of members is not allowed. Contents are not read.
    """
    entries = _checked(path, max_entries, _allowed_bytes(path, max_bytes, max_ratio))
    found = (ArchiveMember(name, entry.size_bytes) for name, entry in entries if not entry.is_folder)
    return tuple(sorted(found, key=lambda member: member.name))


def unpack(path: Path, out: Path, *, max_entries: int, max_bytes: int, max_ratio: float) -> tuple[str, ...]:
    """Unpack an archive into an empty folder and return the names of its files, sorted.

    Owners, modes and times are not kept. After any failure the folder is empty again.

    Args:
        max_entries: Most members, folders included.
        max_bytes: Most bytes of content, counted while inflating.
        max_ratio: Most bytes of content per byte of archive, above the first mebibyte.

    Raises:
        UnsafeArchive: The archive is refused; the reason names the member.
        ContractError: The folder is not empty.
    """
    out.mkdir(parents=True, exist_ok=True)
    if any(out.iterdir()):
        raise ContractError(f"{out} must be empty to unpack {path.name!r} into it")
    try:
        return _write_all(path, out, max_entries, _allowed_bytes(path, max_bytes, max_ratio))
    except BaseException:
        _empty(out)
        raise


def gunzip_bounded(data: bytes, max_bytes: int) -> bytes:
    """Return the content of bytes that may be gzipped; bytes that are not come back as they are.

    Raises:
        BadInput: The gzip stream is damaged or cut off, or the content is larger than allowed.
    """
    if not data.startswith(_GZIP_MAGIC):
        return _bounded(data, max_bytes)
    content, rest = bytearray(), data
    while rest.startswith(_GZIP_MAGIC):
        inflater = zlib.decompressobj(wbits=31)
        try:
            content += inflater.decompress(rest, max_bytes + 1 - len(content))
        except zlib.error as error:
            raise BadInput(f"gzip stream is damaged: {error}", "copy or export the file again") from error
        _bounded(content, max_bytes)
        if not inflater.eof:
            raise BadInput(f"gzip stream is cut off after {len(content)} bytes of content", "copy the file again")
        rest = inflater.unused_data.lstrip(b"\0")
    if rest:
        raise BadInput(f"{len(rest)} bytes follow the end of the gzip stream", "copy or export the file again")
    return bytes(content)


def _bounded(content: bytes | bytearray, max_bytes: int) -> bytes:
    if len(content) > max_bytes:
        raise BadInput(f"content is larger than the {max_bytes} bytes allowed", "see whether this is the right file")
    return bytes(content)


def _allowed_bytes(path: Path, max_bytes: int, max_ratio: float) -> int:
    return min(max_bytes, max(FREE_BYTES, int(path.stat().st_size * max_ratio)))


def _entries(path: Path, max_entries: int, allowed_bytes: int) -> Iterator[Entry]:
    suffix = archive_suffix(path.name)
    if suffix == ".zip":
        return zip_entries(path, max_entries)
    if suffix is None:
        raise UnsafeArchive(f"{path.name!r} is no archive; known are {', '.join(ARCHIVE_SUFFIXES)}", "pack it as zip")
    # Headers and padding of a tar take up to three blocks an entry, on top of its content.
    return tar_entries(path, suffix != ".tar", allowed_bytes + FREE_BYTES + 1536 * max_entries)


def _checked(path: Path, max_entries: int, allowed_bytes: int) -> Iterator[tuple[str, Entry]]:
    """Yield each entry with its safe name."""
    names = Names()
    for position, entry in enumerate(_entries(path, max_entries, allowed_bytes)):
        if position >= max_entries:
            raise UnsafeArchive(
                f"archive {path.name!r} has more than {max_entries} entries", "upload fewer files, or raise the limit"
            )
        name = safe_name(entry.name)
        if name:
            names.add(name, entry.is_folder)
            yield name, entry
        elif not entry.is_folder:
            raise UnsafeArchive(f"archive {path.name!r} has a member without a name", "pack it again")


def _write_all(path: Path, out: Path, max_entries: int, allowed_bytes: int) -> tuple[str, ...]:
    written, room_bytes = [], allowed_bytes
    for name, entry in _checked(path, max_entries, allowed_bytes):
        target = out / name
        if entry.is_folder:
            target.mkdir(parents=True, exist_ok=True)
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        room_bytes -= _write(entry, target, room_bytes, f"archive {path.name!r}", allowed_bytes)
        written.append(name)
    return tuple(sorted(written))


def _write(entry: Entry, target: Path, room_bytes: int, where: str, allowed_bytes: int) -> int:
    """Write one member and return its bytes; stops as soon as there are more than there is room for."""
    written = 0
    with target.open("xb") as file:
        while True:
            with damage_refused(f"{where}, member {entry.name!a},"):
                chunk = entry.content.read(CHUNK_BYTES)
            if not chunk:
                return written
            written += len(chunk)
            if written > room_bytes:
                raise UnsafeArchive(
                    f"{where} inflates to more than the {allowed_bytes} bytes allowed",
                    "upload less, or raise the limit if the archive is right",
                )
            file.write(chunk)


def _empty(folder: Path) -> None:
    for child in folder.iterdir():
        if child.is_dir() and not child.is_symlink():
            shutil.rmtree(child)
        else:
            child.unlink()
