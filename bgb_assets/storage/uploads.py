"""Upload records: the authority for which uploads exist, one JSON file each.

Dagster's partitions and the catalog are projections of these files. Belongs here: the record of an upload,
reading and writing it, opening its bytes as a directory. Does not belong here: finding uploads (`inbox`).
"""

import fnmatch
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import orjson

from bgb_assets.runtime import archives
from bgb_assets.runtime.errors import NewerStore, StoreError, Unstable, UsageError
from bgb_assets.storage.atomic import temporary_directory, write_json
from bgb_assets.storage.digests import Signature, canonical_json, sha256_file, sha256_json, signature
from bgb_assets.storage.layout import from_record
from bgb_assets.storage.leases import lease
from bgb_assets.storage.store import link_files

UPLOAD_FORMAT = 1
FACTS_NAME = "facts.json"
DELIVERED = "delivered"
"""The one facet of an upload that was not recognised: the digest of its bytes as they are."""
PRESENT, VANISHED = "present", "vanished"


@dataclass(frozen=True)
class Problem:
    """Why an upload could not be recognised, under which version of the raw stage."""

    reason: str
    remedy: str
    code_version: str
    kind: str = "input"


@dataclass(frozen=True)
class StageState:
    """The entry an upload has at one stage, and the one before it (for `why`)."""

    identity: str
    previous: str | None = None


@dataclass(frozen=True)
class UploadRecord:
    """One upload.

    Attributes:
        root: Folder that holds the files, relative to the data root where it lies below it.
        path: Relative POSIX path that the key was made from.
        files: Relative POSIX path -> signature, as last seen.
        facets: Content digests of its parts (`Modality.fingerprint`), or `delivered` alone where it was not
            recognised: the digest of the bytes as they are, so that quarantine has a key.
        blobs: File -> digest of its bytes, for an upload that was fetched from a source: its files lie among the
            `storage.blobs` and `files` are named as it was fetched. Empty for one that lies in a folder.
        source: `inbox`, `path` or the name of a source plug-in.
        version: What a source calls the bytes that were fetched; None for files of a folder.
        facts: What the source says about the upload; its digest is the facet `facts`.
        popularity: Values that are not content and never part of an identity.
        problem: Why it was not recognised.
        state: `present` or `vanished`.
        cost_bytes: Bound on the memory it takes in a worker.
        pending: It is new or changed, and no run has brought it through the last stage yet.
        entries: Stage -> the entry it has.
    """

    modality: str
    key: str
    root: str
    path: str
    files: Mapping[str, Signature]
    facets: Mapping[str, str] = field(default_factory=dict)
    blobs: Mapping[str, str] = field(default_factory=dict)
    source: str = "inbox"
    version: str | None = None
    origin: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    popularity: Mapping[str, Any] = field(default_factory=dict)
    problem: Problem | None = None
    state: str = PRESENT
    cost_bytes: int = 0
    pending: bool = False
    entries: Mapping[str, StageState] = field(default_factory=dict)

    @property
    def all_facets(self) -> Mapping[str, str]:
        """Return the content facets and `facts`."""
        return {**self.facets, "facts": sha256_json(self.facts)}

    @property
    def archive(self) -> str | None:
        """Return the one file that is an archive, if the upload is one."""
        names = list(self.files)
        return names[0] if len(names) == 1 and archives.archive_suffix(names[0]) else None

    @property
    def labels(self) -> Mapping[str, Any]:
        """Return what a fan-in may join: nothing of it is content."""
        return {
            "source": self.source,
            "origin": self.origin,
            "popularity": dict(self.popularity),
            "facts": dict(self.facts),
        }

    @property
    def fetched(self) -> bool:
        """Whether the upload came from a source, so that no folder shows it."""
        return bool(self.blobs)

    @property
    def ingest_command(self) -> str:
        """Return the command that looks at where the upload came from."""
        return f"bgb ingest {self.modality}" + (f" {self.source}:" if self.fetched else "")

    def with_entry(self, stage: str, identity: str) -> "UploadRecord":
        """Return the record with the entry of a stage; the one before it is kept for `why`."""
        held = self.entries.get(stage)
        if held is not None and held.identity == identity:
            return self
        state = StageState(identity, held.identity if held else None)
        return replace(self, entries={**self.entries, stage: state})

    def without_entries(self, stages: Collection[str]) -> "UploadRecord":
        """Return the record without entries at these stages: the upload was rejected there or before."""
        if not any(stage in self.entries for stage in stages):
            return self
        return replace(self, entries={name: state for name, state in self.entries.items() if name not in stages})


class Uploads:
    """The upload records of one modality.

    Args:
        folder: One JSON file per upload.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keys(self) -> list[str]:
        """Return all keys, sorted, vanished uploads included."""
        if not self._folder.is_dir():
            return []
        return sorted(path.name.removesuffix(".json") for path in self._folder.glob("[!.]*.json"))

    def get(self, key: str) -> UploadRecord | None:
        """Return one record."""
        path = self._path(key)
        try:
            return upload_from_bytes(path.read_bytes(), str(path))
        except FileNotFoundError:
            return None

    def require(self, key: str) -> UploadRecord:
        """Return one record.

        Raises:
            UsageError: There is none of that key.
        """
        record = self.get(key)
        if record is None:
            raise UsageError(
                f"no upload {key!r} in {self._folder.name}; run `bgb status {self._folder.name}` for the keys"
            )
        return record

    def all(self, keys: Sequence[str] | None = None) -> Iterator[UploadRecord]:
        """Yield records by key, in sorted order; keys without a record are passed over."""
        for key in sorted(keys) if keys is not None else self.keys():
            if (record := self.get(key)) is not None:
                yield record

    def put(self, record: UploadRecord) -> None:
        """Write a record, whole or not at all."""
        write_json(self._path(record.key), _to_json(record))

    def observe(self, record: UploadRecord) -> None:
        """Write what was seen of an upload; the entries that it has by now stay, whoever noted them."""
        with self._alone():
            held = self.get(record.key)
            self.put(replace(record, entries=held.entries) if held is not None else record)

    def note(self, key: str, change: Callable[[UploadRecord], UploadRecord]) -> None:
        """Change the entries of an upload, and whether it is pending, as it is by now; a removed one stays removed."""
        with self._alone():
            held = self.get(key)
            if held is not None and (changed := change(held)) is not held:
                self.put(replace(held, entries=changed.entries, pending=changed.pending))

    def _alone(self) -> AbstractContextManager[bool]:
        # Whoever looks at folders and whoever runs stages write different halves of one file.
        return lease(self._folder / ".lock")

    def remove(self, key: str) -> None:
        """Remove a record."""
        self._path(key).unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        if "/" in key or key.startswith("."):
            raise UsageError(f"{key!r} is no upload key; keys hold A-Z a-z 0-9 _ . - and %XX")
        return self._folder / f"{key}.json"


def blobs_in_use(folder: Path, *, but: tuple[str, str] | None = None, present: bool = False) -> set[str]:
    """Return the digests of the blobs that upload records of all modalities name.

    Args:
        folder: The folder that holds one folder of records per modality.
        but: (modality, key) of an upload that does not count.
        present: Leave out uploads that vanished.
    """
    modalities = sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    return {
        digest
        for place in modalities
        for record in Uploads(place).all()
        if (place.name, record.key) != but and (record.state == PRESENT or not present)
        for digest in record.blobs.values()
    }


def file_of(record: UploadRecord, name: str, data_root: Path) -> Path:
    """Return where one of an upload's files lies."""
    return from_record(record.root, data_root) / _place(record, name)


def is_untouched(record: UploadRecord, data_root: Path) -> bool:
    """Say whether every file still has its signature; opens nothing."""
    root = from_record(record.root, data_root)
    try:
        return all(signature(f"{root}/{_place(record, name)}") == tuple(held) for name, held in record.files.items())
    except OSError:
        return False


@contextmanager
def opened(
    record: UploadRecord, data_root: Path, temporary: Path, limits: Mapping[str, Any], only: Sequence[str] = ("*",)
) -> Iterator[Path]:
    """Give an upload as a directory: links to its files, or what its archive holds.

    Args:
        limits: Keyword arguments of `archives.unpack`.
        only: Patterns of the files to hand over; `facts.json` only where it is named.

    Raises:
        Unstable: A file is not as it was when it was fingerprinted; ingest again.
        UnsafeArchive: The archive must not be unpacked.
    """
    if not is_untouched(record, data_root):
        raise Unstable(f"{record.modality} {record.key!r}: its files changed; run `{record.ingest_command}` again")
    with temporary_directory(temporary) as space:
        if record.archive:
            source = space / "unpacked"
            source.mkdir()
            # By its own name, which says what kind of archive it is; a blob has another.
            named = link_files([(record.archive, file_of(record, record.archive, data_root))], space / "delivered")
            archives.unpack(named / record.archive, source, **limits)
            files = {p.relative_to(source).as_posix(): p for p in sorted(source.rglob("*")) if p.is_file()}
        else:
            files = {_below(record, name): file_of(record, name, data_root) for name in record.files}
        chosen = [(name, path) for name, path in files.items() if any(fnmatch.fnmatchcase(name, p) for p in only)]
        if FACTS_NAME in only:
            facts = space / FACTS_NAME
            facts.write_bytes(canonical_json(record.facts))
            # A delivered file of that name gives way: the source's word is asked for.
            chosen = [*((name, path) for name, path in chosen if name != FACTS_NAME), (FACTS_NAME, facts)]
        yield link_files(chosen, space / "view")
        require_untouched(record, data_root)


def require_untouched(record: UploadRecord, data_root: Path) -> None:
    """Check that what was read is what was fingerprinted; asked before anything made from it is committed.

    Raises:
        Unstable: A file changed while it was read.
    """
    if not is_untouched(record, data_root):
        raise Unstable(f"{record.modality} {record.key!r}: a file changed while it was read; run again")


def delivered_digest(record: UploadRecord, data_root: Path) -> str:
    """Return the digest of an upload's bytes as they were delivered."""
    files = [(_below(record, name), file_of(record, name, data_root)) for name in sorted(record.files)]
    return sha256_json([[name, sha256_file(file)] for name, file in files])


def upload_from_bytes(data: bytes, where: str) -> UploadRecord:
    """Return the upload record in some JSON.

    Raises:
        StoreError: It is damaged or of another format.
    """
    try:
        value = orjson.loads(data)
        if (held := value.pop("format")) > UPLOAD_FORMAT:
            raise NewerStore(f"{where}: upload format {held!r} is newer than {UPLOAD_FORMAT}; update bgb_assets")
        problem = value.pop("problem")
        entries = value.pop("entries")
        files = {name: tuple(held) for name, held in value.pop("files").items()}
        return UploadRecord(
            **value,
            files=files,
            problem=Problem(**problem) if problem else None,
            entries={stage: StageState(**state) for stage, state in entries.items()},
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise StoreError(f"{where}: not a valid upload record ({error!r}); remove it and ingest again") from error


def _to_json(record: UploadRecord) -> dict[str, Any]:
    value = {name: getattr(record, name) for name in record.__dataclass_fields__}
    return {"format": UPLOAD_FORMAT, **value}


def _place(record: UploadRecord, name: str) -> str:
    """Return where a file lies below the record's root."""
    digest = record.blobs.get(name)
    return name if digest is None else f"{digest[:2]}/{digest}"


def _below(record: UploadRecord, name: str) -> str:
    if record.fetched:
        return name  # as the source named it
    # A folder's files are named below the folder, a single file by its own name, others as they lie.
    if name == record.path:
        return name.rsplit("/", 1)[-1]
    return name.removeprefix(f"{record.path}/")
