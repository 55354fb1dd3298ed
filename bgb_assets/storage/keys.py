"""Upload keys: what names an upload in file names, partitions and commands.

A key is the upload's path below its root, in NFC, without archive suffix, every character outside
`[A-Za-z0-9_.-]` percent-escaped. Belongs here: making and checking keys. Does not belong here: finding uploads.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping

from bgb_assets.runtime.archives import strip_archive_suffix
from bgb_assets.runtime.errors import BadInput
from bgb_assets.storage.digests import sha256_bytes

_OUTSIDE = re.compile(r"[^A-Za-z0-9_.\-]")
MAX_KEY_CHARACTERS = 180
"""File systems allow 255 bytes in a name; suffixes of ours need the rest."""


def key_of(path: str) -> str:
    """Return the key of an upload at this relative POSIX path.

    A key that would be too long for a file name keeps its start and ends in a digest of the whole.

    Raises:
        BadInput: The path is empty, climbs out of its root or is not valid UTF-8.
    """
    try:
        path.encode()
    except UnicodeEncodeError as error:
        raise BadInput(f"the name {path!r} is not valid UTF-8", "rename the file or folder") from error
    normal = unicodedata.normalize("NFC", strip_archive_suffix(path))
    segments = normal.split("/")
    if not normal or any(segment in ("", ".", "..") for segment in segments):
        raise BadInput(f"{path!r} is no path below the inbox", "rename the file or folder")
    key = _OUTSIDE.sub(_escape, normal)
    # Dagster writes a range of partitions as A...B, and a hidden name would never be seen again.
    key = key.replace("..", ".%2E")
    if key.startswith("."):
        key = "%2E" + key[1:]
    return key if len(key) <= MAX_KEY_CHARACTERS else _shortened(key)


def collisions(keys: Iterable[str]) -> Mapping[str, list[int]]:
    """Return the smallest key -> positions for the keys that are equal, by case either, as on some disks."""
    listed = list(keys)
    seen: dict[str, list[int]] = {}
    for position, key in enumerate(listed):
        seen.setdefault(key.casefold(), []).append(position)
    return {min(listed[i] for i in found): found for found in seen.values() if len(found) > 1}


def _shortened(key: str) -> str:
    # Neither half of an escape nor a dot before the digest's dot.
    start = re.sub(r"%.?$", "", key[: MAX_KEY_CHARACTERS - 17]).rstrip(".")
    return f"{start}.{sha256_bytes(key.encode())[:16]}"


def _escape(match: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in match.group().encode())
