"""Checks a downloaded map: whole, readable, and the one that was asked for.

Belongs here: what a zip must be before it gets its name. Does not belong here: downloading (`runtime.download`) and
what the map says (`raw`, which refuses what is unsafe or unreadable with a reason of its own).
"""

import logging
import zipfile
from collections.abc import Iterator
from pathlib import Path

import orjson

from bgb_assets.modalities.beatmap.formats.folder import is_info
from bgb_assets.modalities.beatmap.formats.identities import beatsaver_hash
from bgb_assets.modalities.beatmap.formats.info import parse_info
from bgb_assets.modalities.beatmap.formats.reading import BYTE_ORDER_MARK, MAX_JSON_BYTES
from bgb_assets.modalities.contract import ArchiveLimits
from bgb_assets.runtime.archive_entries import CHUNK_BYTES, damage_refused, zip_entries
from bgb_assets.runtime.errors import BadInput, UnsafeArchive

_HASHED_VERSIONS = (2,)
"""Versions of Info whose recipe is known; difficulties of version 2 and 3 go with version 2."""

_log = logging.getLogger(__name__)


def check_zip(path: Path, limits: ArchiveLimits) -> None:
    """Read every member of a zip once, so that a wrong checksum anywhere is found.

    Raises:
        UnsafeArchive: It does not open, a checksum is wrong, or it holds what is never unpacked.
    """
    where = f"archive {path.name!r}"
    room_bytes = limits.max_bytes
    for entry in zip_entries(path, limits.max_entries):
        with damage_refused(f"{where}, member {entry.name!a},"):
            while chunk := entry.content.read(CHUNK_BYTES):
                room_bytes -= len(chunk)
                if room_bytes < 0:
                    raise UnsafeArchive(f"{where} inflates to more than {limits.max_bytes} bytes", "leave it out")


def warn_of_other_content(path: Path, stated_hash: str, label: str) -> None:
    """Log a warning where a map's files are not those that the API's hash was made of.

    Never an error: the server rewrites Info after it has made the hash.
    """
    try:
        found = _hash_of(path)
    except (BadInput, orjson.JSONDecodeError, KeyError) as error:
        _log.warning("%s: its hash cannot be checked: %s", label, error)
        return
    if found is not None and found != stated_hash:
        _log.warning("%s: the files' hash is %s, the API says %s", label, found, stated_hash)


def _hash_of(path: Path) -> str | None:
    """Return the hash by the server's recipe, or None for a version whose recipe is not known."""
    with zipfile.ZipFile(path) as archive:
        name = next((name for name in archive.namelist() if is_info(name.rpartition("/")[2])), None)
        if name is None:
            raise BadInput("no Info.dat", "add it")
        content = _read(archive, name)
        info = parse_info(orjson.loads(content.removeprefix(BYTE_ORDER_MARK)), name)
        if info.version.major not in _HASHED_VERSIONS:
            return None
        folder = name[: len(name) - len(name.rpartition("/")[2])]
        files = (folder + difficulty.file for difficulty in info.difficulties)
        return beatsaver_hash(content, list(_contents(archive, files)))


def _contents(archive: zipfile.ZipFile, names: Iterator[str]) -> Iterator[bytes]:
    for name in names:
        yield _read(archive, name)


def _read(archive: zipfile.ZipFile, name: str) -> bytes:
    if archive.getinfo(name).file_size > MAX_JSON_BYTES:
        raise BadInput(f"{name} is larger than {MAX_JSON_BYTES >> 20} MiB", "leave it out")
    return archive.read(name)
