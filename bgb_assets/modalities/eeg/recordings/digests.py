"""Content digests of EEG uploads and entries.

Belongs here: SHA-256 of bytes and of JSON. Does not belong here: what is digested (`raw`, `cache`).
"""

import hashlib
from pathlib import Path
from typing import Any

import orjson


def canonical_json(value: Any) -> bytes:
    """Return JSON with sorted keys and no spaces, shortest-repr floats."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def json_digest(value: Any) -> str:
    """Return the SHA-256 of `canonical_json(value)`."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
