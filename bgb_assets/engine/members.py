"""The uploads of a fan-in: what each contributes to the identity, and directories that are made on demand.

Belongs here: members and their views. Does not belong here: running a fan-in (`engine.fan_in`).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bgb_assets.chain import Chain
from bgb_assets.engine.walk import Walker, WalkTask, declared_files, is_evicted
from bgb_assets.modalities.contract import UPLOAD, EntryView, Member, Stage, iterate_reads, matches
from bgb_assets.runtime.errors import StoreError
from bgb_assets.storage.digests import as_plain, sha256_file, sha256_json, sha256_pairs
from bgb_assets.storage.records import Record
from bgb_assets.storage.store import StageStore, link_files
from bgb_assets.storage.uploads import UploadRecord


@dataclass(frozen=True)
class FanInInputs:
    """What a fan-in reads of its uploads.

    Attributes:
        records: Upload key -> stage -> entry.
        digests: Upload key -> digest of what is read of it; together they are the facet `members`.
    """

    chain: Chain
    stage: Stage
    uploads: Sequence[UploadRecord]
    records: Mapping[str, Mapping[str, Record]]
    digests: Mapping[str, str]

    def open(self, space: Path) -> Sequence[Member]:
        """Return the members; an entry's directory is linked when it is first asked for."""
        labelled = any(iterate_reads(self.stage, UPLOAD))
        return [
            Member(
                upload.key,
                upload.labels if labelled else {},
                _Entries(self, upload, self.records[upload.key], space / upload.key),
            )
            for upload in self.uploads
        ]

    def view(self, record: Record) -> EntryView:
        """Return an entry whose files are read in place."""
        return _view(self.chain.store, record, self.chain.store.directory(record))

    def linked(self, upload: UploadRecord, source: str, record: Record, view: Path) -> Path:
        """Fill `view` with links to the declared files of an entry; evicted bytes are made anew first."""
        patterns = tuple(p for read in iterate_reads(self.stage, source) for p in read.files)
        if not patterns or not is_evicted(self.chain.store, record):
            return link_files(declared_files(self.chain.store, record, patterns), view)
        task = WalkTask(
            self.chain.settings.data_root,
            self.chain.modality,
            self.chain.stages_of(upload),
            upload,
            frozenset(),
            self.chain.records_of(upload),
        )
        return Walker(task).entry_view(source, patterns, view)


class _Entries(Mapping[str, EntryView]):
    """The entries of one member; a directory is made when it is asked for, not when a facet is."""

    def __init__(self, inputs: FanInInputs, upload: UploadRecord, records: Mapping[str, Record], space: Path) -> None:
        self._inputs = inputs
        self._upload = upload
        self._records = records
        self._space = space

    def __getitem__(self, source: str) -> EntryView:
        record = self._records[source]
        directory = self._space / source
        return _LinkedView(
            _view(self._inputs.chain.store, record, directory),
            lambda: self._inputs.linked(self._upload, source, record, directory),
        )

    def __iter__(self) -> Iterator[str]:
        return iter(self._records)

    def __len__(self) -> int:
        return len(self._records)


class _LinkedView(EntryView):
    """A view whose directory is linked when it is first asked for: of evicted bytes, they are made anew for that.

    A type of its own, and derived, because stage functions read plain attributes of an `EntryView`.
    """

    def __init__(self, view: EntryView, link: Callable[[], Path]) -> None:
        # Past the frozen type's own way of setting fields; the one that is left out arrives at `__getattr__`.
        self.__dict__.update({name: value for name, value in vars(view).items() if name != "directory"})
        self.__dict__["_linked"] = (view.directory, link)

    def __getattr__(self, name: str) -> Any:
        if name != "directory":
            raise AttributeError(name)
        directory, link = self.__dict__["_linked"]
        if not directory.exists():
            link()
        self.__dict__["directory"] = directory
        return directory


def members_of(chain: Chain, stage: Stage, uploads: Sequence[UploadRecord]) -> FanInInputs:
    """Look up what a fan-in reads of each upload, in one pass over the catalog.

    Raises:
        StoreError: An entry that an upload record names is gone.
    """
    sources = [name for name in dict.fromkeys(r.source for r in stage.reads) if name not in ("manifest", "tokens")]
    stages = [name for name in sources if name != UPLOAD]
    wanted = [upload.entries[name].identity for upload in uploads for name in stages]
    known = {identity: held.record for identity, held in chain.catalog.get_many(wanted).items()}
    records: dict[str, dict[str, Record]] = {}
    digests: dict[str, str] = {}
    for upload in uploads:
        found = {name: _record(chain, upload, name, known) for name in stages}
        records[upload.key] = found
        read: dict[str, object] = {name: _facets_read(stage, name, record) for name, record in found.items()}
        if UPLOAD in sources:
            read[UPLOAD] = as_plain(upload.labels)
        digests[upload.key] = sha256_json(read)
    return FanInInputs(chain, stage, uploads, records, digests)


def pins_digest(folder: Path) -> str:
    """Return the digest of a folder of pin files; a missing one is an empty one."""
    files = sorted(path for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else []
    return sha256_pairs([(path.relative_to(folder).as_posix(), sha256_file(path)) for path in files])


def _record(chain: Chain, upload: UploadRecord, stage: str, known: Mapping[str, Record]) -> Record:
    identity = upload.entries[stage].identity
    record = known.get(identity) or chain.store.lookup(stage, chain.modality.name, identity)
    if record is None or chain.store.signature(record) is None:
        raise StoreError(
            f"{chain.modality.name}/{stage} {upload.key!r}: its entry {identity[:12]} is gone; "
            f"run `bgb materialize {chain.modality.name}` to make it again"
        )
    return record


def _facets_read(stage: Stage, source: str, record: Record) -> dict[str, str]:
    patterns = tuple(p for read in iterate_reads(stage, source) for p in read.facets)
    return {name: digest for name, digest in record.facets.items() if matches(name, patterns)}


def _view(store: StageStore, record: Record, directory: Path) -> EntryView:
    return EntryView(
        identity=record.identity,
        location=store.location(record),
        facets=record.facets,
        metadata=record.metadata,
        directory=directory,
        absent=record.absent,
    )
