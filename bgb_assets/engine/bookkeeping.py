"""The driver's books: catalog rows, upload records and quarantine rows, written in batches.

Belongs here: what only the driver writes. Does not belong here: what workers commit (`engine.walk`).
"""

import time
from collections.abc import Collection, Iterable
from dataclasses import replace
from functools import partial
from types import TracebackType

from bgb_assets.engine.outcomes import UploadOutcome
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

    def is_hit(self, known: Indexed) -> bool:
        """Say whether an indexed entry is still there as it was; a moved or copied one is looked at again."""
        signature = self._store.signature(known.record)
        if signature == known.signature:
            self._used.append(known.record.identity)
            return True
        if signature is None or not self._store.is_whole(known.record):
            return False
        self._rows.append((known.record, signature))
        return True

    def upload(self, record: UploadRecord) -> None:
        """Write an upload record."""
        self._uploads.put(record)

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
        moved = moved.with_entry(stage, item.identity) if item.rejection is None else moved.without_entry(stage)
    ended = outcome.rejection is not None or PER_UPLOAD_STAGES[-1] in outcome.stages
    # What changed again while it was walked is still to be done.
    if ended and held.pending and held.facets == walked.facets:
        moved = replace(moved, pending=False)
    return moved
