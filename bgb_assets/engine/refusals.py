"""What is not fetched: offers that were rejected and uploads that were removed for good.

Each is a row of the quarantine beside those that stages made, one per upload key. Belongs here: making and finding
those rows. Does not belong here: deciding over an offer (`engine.offers`).
"""

from collections.abc import Iterator

from bgb_assets.modalities.sources import Offer
from bgb_assets.storage.digests import sha256_json
from bgb_assets.storage.quarantine import Quarantine, Rejection
from bgb_assets.storage.uploads import UploadRecord

STAGE = "source"
"""Stands in the place of a stage's name."""
REMOVED = "removed"
"""Kind of a row that holds whatever version is offered."""


class Refusals:
    """The rows of one modality that keep offers out."""

    def __init__(self, quarantine: Quarantine, modality: str) -> None:
        self._quarantine = quarantine
        self._modality = modality
        self._rows = {row.key: row for row in refusal_rows(quarantine)}

    def of(self, key: str, offer: Offer) -> Rejection | None:
        """Return the row that keeps an offer out now: of the same version, and not one to be tried again."""
        row = self._rows.get(key)
        if row is None or row.retried:
            return None
        return row if row.kind == REMOVED or row.identity == self._identity(offer) else None

    def add(self, key: str, offer: Offer, kind: str, reason: str, remedy: str) -> Rejection:
        """Reject an offer in its version; a row of an older version goes."""
        held = self._rows.get(key)
        identity = self._identity(offer)
        if held is not None and held.identity != identity:
            self.forget(key)
        where = f"{self._modality}/{STAGE} {key!r}"
        row = Rejection(identity, self._modality, STAGE, key, kind, f"{where}: {reason}", remedy)
        self._rows[key] = self._quarantine.add(row)
        return self._rows[key]

    def forget(self, key: str) -> None:
        """Drop the row of a key, if there is one."""
        row = self._rows.pop(key, None)
        if row is not None:
            self._quarantine.remove(row.identity)

    def _identity(self, offer: Offer) -> str:
        return _identity(self._modality, offer.path, offer.version)


def refuse_removed(quarantine: Quarantine, upload: UploadRecord) -> None:
    """Keep an upload that a person removed from being fetched again."""
    reason = f"{upload.modality}/{STAGE} {upload.key!r}: it was removed by hand"
    remedy = f"`bgb quarantine retry {upload.modality} {upload.key}` lets the next ingest fetch it"
    identity = _identity(upload.modality, upload.path, None)
    quarantine.add(Rejection(identity, upload.modality, STAGE, upload.key, REMOVED, reason, remedy))


def refusal_rows(quarantine: Quarantine) -> Iterator[Rejection]:
    """Yield the rows that no stage made, by identity."""
    return (row for row in quarantine.rows() if row.stage == STAGE)


def _identity(modality: str, path: str, version: str | None) -> str:
    return sha256_json({"stage": STAGE, "modality": modality, "path": path, "version": version})
