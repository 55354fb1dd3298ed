"""What fetching leads to: upload records, documents, quarantine rows, and the report of an ingest.

Belongs here: writing them, in an order in which a kill loses nothing: blobs, record, document, and last the note that
the offer was taken. Does not belong here: deciding over an offer (`engine.offers`), handing it out (`engine.sources`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from bgb_assets.chain import Chain
from bgb_assets.engine.fetching import Fetched
from bgb_assets.engine.guards import raise_if_fatal
from bgb_assets.engine.offers import Ledger, Taken, Verdict, with_labels
from bgb_assets.engine.recognise import recognise_all
from bgb_assets.modalities.sources import Offer
from bgb_assets.runtime import errors
from bgb_assets.runtime.executor import Done, Failure
from bgb_assets.runtime.monitoring import Progress
from bgb_assets.storage.atomic import write_bytes, write_json
from bgb_assets.storage.digests import as_plain, sha256_json
from bgb_assets.storage.layout import Layout
from bgb_assets.storage.uploads import PRESENT, VANISHED, UploadRecord

_BUG_REMEDY = "this is a bug in the source, or an offer it does not know: report it with the offer"


@dataclass(frozen=True)
class SourceReport:
    """What an ingest from a source led to: keys by what became of them.

    Attributes:
        touched: Held; what the source says of them changed, their bytes did not.
        held: Offered, and there already in that version.
        returned: Had vanished, are offered again, and their bytes were still there.
        refused: Not had, and not asked for again in this version until that is forgotten: key or path -> reason.
        failed: Could not be had now; the next ingest tries again: key -> reason.
        unrecognised: Registered, but the modality cannot read them: key -> reason.
        limited: The ingest stopped because as many were fetched as allowed.
        incomplete: Why the source could not be asked to the end, or None.
    """

    new: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    touched: tuple[str, ...] = ()
    returned: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    held: tuple[str, ...] = ()
    refused: Mapping[str, str] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)
    unrecognised: Mapping[str, str] = field(default_factory=dict)
    limited: bool = False
    incomplete: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the report in JSON types."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


class Landing:
    """Writes what becomes of offers, and remembers it for the report.

    Attributes:
        withdrawn: Keys that the source took back while they were fetched.
        limited: No more may be fetched.
    """

    def __init__(self, chain: Chain, ledger: Ledger, taken: Taken, progress: Progress) -> None:
        self.withdrawn: set[str] = set()
        self.limited = False
        self._chain = chain
        self._ledger = ledger
        self._taken = taken
        self._progress = progress
        self._layout = chain.store.layout
        self._name = chain.modality.name
        self._found: dict[str, list[str]] = {}
        self._reasons: dict[str, dict[str, str]] = {"refused": {}, "failed": {}, "unrecognised": {}}
        self._verdicts: dict[str, Verdict] = {}

    def take(self, offer: Offer, verdict: Verdict) -> None:
        """Note that an offer is about to be fetched."""
        self._taken.put(offer)
        self._verdicts[verdict.key] = verdict

    def note(self, offer: Offer, verdict: Verdict) -> None:
        """Do what an offer comes to that is not fetched."""
        if verdict.kind == "refused":  # still asked for: the row may be forgotten, the name become free
            self._reasons["refused"][verdict.key] = verdict.reason
        else:
            self._taken.drop(offer.path)
        if verdict.kind not in ("refused", "seen"):
            self._found.setdefault(verdict.kind, []).append(verdict.key)
        if verdict.kind == "gone" and verdict.upload is not None:
            self._chain.uploads.observe(replace(verdict.upload, state=VANISHED))
        elif verdict.kind in ("touched", "returned") and verdict.upload is not None:
            held = replace(with_labels(verdict.upload, offer), state=PRESENT)
            self._write(offer, _again(held, verdict.upload))
        if verdict.kind != "seen":
            self._progress.advance("hit" if verdict.kind == "held" else verdict.kind)

    def land(self, offer: Offer, done: Done) -> None:
        """Register what was fetched, or say why it was not.

        Raises:
            ResourceError: The machine failed.
            ContractError: The source breaks its contract.
        """
        verdict = self._verdicts.pop(done.key)
        if done.failure is not None:
            self._fail(offer, done.key, done.failure)
            return
        record = self._record(offer, done.key, cast(Fetched, done.value))
        if record.state == VANISHED and verdict.upload is None:
            outcome = "withdrawn"  # nobody has seen it
        else:
            outcome = "gone" if record.state == VANISHED else verdict.kind
            self._found.setdefault(outcome, []).append(done.key)
            self._write(offer, record)
        self._ledger.refusals.forget(done.key)
        self._taken.drop(offer.path)
        self._progress.advance(outcome)

    def unrecognised(self, key: str, reason: str) -> None:
        """Note that the modality cannot read an upload."""
        self._reasons["unrecognised"][key] = reason

    def failed(self, key: str, reason: str) -> None:
        """Note what could not be had or read now."""
        self._reasons["failed"][key] = reason

    def report(self, incomplete: str | None) -> SourceReport:
        """Return what was done."""
        kinds = {kind: tuple(sorted(keys)) for kind, keys in self._found.items()}
        return SourceReport(**kinds, **self._reasons, limited=self.limited, incomplete=incomplete)  # type: ignore[arg-type]

    def _fail(self, offer: Offer, key: str, failure: Failure) -> None:
        where = f"{self._name}/source {offer.path!r}"
        if failure.error_type == "SourceError":
            self.failed(key, failure.message)
            self._progress.advance("failed")
            return
        ours = failure.kind == "bug" and hasattr(errors, failure.error_type)
        if failure.kind == "resource" or ours:
            raise_if_fatal(failure, where)
        reason, remedy = failure.reason, failure.remedy
        if failure.kind == "bug":
            reason, remedy = f"{failure.error_type}: {failure.message}", _BUG_REMEDY
        kind = "input" if failure.kind == "input" else "crash"
        row = self._ledger.refusals.add(key, offer, kind, reason, remedy)
        self._reasons["refused"][key] = f"{row.reason}; {row.remedy}"
        self._progress.advance("refused")

    def _record(self, offer: Offer, key: str, fetched: Fetched) -> UploadRecord:
        """Return the upload's record with what was fetched; facets are read later where the bytes are others."""
        before = self._chain.uploads.get(key)
        base = before or UploadRecord(self._name, key, "", "", {})
        record = replace(
            with_labels(base, offer),
            root=Layout.BLOBS,
            path=offer.path,
            files=dict(fetched.files),
            blobs=dict(fetched.blobs),
            source=self._ledger.prefix,
            version=offer.version,
            state=VANISHED if key in self.withdrawn else PRESENT,
        )
        if before is not None and before.blobs == record.blobs:
            return _again(record, before)
        return replace(record, facets={}, problem=None, cost_bytes=0, pending=True)

    def _write(self, offer: Offer, record: UploadRecord) -> None:
        self._chain.uploads.observe(record)
        document = self._layout.document(self._name, record.key)
        if offer.document is None:
            document.unlink(missing_ok=True)
        else:
            write_json(document, offer.document)


def _again(record: UploadRecord, before: UploadRecord) -> UploadRecord:
    """Return a record of the same bytes: a run is asked for only where a stage may read what changed."""
    news = before.state != PRESENT or record.all_facets != before.all_facets
    return replace(record, pending=before.pending or news)


def recognise_fetched(chain: Chain, prefix: str, landing: Landing, log: Callable[[str], None]) -> None:
    """Fingerprint what was fetched and not read yet, by an earlier ingest that was killed too.

    Raises:
        ResourceError: The machine failed; a run over the uploads reads what is left.
    """
    unread = _note_said(chain, prefix)
    if not unread:
        return
    with Progress(len(unread), f"{chain.modality.name}: reading what was fetched", log) as progress:
        for done in recognise_all(chain.executor, chain.settings, chain.modality, unread):
            if done.failure is not None:
                landing.failed(done.key, done.failure.message)
                progress.advance("failed")
                continue
            record = cast(UploadRecord, done.value)
            now = chain.uploads.get(record.key)
            if now is not None and not now.facets and now.blobs == record.blobs:  # a run may have been there
                chain.uploads.observe(replace(now, **_read(record)))
            if record.problem is not None:
                landing.unrecognised(record.key, record.problem.reason)
            progress.advance()


def _note_said(chain: Chain, prefix: str) -> list[UploadRecord]:
    """Keep the digest of what sources say; return the uploads of one source that were never read."""
    unread: list[UploadRecord] = []
    said: list[list[Any]] = []
    for record in chain.uploads.all():
        if record.state != PRESENT or not record.fetched:
            continue
        if record.source == prefix and not record.facets:
            unread.append(record)
        if not record.pending:
            said.append([record.key, record.origin, as_plain(record.popularity)])
    path = _said_path(chain.store.layout, chain.modality.name)
    if said:
        write_bytes(path, sha256_json(said).encode())
    else:
        path.unlink(missing_ok=True)
    return unread


def _read(record: UploadRecord) -> dict[str, Any]:
    names = ("files", "facets", "problem", "cost_bytes")
    return {name: getattr(record, name) for name in names}


def digest_of_said(layout: Layout, modality: str) -> str | None:
    """Return the digest of what sources said, at the last ingest, of the uploads that had been through a run.

    A manifest joins what is said with what was made; where only the former changed, no run over uploads tells it so.
    """
    try:
        return _said_path(layout, modality).read_text()
    except FileNotFoundError:
        return None


def _said_path(layout: Layout, modality: str) -> Path:
    return layout.state / "said" / modality
