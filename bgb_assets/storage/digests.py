"""Digests and canonical JSON: how contents and parameters become identities.

Belongs here: SHA-256 of bytes and files, the one JSON form that is hashed, file signatures (the shortcut
that spares re-hashing). Does not belong here: what an identity is made of (`identity`).
"""

import dataclasses
import hashlib
import json
import math
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

BLOCK_BYTES = 1 << 20

_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)

Signature = tuple[int, int, int, int]
"""(size in bytes, mtime_ns, ctime_ns, inode): equal signatures mean an untouched file."""


def sha256_bytes(data: bytes) -> str:
    """Return the SHA-256 of some bytes, 64 lower-case hex digits."""
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, read in blocks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_json(value: Any) -> str:
    """Return the SHA-256 of a value's canonical JSON."""
    return sha256_bytes(canonical_json(value))


def sha256_plain(value: Any) -> str:
    """Return what `sha256_json` does, for a value known to be in JSON types already; hot: once per upload and stage."""
    return sha256_bytes(_ENCODER.encode(value).encode())


def sha256_pairs(pairs: Iterable[tuple[str, str]]) -> str:
    """Return the SHA-256 of (name, digest) pairs in sorted order."""
    return sha256_json(sorted(pairs))


def canonical_json(value: Any) -> bytes:
    """Return the one JSON form of a value: sorted keys, UTF-8, no spaces, shortest floats.

    Frozen dataclasses are written with all fields, defaults included, and whole numbers in float fields as floats;
    tuples as lists.

    Raises:
        ValueError: The value holds NaN or an infinity, which JSON cannot say.
        TypeError: A value is of no JSON type, or a key is not a string.
    """
    return _ENCODER.encode(_plain(value)).encode()


def as_plain(value: Any) -> Any:
    """Return a value in JSON types only, as `canonical_json` would write it."""
    return _plain(value)


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"canonical JSON holds finite numbers only, got {value!r}")
        return value
    if isinstance(value, Mapping):
        if bad := [key for key in value if not isinstance(key, str)]:
            raise TypeError(f"canonical JSON has string keys only, got {bad[0]!r}")
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _field(field, getattr(value, field.name)) for field in dataclasses.fields(value)}
    raise TypeError(f"canonical JSON cannot hold {type(value).__name__}: {value!r}")


def _field(field: dataclasses.Field[Any], value: Any) -> Any:
    # A default written as 3 and a configured 3.0 are one value where the field is a float.
    return float(value) if field.type in (float, "float") and type(value) is int else _plain(value)


def signature(path: str | Path) -> Signature:
    """Return a file's signature; links are followed."""
    return signature_of(os.stat(path))  # noqa: PTH116 - called thousands of times per run


def signature_of(stat: os.stat_result) -> Signature:
    """Return the signature in a stat result."""
    return (stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino)
