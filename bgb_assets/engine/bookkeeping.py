"""The driver's books: catalog rows, upload records and quarantine rows, written in batches.

Belongs here: what only the driver writes. Does not belong here: what workers commit (`engine.walk`).
"""

import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from functools import partial
from types import TracebackType

from bgb_assets.engine.outcomes import UploadOutcome
from bgb_assets.engine.walk import parts_of
from bgb_assets.modalities.contract import PER_UPLOAD_STAGES
from bgb_assets.storage.backend import EntrySignature
from bgb_assets.storage.catalog import Catalog, Indexed
from bgb_assets.storage.quarantine import Quarantine
from bgb_assets.storage.records import Record
from bgb_assets.storage.store import StageStore
from bgb_assets.storage.uploads import UploadRecord, Uploads

BATCH = 400
AGE_S = 2.0


class Bookkeeper:
    """Collects what a run learns and writes it in short transactions; a context manager that flushes."""

    def __init__(self, store: StageStore, catalog: Catalog, uploads: Uploads, quarantine: Quarantine) -> None:
        self._store = store
        self._catalog = catalog
        self._uploads = uploads
        self._quarantine = quarantine
        self._rows: list[tuple[Record, EntrySignature]] = []
        self._used: list[str] = []
        self._flushed_s = time.monotonic()
        self.rejected_identities = quarantine.identities()

    def __enter__(self) -> "Bookkeeper":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.flush()

    def hit(self, known: Indexed, parts: Mapping[str, Indexed]) -> Record | None:
        """Return the record of an indexed entry if it is still there; a moved, copied or changed one is read anew.

        Args:
            parts: Identity -> what the catalog knows, for at least the parts of the entry.
        """
        own = [parts.get(identity) for identity in known.record.parts.values()]
        if all(held is not None and self._is_untouched(held) for held in (known, *own)):
            self._used += [known.record.identity, *known.record.parts.values()]
            return known.record
        record = self._store.lookup(known.record.stage, known.record.modality, known.record.identity)
        if record is None or not self._store.is_whole(record):
            return None
        self.index((record, *parts_of(self._store, record).values()))
        return record

    def _is_untouched(self, known: Indexed) -> bool:
        # In a folder below the entry's own a file can be missing without a trace.
        untouched = self._store.signature(known.record) == known.signature
        return untouched and (known.record.is_flat or self._store.is_whole(known.record))

    def upload(self, record: UploadRecord) -> None:
        """Write what was seen of an upload."""
        self._uploads.observe(record)

    def outcome(self, upload: UploadRecord, outcome: UploadOutcome, indexed: Collection[str]) -> None:
        """Note what became of an upload: its entries, catalog rows, and rejections made or resolved.

        Args:
            indexed: The stages whose entries the catalog is known to hold.
        """
        if outcome.unstable:
            return
        for stage, item in outcome.stages.items():
            if item.rejection is None:
                self._resolve(item.identity)
                if stage not in indexed:
                    self.index((item.record, *item.parts))
        self._reject(outcome)
        change = partial(_after, walked=upload, outcome=outcome)
        if change(upload) is not upload:
            self._uploads.note(upload.key, change)
        if len(self._rows) >= BATCH or time.monotonic() - self._flushed_s > AGE_S:
            self.flush()

    def index(self, records: Iterable[Record | None]) -> None:
        """Put entries into the catalog with the next batch."""
        for record in records:
            signature = self._store.signature(record) if record is not None else None
            if record is not None and signature is not None:
                self._rows.append((record, signature))

    def flush(self) -> None:
        """Write what was collected."""
        self._catalog.put_many(self._rows)
        self._catalog.touch_many(self._used)
        self._rows, self._used, self._flushed_s = [], [], time.monotonic()

    def _resolve(self, identity: str) -> None:
        if identity in self.rejected_identities and self._quarantine.remove(identity):
            self.rejected_identities.discard(identity)

    def _reject(self, outcome: UploadOutcome) -> None:
        row = outcome.rejection
        if row is not None and any(item.called for item in outcome.stages.values() if item.rejection is not None):
            self._quarantine.add(row)
            self.rejected_identities.add(row.identity)


def _after(held: UploadRecord, *, walked: UploadRecord, outcome: UploadOutcome) -> UploadRecord:
    """Return an upload's record with what a walk made of it; the same object where nothing changed."""
    moved = held
    for stage, item in outcome.stages.items():
        moved = moved.with_entry(stage, item.identity) if item.rejection is None else moved
    if outcome.rejection is not None:
        # What comes after the rejected stage was made from something older: it must not reach a fan-in.
        moved = moved.without_entries(PER_UPLOAD_STAGES[PER_UPLOAD_STAGES.index(outcome.rejection.stage) :])
    ended = outcome.rejection is not None or PER_UPLOAD_STAGES[-1] in outcome.stages
    # What changed again while it was walked is still to be done.
    if ended and held.pending and held.facets == walked.facets:
        moved = replace(moved, pending=False)
    return moved
