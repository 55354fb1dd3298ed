"""Reads one file of a map: gzip or not, byte order mark or not, JSON with errors that name the place.

Belongs here: turning the bytes of a file into a JSON value, and the digest of those bytes.
Does not belong here: what the JSON means; that starts in `versions`. Next in the flow: `versions`, `info`.
"""

import hashlib
import json
import zlib
from pathlib import Path
from typing import Any

import orjson

from bgb_assets.runtime.errors import BadInput

GZIP_MAGIC = b"\x1f\x8b"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
MAX_JSON_BYTES = 256 << 20
"""No map of the game comes near; beyond it lies an archive bomb."""

_CHUNK_BYTES = 1 << 20


def read_content(path: Path, label: str) -> bytes:
    """Return the bytes of a file, un-gzipped where they begin with the gzip magic.

    Args:
        path: The file.
        label: How messages name it: its path inside the upload.

    Raises:
        BadInput: The gzip stream is truncated or damaged, or the content is larger than `MAX_JSON_BYTES`.
    """
    if path.stat().st_size > MAX_JSON_BYTES:
        raise _too_large(label)
    delivered = path.read_bytes()
    return _gunzip(delivered, label) if delivered.startswith(GZIP_MAGIC) else delivered


def read_json(path: Path, label: str) -> Any:
    """Read a JSON file of a map; NaN and Infinity are read as such, for the caller to drop by reason.

    Raises:
        BadInput: Empty, not UTF-8, or not JSON; the message names line and column.
    """
    content = read_content(path, label).removeprefix(BYTE_ORDER_MARK)
    if not content.strip():
        raise BadInput(f"{label}: the file is empty, expected JSON", "deliver the file again")
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        return _read_leniently(content, label)


def content_digest(path: Path, label: str) -> str:
    """Return the SHA-256 of a file's un-gzipped bytes; of its delivered bytes where the gzip is damaged.

    The damage itself is then reported by the stage that reads the file.
    """
    try:
        return hashlib.sha256(read_content(path, label)).hexdigest()
    except BadInput:
        return file_digest(path)


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file's bytes as they are, read in blocks."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def unpacked_bytes(path: Path) -> int:
    """Return the size of a file's content, for gzip as its trailer states it."""
    with path.open("rb") as stream:
        if stream.read(2) != GZIP_MAGIC:
            return path.stat().st_size
        stream.seek(max(0, path.stat().st_size - 4))
        return int.from_bytes(stream.read(4), "little")


def _read_leniently(content: bytes, label: str) -> Any:
    try:
        return json.loads(content.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise BadInput(f"{label}: not UTF-8 at byte {error.start}", "save the file as UTF-8") from None
    except json.JSONDecodeError as error:
        raise BadInput(
            f"{label}: invalid JSON at line {error.lineno} column {error.colno}", "fix or remove the difficulty"
        ) from None
    except RecursionError:
        raise BadInput(f"{label}: JSON nested too deeply", "fix or remove the difficulty") from None
    except ValueError as error:  # an integer of more digits than Python converts
        raise BadInput(f"{label}: invalid JSON: {error}", "fix or remove the difficulty") from None


def _gunzip(delivered: bytes, label: str) -> bytes:
    pieces: list[bytes] = []
    total_bytes = 0
    rest = delivered
    while rest.startswith(GZIP_MAGIC):  # a gzip file may have several members
        stream = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        while not stream.eof:
            piece = _next_piece(stream, rest, label)
            total_bytes += len(piece)
            if total_bytes > MAX_JSON_BYTES:
                raise _too_large(label)
            pieces.append(piece)
            rest = stream.unconsumed_tail
        rest = stream.unused_data
    return b"".join(pieces)


def _next_piece(stream: "zlib._Decompress", rest: bytes, label: str) -> bytes:
    try:
        piece = stream.decompress(rest, _CHUNK_BYTES)
    except zlib.error as error:
        raise BadInput(f"{label}: damaged gzip data ({error})", "deliver the file again") from None
    if not piece and not stream.eof and not stream.unconsumed_tail:
        raise BadInput(f"{label}: gzip data ends early", "deliver the file again")
    return piece


def _too_large(label: str) -> BadInput:
    return BadInput(f"{label}: larger than {MAX_JSON_BYTES >> 20} MiB un-gzipped", "remove the file from the upload")
