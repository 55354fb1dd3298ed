"""Removal: one upload taken out, and with a purge every byte that was made from it.

Belongs here: what has to go, in an order that a kill cannot turn into a loss of something else.
Does not belong here: making room (`engine.space`).
"""

from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from bgb_assets.chain import Chain
from bgb_assets.engine.refusals import REMOVED, refuse_removed
from bgb_assets.modalities.contract import FAN_IN_STAGES
from bgb_assets.storage.atomic import remove_tree
from bgb_assets.storage.blobs import Blobs
from bgb_assets.storage.heads import heads_of
from bgb_assets.storage.inbox import MARKER
from bgb_assets.storage.layout import from_record
from bgb_assets.storage.records import Record
from bgb_assets.storage.store import unused
from bgb_assets.storage.uploads import UploadRecord, blobs_in_use


@dataclass(frozen=True)
class Removal:
    """What was removed.

    Attributes:
        files: Delivered or fetched files that were deleted.
        entries: Entries that were deleted.
        remade: Fan-in stages that held the upload and have to be made again.
    """

    files: int
    entries: int
    remade: tuple[str, ...]


def remove_upload(chain: Chain, key: str, *, purge: bool) -> Removal:
    """Delete an upload's files in the inbox and its record; files registered in place stay where they are.

    One that was fetched is not fetched again; its bytes stay until a prune.

    Args:
        purge: Delete its entries and fetched bytes too (but for those that another upload shares) and every
            compacted file, shard, manifest, token index and model that holds it.

    Raises:
        UsageError: There is no such upload.
        StoreError: A purge, while a run is in progress.
    """
    # A purge must not meet a run that has just built on what is removed.
    with unused(chain.store) if purge else nullcontext():
        return _remove(chain, chain.uploads.require(key), purge=purge)


def _remove(chain: Chain, upload: UploadRecord, *, purge: bool) -> Removal:
    doomed = _own_entries(chain, upload) if purge else []
    fan_ins = _fan_in_entries(chain, upload.key) if purge else []
    if upload.fetched:
        refuse_removed(chain.quarantine, upload)
    files = _delete_files(chain, upload, purge=purge)
    for record in (*fan_ins, *doomed):
        chain.store.backend.remove(chain.store.location(record))
    chain.catalog.remove_many(record.identity for record in (*fan_ins, *doomed))
    remade = _drop_heads(chain, {record.identity for record in fan_ins})
    for row in list(chain.quarantine.rows()):
        if row.key == upload.key and row.kind != REMOVED:
            chain.quarantine.remove(row.identity)
    chain.uploads.remove(upload.key)
    return Removal(files, len(doomed) + len(fan_ins), remade)


def _own_entries(chain: Chain, upload: UploadRecord) -> list[Record]:
    """Return the upload's entries, older ones included, that no other upload points at."""
    shared = {
        state.identity for other in chain.uploads.all() if other.key != upload.key for state in other.entries.values()
    }
    wanted = {state.identity for state in upload.entries.values()}
    wanted |= {state.previous for state in upload.entries.values() if state.previous}
    found = [held.record for held in chain.catalog.get_many(wanted - shared).values()]
    parts = {identity for record in found for identity in record.parts.values()}
    return found + [held.record for held in chain.catalog.get_many(parts).values()]


def _fan_in_entries(chain: Chain, key: str) -> list[Record]:
    """Return every manifest, token and model entry in whose making the upload took part."""
    every = [held.record for stage in FAN_IN_STAGES for held in chain.catalog.entries(chain.modality.name, stage)]
    holding = {record.identity for record in every if key in record.members}
    # A part does not name its uploads; the entries that list it do. What other entries list too goes as well.
    parts = {identity for record in every if record.identity in holding for identity in record.parts.values()}
    holding |= parts
    holding |= {record.identity for record in every if record.stage == "model"}
    return [record for record in every if record.identity in holding]


def _drop_heads(chain: Chain, identities: set[str]) -> tuple[str, ...]:
    heads = heads_of(chain.store.layout, chain.modality.name)
    dropped = [name for name, head in heads.all().items() if head.identity in identities]
    for name in dropped:
        heads.drop(name)
    return tuple(dropped)


def _delete_files(chain: Chain, upload: UploadRecord, *, purge: bool) -> int:
    if upload.fetched:
        chain.store.layout.document(upload.modality, upload.key).unlink(missing_ok=True)
        return _delete_blobs(chain, upload) if purge else 0
    if upload.source != "inbox":
        return 0
    root = from_record(upload.root, chain.store.root)
    count = 0
    for name in upload.files:
        path = root / name
        if path.is_file():
            path.unlink()
            count += 1
    _remove_empty(root / upload.path, root)
    return count


def _delete_blobs(chain: Chain, upload: UploadRecord) -> int:
    shared = blobs_in_use(chain.store.layout.all_uploads, but=(upload.modality, upload.key))
    doomed = set(upload.blobs.values()) - shared
    for digest in sorted(doomed):
        Blobs(chain.store.layout).remove(digest)
    return len(doomed)


def _remove_empty(folder: Path, root: Path) -> None:
    if folder.is_dir() and not any(path.is_file() and path.name != MARKER for path in folder.rglob("*")):
        remove_tree(folder)
    parent = folder.parent
    if parent != root and parent.is_dir() and not any(parent.iterdir()):
        _remove_empty(parent, root)
