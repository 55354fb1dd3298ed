"""Watching folders: which uploads are new, changed, gone or still growing. Opens no file.

Belongs here: comparing what a folder holds with the upload records, and the rules that keep a vanished
disk from deleting anything. Does not belong here: recognising uploads (`Modality.discover`), fingerprints.
"""

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from bgb_assets.runtime.errors import BadInput
from bgb_assets.storage.digests import Signature, signature_of
from bgb_assets.storage.keys import collisions, key_of
from bgb_assets.storage.layout import from_record, relative_to_root
from bgb_assets.storage.uploads import PRESENT, UploadRecord

MARKER = ".bgb-inbox"
"""Lies in an inbox that was seen: where it is missing, the disk is, and nothing may be deleted."""


class FoundLike(Protocol):
    """What a modality's `discover` yields."""

    @property
    def path(self) -> str:
        """Relative POSIX path that names the upload."""

    @property
    def files(self) -> tuple[str, ...]:
        """Relative POSIX paths of its files."""


Discover = Callable[[Path], Iterable[FoundLike]]


@dataclass(frozen=True)
class Sighting:
    """One upload as it lies in a folder now.

    Attributes:
        key: Empty where the path can be no key.
        refused: Why the path can be no key, or None.
    """

    key: str
    root: str
    path: str
    files: Mapping[str, Signature]
    settled: bool
    refused: str | None = None

    @property
    def place(self) -> str:
        """The path with its root, for people."""
        return f"{self.root}/{self.path}"


@dataclass(frozen=True)
class Comparison:
    """What a look at the folders found, against the records.

    Attributes:
        unsettled: Keys whose files still grow: ask again.
        collided: Key -> paths, with their roots, that cannot be told apart: refused.
        refused: Path -> why it can be no key.
        held: Why nothing may be deleted now, or None.
        held_keys: The uploads that are not found but kept.
    """

    new: tuple[Sighting, ...] = ()
    changed: tuple[Sighting, ...] = ()
    vanished: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    unsettled: tuple[str, ...] = ()
    collided: Mapping[str, list[str]] = field(default_factory=dict)
    held: str | None = None
    held_keys: tuple[str, ...] = ()
    refused: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Root:
    """A folder that holds uploads.

    Attributes:
        marked: It was seen and got a marker, which must still lie there.
    """

    path: Path
    marked: bool

    @property
    def missing(self) -> str | None:
        """Say why the folder is not the one that was seen before, or None."""
        if not self.path.is_dir():
            return f"{self.path} is missing"
        if self.marked and not (self.path / MARKER).is_file():
            return f"{self.path} is not the inbox that was seen before ({MARKER} is missing): is a disk unmounted?"
        if not self.marked and not any(self.path.iterdir()):
            return f"{self.path} is empty: is a disk unmounted?"
        return None


def look(root: Path, data_root: Path, discover: Discover, settle_s: float) -> Iterator[Sighting]:
    """Yield every upload below a folder with its files' signatures.

    Args:
        settle_s: An upload of which a file or folder changed less than this many seconds ago is unsettled.
    """
    shown = relative_to_root(root, data_root)
    newest_allowed_ns = time.time_ns() - int(settle_s * 1e9)
    for found in discover(root):
        try:
            files, newest_ns = _signatures(root, found)
        except (FileNotFoundError, NotADirectoryError):
            continue  # moved away while we looked: the next look says what happened
        settled = newest_ns <= newest_allowed_ns
        try:
            yield Sighting(key_of(found.path), shown, found.path, files, settled)
        except BadInput as error:
            yield Sighting("", shown, found.path, {}, settled, refused=str(error))


def compare(
    sightings: Iterable[Sighting],
    records: Iterable[UploadRecord],
    roots: Iterable[Root],
    data_root: Path,
    vanish_count: int,
    vanish_share: float,
) -> Comparison:
    """Compare what the folders hold with the records, and decide whether deletions may be believed."""
    listed = list(records)
    taken = {record.key.casefold(): record for record in listed if record.fetched and record.state == PRESENT}
    everything = [_unless_taken(sighting, taken) for sighting in sightings]
    seen_all = [s for s in everything if s.refused is None]
    groups = collisions(s.key for s in seen_all)
    collided = {i for group in groups.values() for i in group}
    known = {record.key: record for record in listed}
    # Of two uploads that cannot be told apart, the one that was there first stays.
    seen = {s.key: s for i, s in enumerate(seen_all) if i not in collided or _is_held(s, known)}
    # What was fetched from a source lies in no folder, so that no folder can lose it.
    present = {key for key, record in known.items() if record.state == PRESENT and not record.fetched}
    gone = sorted(present - set(seen))
    held = _why_held(gone, present, list(roots), known, data_root, vanish_count, vanish_share)
    fresh = [seen[key] for key in sorted(seen)]
    return Comparison(
        new=tuple(s for s in fresh if s.settled and s.key not in present),
        changed=tuple(s for s in fresh if s.settled and s.key in present and _differs(s, known[s.key])),
        vanished=() if held else tuple(gone),
        unchanged=tuple(s.key for s in fresh if s.key in present and not _differs(s, known[s.key])),
        unsettled=tuple(s.key for s in fresh if not s.settled and _is_news(s, known)),
        collided={key: sorted(seen_all[i].place for i in group) for key, group in groups.items()},
        held=held,
        held_keys=tuple(gone) if held else (),
        refused={_printable(s.place): s.refused for s in everything if s.refused is not None},
    )


def _unless_taken(sighting: Sighting, taken: Mapping[str, UploadRecord]) -> Sighting:
    """Refuse what would take the key of an upload that was fetched from a source."""
    holder = taken.get(sighting.key.casefold())
    if holder is None or sighting.refused is not None:
        return sighting
    return replace(sighting, refused=f"{holder.key!r} is an upload from {holder.source}; rename the file or folder")


def _signatures(root: Path, found: FoundLike) -> tuple[dict[str, Signature], int]:
    files: dict[str, Signature] = {}
    newest_ns = 0
    for name in found.files:
        stat = os.stat(f"{root}/{name}")  # noqa: PTH116 - once per file of the inbox
        files[name] = signature_of(stat)
        # Not mtime: copies keep an old one, and some lie in the future.
        newest_ns = max(newest_ns, stat.st_ctime_ns)
    # An empty folder has only itself; a root that is itself an upload, and files without a folder, have none.
    place = root / found.path
    if place.exists() or not files:
        own = root if found.path == root.resolve().name and not place.exists() else place
        newest_ns = max(newest_ns, own.stat().st_ctime_ns)
    return files, newest_ns


def _is_held(sighting: Sighting, known: Mapping[str, UploadRecord]) -> bool:
    record = known.get(sighting.key)
    return record is not None and (record.root, record.path) == (sighting.root, sighting.path)


def _differs(sighting: Sighting, record: UploadRecord) -> bool:
    files = {name: tuple(held) for name, held in record.files.items()}
    return (record.root, record.path, files) != (sighting.root, sighting.path, dict(sighting.files))


def _is_news(sighting: Sighting, known: Mapping[str, UploadRecord]) -> bool:
    record = known.get(sighting.key)
    return record is None or record.state != PRESENT or _differs(sighting, record)


def _printable(path: str) -> str:
    return path.encode(errors="backslashreplace").decode()


def _why_held(
    gone: list[str],
    present: set[str],
    roots: list[Root],
    known: Mapping[str, UploadRecord],
    data_root: Path,
    vanish_count: int,
    vanish_share: float,
) -> str | None:
    gone_roots = {from_record(known[key].root, data_root).resolve() for key in gone}
    for root in roots:
        if root.path.resolve() in gone_roots and (reason := root.missing):
            return reason
    if len(gone) > vanish_count and len(gone) > vanish_share * len(present):
        return f"{len(gone)} of {len(present)} uploads vanished at once"
    return None
