"""Ingest: from folders to upload records. The same for `bgb ingest`, the sensor and tests.

Belongs here: bringing the upload records in line with what the folders hold, copying into the inbox, deletion
safety. Does not belong here: stages (`bgb_assets.chain`), comparing without acting (`storage.inbox`).
"""

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import orjson

from bgb_assets.chain import Chain
from bgb_assets.engine.guards import machine_errors_named
from bgb_assets.engine.recognise import recognise_all
from bgb_assets.runtime.errors import UsageError
from bgb_assets.runtime.imports import resolve
from bgb_assets.runtime.settings import InboxSettings
from bgb_assets.storage.atomic import write_bytes, write_json
from bgb_assets.storage.copying import copy_into, same_tree
from bgb_assets.storage.inbox import MARKER, Comparison, Root, Sighting, compare, look
from bgb_assets.storage.layout import from_record, relative_to_root
from bgb_assets.storage.leases import lease
from bgb_assets.storage.uploads import PRESENT, VANISHED, UploadRecord

SETTLE_LIMIT_S = 10.0


@dataclass(frozen=True)
class IngestReport:
    """What a look at the folders led to: keys by what became of them.

    Attributes:
        unsettled: Still growing, or changed while they were read: ask again.
        unrecognised: Registered, but the modality cannot read them: key -> reason.
        collided: Refused: key -> paths that cannot be told apart.
        refused: Path -> why it can be no key.
        held: Why nothing was deleted, or None.
        listing: Digest input: key -> content facets of every present upload.
    """

    new: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    touched: tuple[str, ...] = ()
    vanished: tuple[str, ...] = ()
    unchanged: int = 0
    unsettled: tuple[str, ...] = ()
    unrecognised: Mapping[str, str] = field(default_factory=dict)
    collided: Mapping[str, Sequence[str]] = field(default_factory=dict)
    held: str | None = None
    held_keys: tuple[str, ...] = ()
    refused: Mapping[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return the report in JSON types."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


class Ingest:
    """Brings one modality's upload records in line with its folders."""

    def __init__(self, chain: Chain) -> None:
        self.chain = chain
        self.settings = chain.settings.section(InboxSettings(), "inbox")
        self._name = chain.modality.name
        self._layout = chain.store.layout
        self._discover = resolve(chain.modality.discover)

    @property
    def inbox(self) -> Path:
        """The folder that is watched."""
        return self._layout.inbox(self._name)

    def roots(self) -> list[Root]:
        """Return the inbox and the folders registered in place."""
        outer = [Root(from_record(text, self.chain.store.root), marked=False) for text in self._outer()]
        marked = (self._layout.state / "inboxes" / self._name).exists()
        return [Root(self.inbox, marked=marked), *outer]

    def plan(self) -> Comparison:
        """Compare the folders with the records; changes nothing and opens no file of an upload."""
        root = self.chain.store.root
        sightings = [
            sighting
            for place in self.roots()
            if place.path.is_dir()
            for sighting in look(place.path, root, self._discover, self.settings.settle_s)
        ]
        records = list(self.chain.uploads.all())
        return compare(sightings, records, self.roots(), root, self.settings.vanish_count, self.settings.vanish_share)

    def apply(self, *, confirm_deletions: bool = False, fingerprint: bool = True) -> IngestReport:
        """Register what is new and changed, note what vanished; one process at a time.

        Args:
            fingerprint: Read the files now. Without it they are registered without facets, no file is
                opened, and the next run over them reads them.

        Raises:
            ResourceError: The machine failed; what was registered stays.
        """
        with machine_errors_named(self._name), lease(self._layout.state / "ingest" / f"{self._name}.lock"):
            self._mark_inbox(confirm_deletions)
            comparison = self.plan()
            if comparison.held and confirm_deletions:
                comparison = replace(comparison, held=None, vanished=comparison.held_keys, held_keys=())
            self._note_hold(comparison)
            report = self._register(comparison) if fingerprint else self._register_unread(comparison)
            self._bury(comparison.vanished)
            return report

    def wait_and_apply(self, *, confirm_deletions: bool = False) -> IngestReport:
        """Like `apply`, but wait (at most 10 s) for files that still grow."""
        deadline_s = time.monotonic() + SETTLE_LIMIT_S
        report = self.apply(confirm_deletions=confirm_deletions)
        while report.unsettled and time.monotonic() < deadline_s:
            time.sleep(min(0.25, self.settings.settle_s))
            report = merged(report, self.apply(confirm_deletions=confirm_deletions))
        return report

    def hold(self) -> str | None:
        """Return why deletions are held back, or None."""
        try:
            value = orjson.loads(self._hold_path.read_bytes())
        except FileNotFoundError:
            return None
        kept = f"{len(value['keys'])} uploads are kept until `bgb ingest {self._name} --confirm-deletions`"
        return f"{value['reason']}; {kept}"

    def copy_in(self, source: Path, on_copy: Callable[[str], None] | None = None) -> list[str]:
        """Copy the uploads below `source` (or the one that it is) into the inbox; return their paths.

        A single file comes with what belongs to the same upload in its folder, such as the labels of a recording.
        Reflinks where the disk can, never hard links: a later change of the source must not reach the copy.

        Raises:
            UsageError: There is nothing to copy, or something else lies in the inbox under that name.
        """
        copied = []
        for name, origin in _uploads_of(source, self._discover):
            target = self.inbox / name
            if not same_tree(origin, target):
                if target.exists():
                    raise UsageError(f"{target} exists and differs from {origin}; remove it or rename the source")
                copy_into(self.inbox, name, origin)
            copied.append(name)
            if on_copy is not None:
                on_copy(name)
        if not copied:
            raise UsageError(f"{source}: no {self.chain.modality.upload_noun} found there")
        return copied

    def would_copy(self, source: Path) -> list[str]:
        """Return the paths that `copy_in` would copy."""
        return [name for name, _ in _uploads_of(source, self._discover)]

    def register_in_place(self, source: Path) -> None:
        """Watch an outer folder too; its files stay where they are."""
        if not source.is_dir():
            raise UsageError(f"{source}: not a folder; --in-place registers a folder of uploads")
        held = self._outer()
        text = relative_to_root(source, self.chain.store.root)
        if text in held:
            return
        place = source.resolve()
        for other in (root.path.resolve() for root in self.roots()):
            if place.is_relative_to(other) or other.is_relative_to(place):
                raise UsageError(f"{source}: {other} is watched already, and one lies in the other; one is enough")
        write_json(self._outer_path, [*held, text])

    @property
    def _outer_path(self) -> Path:
        return self._layout.state / "roots" / f"{self._name}.json"

    @property
    def _hold_path(self) -> Path:
        return self._layout.state / "holds" / f"{self._name}.json"

    def _outer(self) -> list[str]:
        try:
            roots: list[str] = orjson.loads(self._outer_path.read_bytes())
        except FileNotFoundError:
            return []
        return roots

    def _mark_inbox(self, confirmed: bool) -> None:
        seen = self._layout.state / "inboxes" / self._name
        if seen.exists() and not confirmed:
            return
        self.inbox.mkdir(parents=True, exist_ok=True)
        write_bytes(self.inbox / MARKER, b"the inbox of bgb_assets; where this file is missing, nothing is deleted\n")
        write_bytes(seen, b"")

    def _note_hold(self, comparison: Comparison) -> None:
        if comparison.held is None:
            self._hold_path.unlink(missing_ok=True)
        else:
            write_json(self._hold_path, {"reason": comparison.held, "keys": list(comparison.held_keys)})

    def _register(self, comparison: Comparison) -> IngestReport:
        held = {record.key: record for record in self.chain.uploads.all()}
        wanted = [self._record(sighting, held) for sighting in (*comparison.new, *comparison.changed)]
        by_key = {record.key: record for record in wanted}
        changed: list[str] = []
        touched: list[str] = []
        unsettled = list(comparison.unsettled)
        unrecognised: dict[str, str] = {}
        for done in recognise_all(self.chain.executor, self.chain.settings, self.chain.modality, wanted):
            if done.failure is not None:
                unsettled.append(done.key)
                by_key.pop(done.key)
                continue
            record = cast(UploadRecord, done.value)
            before = held.get(record.key)
            same = before is not None and before.state == PRESENT and before.all_facets == record.all_facets
            self.chain.uploads.observe(record if same else replace(record, pending=True))
            if before is not None and before.state == PRESENT:
                (touched if same else changed).append(record.key)
            if record.problem is not None:
                unrecognised[record.key] = record.problem.reason
        new = sorted(set(by_key) - set(changed) - set(touched))
        return IngestReport(
            new=tuple(new),
            changed=tuple(sorted(changed)),
            touched=tuple(sorted(touched)),
            vanished=comparison.vanished,
            unchanged=len(comparison.unchanged),
            unsettled=tuple(sorted(unsettled)),
            unrecognised=unrecognised,
            collided=comparison.collided,
            held=comparison.held,
            held_keys=comparison.held_keys,
            refused=comparison.refused,
        )

    def _register_unread(self, comparison: Comparison) -> IngestReport:
        held = {record.key: record for record in self.chain.uploads.all()}
        for sighting in (*comparison.new, *comparison.changed):
            self.chain.uploads.observe(replace(self._record(sighting, held), facets={}, problem=None, pending=True))
        return IngestReport(
            new=tuple(sighting.key for sighting in comparison.new),
            changed=tuple(sighting.key for sighting in comparison.changed),
            vanished=comparison.vanished,
            unchanged=len(comparison.unchanged),
            unsettled=comparison.unsettled,
            collided=comparison.collided,
            held=comparison.held,
            held_keys=comparison.held_keys,
            refused=comparison.refused,
        )

    def _record(self, sighting: Sighting, held: Mapping[str, UploadRecord]) -> UploadRecord:
        source = "inbox" if sighting.root == relative_to_root(self.inbox, self.chain.store.root) else "path"
        before = held.get(sighting.key) or UploadRecord(self._name, sighting.key, "", "", {})
        if before.fetched:  # it was taken back, and now a file has its name
            before = UploadRecord(self._name, sighting.key, "", "", {}, entries=before.entries, state=VANISHED)
        return replace(
            before, root=sighting.root, path=sighting.path, files=sighting.files, source=source, state=PRESENT
        )

    def _bury(self, keys: Sequence[str]) -> None:
        for key in keys:
            record = self.chain.uploads.require(key)
            self.chain.uploads.observe(replace(record, state=VANISHED))


def merged(first: IngestReport, second: IngestReport) -> IngestReport:
    """Return the report of two looks, one after the other."""
    return replace(
        second,
        new=tuple(sorted({*first.new, *second.new})),
        changed=tuple(sorted({*first.changed, *second.changed} - set(first.new))),
        touched=tuple(sorted({*first.touched, *second.touched} - {*first.new, *first.changed})),
        vanished=tuple(sorted({*first.vanished, *second.vanished})),
        unrecognised={**first.unrecognised, **second.unrecognised},
    )


def _uploads_of(source: Path, discover: Callable[[Path], Any]) -> Iterator[tuple[str, Path]]:
    """Yield (path below the inbox, origin) for the uploads below a folder, or the one that `source` is."""
    if not source.exists():
        raise UsageError(f"{source}: no such file or folder")
    source = source.resolve()  # `.` has no name
    if source.is_file():
        yield from ((name, source.with_name(name)) for name in _belonging(source, discover))
        return
    for found in discover(source):
        place = source / found.path
        if place.is_dir():
            yield found.path, place
        elif found.path == source.name and not place.exists():  # the folder is itself an upload
            yield found.path, source
            continue
        # Files beside the folder, or that belong together without one, such as a scan and its mask.
        apart = [name for name in found.files if not (place.is_dir() and name.startswith(f"{found.path}/"))]
        yield from ((name, source / name) for name in apart)


def _belonging(file: Path, discover: Callable[[Path], Any]) -> Sequence[str]:
    """Return the names of the files of a file's upload, itself among them; only itself where it is of none or several.

    Nothing below the folder is looked at: the modality sees the folder's own files only, as links.
    """
    with tempfile.TemporaryDirectory(prefix="bgb-beside-") as space:
        for beside in file.parent.iterdir():
            if beside.is_file():
                (Path(space) / beside.name).symlink_to(beside)
        whole = Path(space).resolve().name  # the folder is itself an upload: the file alone was asked for
        found = [one.files for one in discover(Path(space)) if one.path != whole and file.name in one.files]
    return sorted(found[0]) if len(found) == 1 else [file.name]
