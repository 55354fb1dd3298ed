"""The stage store: entries by identity. Used by workers and driver alike; knows no catalog and no upload.

`lookup` finds an entry, `building` gives a directory to work in and commits it, `view` hands files over.
Belongs here: committing, reading, verifying single entries. Does not belong here: which identity is wanted
(`bgb_assets.chain`), the index over all entries (`catalog`), space (`prune`).
"""

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path

from bgb_assets.runtime.errors import ContractError, NewerStore, ResourceError, StoreError
from bgb_assets.storage.atomic import remove_tree, temporary_directory
from bgb_assets.storage.backend import Backend, EntrySignature, LocalBackend
from bgb_assets.storage.digests import sha256_file, sha256_json
from bgb_assets.storage.layout import Layout
from bgb_assets.storage.leases import lease
from bgb_assets.storage.records import RECORD_NAME, Output, Record, record_from_bytes

log = logging.getLogger(__name__)


class StageStore:
    """Entries of all stages below one data root.

    Args:
        root: The data root; made if missing.
        backend: Where entries live; the local disk by default.
    """

    def __init__(self, root: Path, backend: Backend | None = None) -> None:
        self.root = root
        self.layout = Layout(root)
        self.backend: Backend = backend or LocalBackend(root, self.layout.temporary)

    def lookup(self, stage: str, modality: str, identity: str) -> Record | None:
        """Return the record of an entry, None where there is none; one with a damaged record does not exist.

        Raises:
            NewerStore: A later version wrote the record.
        """
        location = self.layout.location(stage, modality, identity)
        data = self.backend.read_record(location)
        if data is None:
            return None
        try:
            record = record_from_bytes(data, location)
        except NewerStore:
            raise
        except StoreError as error:
            log.warning("%s", error)
            return None
        if record.identity != identity:
            log.warning("%s: the record is of %r, so that it does not count", location, record.identity)
            return None
        return record

    def signature(self, record: Record) -> EntrySignature | None:
        """Return an entry's signature, None where it is gone."""
        return self.backend.signature(self.location(record))

    def location(self, record: Record) -> str:
        """Return an entry's place relative to the root."""
        return self.layout.location(record.stage, record.modality, record.identity)

    def directory(self, record: Record) -> Path:
        """Return the local directory with an entry's files."""
        return self.backend.directory(self.location(record))

    def is_whole(self, record: Record) -> bool:
        """Say whether every file that the record and its parts list is there with its size; opens no such file."""
        if not record.evicted and not self._has_outputs(record):
            return False
        parts = (self.lookup(record.stage, record.modality, identity) for identity in record.parts.values())
        return all(part is not None and self.is_whole(part) for part in parts)

    def _has_outputs(self, record: Record) -> bool:
        directory = self.directory(record)
        try:
            return all(os.stat(directory / name).st_size == out.bytes for name, out in record.outputs.items())  # noqa: PTH116
        except OSError:
            return False

    @contextmanager
    def building(self) -> Iterator[Path]:
        """Give an empty directory `out` on the store's disk; commit it before the block ends, or it is dropped."""
        with temporary_directory(self.layout.temporary) as temporary:
            out = temporary / "out"
            out.mkdir()
            yield out

    @contextmanager
    def resuming(self, identity: str) -> Iterator[tuple[Path, Path]]:
        """Give (`out`, `work`) below `.work/<identity>` under this identity's lease.

        `out` is empty; `work` holds what a killed attempt left. One process at a time: others wait.
        """
        base = self.layout.work / identity
        with lease(self.layout.work / f"{identity}.lock"):
            out, work = base / "out", base / "work"
            remove_tree(out)
            out.mkdir(parents=True)
            work.mkdir(exist_ok=True)
            yield out, work

    def finish_resumed(self, identity: str) -> None:
        """Remove the working directory of a resumable entry that is committed."""
        remove_tree(self.layout.work / identity)

    def commit(self, out: Path, record: Record, *, overwrite: bool = False, expected: str | None = None) -> Record:
        """Publish a directory as the entry of `record`; its outputs are listed and digested here.

        Two processes that build one entry race harmlessly: the second's directory is dropped.

        Args:
            overwrite: Replace what lies there. An entry that is damaged or lacks files is replaced anyhow.
            expected: The data version that the outputs must have, for bytes that are made again.

        Returns:
            The record that holds now.

        Raises:
            ContractError: The stage wrote a link or the record, or other bytes than `expected`.
            ResourceError: The disk refuses.
        """
        whole = replace(record, outputs=list_outputs(out))
        location = self.location(whole)
        if expected is not None and whole.data_version != expected:
            raise ContractError(
                f"{location}: made again, the outputs differ ({expected[:12]} -> {whole.data_version[:12]}); "
                "raise the stage's code_version"
            )
        try:
            (out / RECORD_NAME).write_bytes(whole.to_bytes())
            if self.backend.publish(out, location, replace=overwrite):
                return whole
            held = self.lookup(whole.stage, whole.modality, whole.identity)
            if held is not None and self.is_whole(held):
                return held
            self.backend.publish(out, location, replace=True)
            return whole
        except OSError as error:
            raise ResourceError(f"{location}: cannot be committed: {error}; mend the disk and run again") from error

    def verify(self, record: Record) -> list[str]:
        """Return what is wrong with an entry's bytes: files missing, changed, or listed nowhere."""
        if record.evicted:
            return []
        directory = self.directory(record)
        if sha256_json(record.parts_of_identity) != record.identity:
            return ["the identity is not the digest of its parts"]
        found = {path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file()}
        problems = [f"{name}: not in the record" for name in sorted(found - {*record.outputs, RECORD_NAME})]
        for name, output in sorted(record.outputs.items()):
            if name not in found:
                problems.append(f"{name}: missing")
            elif sha256_file(directory / name) != output.digest:
                problems.append(f"{name}: bytes differ from the record")
        return problems


def in_use(store: StageStore) -> AbstractContextManager[bool]:
    """Hold the store against removal of entries, as any number of runs may."""
    return lease(store.layout.state / "in_use.lock", shared=True)


@contextmanager
def unused(store: StageStore) -> Iterator[None]:
    """Hold the store alone, to remove entries.

    Raises:
        StoreError: A run is in progress: what it just made is reachable from nowhere yet.
    """
    with lease(store.layout.state / "in_use.lock", wait=False) as held:
        if not held:
            raise StoreError(f"{store.root}: a run is in progress; remove entries when it has ended")
        yield


def list_outputs(out: Path) -> dict[str, Output]:
    """Return every file below a directory with size and digest.

    Raises:
        ContractError: A stage wrote a link or a file named like the record.
    """
    outputs: dict[str, Output] = {}
    for path in sorted(out.rglob("*")):
        name = path.relative_to(out).as_posix()
        if path.is_symlink():
            raise ContractError(f"{name}: a stage must not write links; copy the bytes or use `references`")
        if path.is_file():
            if name == RECORD_NAME:
                raise ContractError(f"a stage must not write {RECORD_NAME!r}; the engine does")
            outputs[name] = Output(path.stat().st_size, sha256_file(path))
    return outputs


def link_files(files: Sequence[tuple[str, Path]], view: Path) -> Path:
    """Fill a directory with links: what a stage may read, and nothing else.

    Args:
        files: (relative POSIX name, file) pairs.
        view: A directory that does not exist yet.
    """
    view.mkdir(parents=True)
    for name, source in files:
        link = view / name
        if "/" in name:
            link.parent.mkdir(parents=True, exist_ok=True)
        os.symlink(source.absolute(), link)  # noqa: PTH211 - hot: once per file and stage
    return view
