"""Offers of a source against what is held: what to fetch, what only to note, what to leave out.

Belongs here: deciding, without fetching or writing an upload, and the list of offers that were accepted and are not
had yet. Does not belong here: acting on a decision (`engine.sources`), talking to a source.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

import orjson

from bgb_assets.chain import Chain
from bgb_assets.engine.refusals import Refusals
from bgb_assets.modalities.sources import Offer
from bgb_assets.runtime.errors import BadInput, ContractError
from bgb_assets.storage.atomic import write_json
from bgb_assets.storage.blobs import Blobs
from bgb_assets.storage.digests import as_plain, canonical_json, sha256_json
from bgb_assets.storage.keys import key_of
from bgb_assets.storage.uploads import PRESENT, UploadRecord, is_untouched

Kind = Literal["new", "changed", "held", "touched", "returned", "gone", "refused", "seen"]


@dataclass(frozen=True)
class Verdict:
    """What an offer comes to.

    Attributes:
        kind: To be fetched: `new`, `changed` (another version, or its bytes are damaged). Held: `held`, `touched`
            (other labels), `returned` (it had vanished). Else `gone`, `refused`, or `seen`: nothing to do.
        key: The upload's key; the path where that can be none.
        reason: Why it is refused.
        upload: The upload as this source left it, if there is one.
    """

    kind: Kind
    key: str
    reason: str = ""
    upload: UploadRecord | None = None

    @property
    def to_fetch(self) -> bool:
        """Whether the bytes are wanted."""
        return self.kind in ("new", "changed")


class Ledger:
    """What is held of one source, and what was offered so far."""

    def __init__(self, chain: Chain, prefix: str) -> None:
        self.prefix = prefix
        self.refusals = Refusals(chain.quarantine, chain.modality.name)
        self.held: dict[str, str] = {}
        self._chain = chain
        self._blobs = Blobs(chain.store.layout)
        self._holders: dict[str, tuple[str, str, str]] = {}
        self._seen: set[str] = set()
        for record in chain.uploads.all():
            if record.state == PRESENT:
                self._holders[record.key.casefold()] = (record.key, record.source, record.path)
                if self._is_own(record) and self._is_whole(record):
                    self.held[record.path] = record.version or ""

    def judge(self, offer: Offer) -> Verdict:
        """Decide over an offer; the first of a key decides, but that it is gone is heard at any time.

        Raises:
            ContractError: The source names it outside its own names.
        """
        if not offer.path.startswith(self.prefix):
            raise ContractError(f"source {self.prefix!r}: offers must begin with its name, got {offer.path!r}")
        try:
            key = key_of(offer.path)
        except BadInput as error:
            return Verdict("refused", offer.path, str(error))
        own = (key, self.prefix, offer.path)
        holder = self._holders.get(key.casefold(), own)
        if holder != own:
            reason = f"its name is taken by the upload {holder[0]!r} from {holder[1]}; remove that one to have this one"
            return Verdict("refused", key, reason)
        upload = self._chain.uploads.get(key)
        if upload is not None and not (self._is_own(upload) and upload.path == offer.path):
            upload = None
        if offer.gone:
            present = upload is not None and upload.state == PRESENT
            return Verdict("gone" if present else "seen", key, upload=upload)
        if key in self._seen:
            return Verdict("seen", key)
        self._seen.add(key)
        return self._weigh(offer, key, upload)

    def take(self, key: str, path: str) -> None:
        """Keep a key for an offer that is being fetched."""
        self._holders[key.casefold()] = (key, self.prefix, path)

    def _weigh(self, offer: Offer, key: str, upload: UploadRecord | None) -> Verdict:
        if row := self.refusals.of(key, offer):
            return Verdict("refused", key, f"{row.reason}; {row.remedy}", upload)
        if upload is None:
            return Verdict("new", key)
        present = upload.state == PRESENT
        if upload.version != offer.version or not self._is_whole(upload):
            return Verdict("changed" if present else "new", key, upload=upload)
        if not present:
            return Verdict("returned", key, upload=upload)
        same = with_labels(upload, offer) == upload and self._same_document(key, offer)
        return Verdict("held" if same else "touched", key, upload=upload)

    def _is_own(self, record: UploadRecord) -> bool:
        return record.fetched and record.source == self.prefix

    def _is_whole(self, record: UploadRecord) -> bool:
        untouched = is_untouched(record, self._chain.store.root)
        return untouched or all(self._blobs.is_whole(digest) for digest in record.blobs.values())

    def _same_document(self, key: str, offer: Offer) -> bool:
        path = self._chain.store.layout.document(self._chain.modality.name, key)
        held = path.read_bytes() if path.is_file() else None
        return held == (None if offer.document is None else canonical_json(offer.document) + b"\n")


class Taken:
    """Offers that were accepted and are not had yet: a source whose cursor has passed them need not know them again.

    Args:
        folder: One JSON file per offer.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, offer: Offer) -> None:
        """Note an offer before it is fetched."""
        write_json(self._path(offer.path), asdict(offer))

    def drop(self, path: str) -> None:
        """Strike an offer out: it is had, refused or gone."""
        self._path(path).unlink(missing_ok=True)

    def all(self) -> Iterator[Offer]:
        """Yield what is noted, in an order of its own."""
        for path in sorted(self.folder.glob("[!.]*.json")) if self.folder.is_dir() else []:
            yield Offer(**orjson.loads(path.read_bytes()))

    def _path(self, path: str) -> Path:
        return self.folder / f"{sha256_json(path)}.json"


def with_labels(upload: UploadRecord, offer: Offer) -> UploadRecord:
    """Return an upload with what the source says of it now."""
    return replace(upload, origin=offer.origin, facts=offer.facts, popularity=offer.popularity)


def checked(offer: Offer, prefix: str) -> Offer:
    """Return an offer in plain JSON types.

    Raises:
        ContractError: Facts, popularity or document hold something else.
    """
    try:
        return replace(
            offer,
            facts=as_plain(offer.facts),
            popularity=as_plain(offer.popularity),
            document=as_plain(offer.document),
        )
    except (TypeError, ValueError) as error:
        raise ContractError(f"source {prefix!r}, offer {offer.path!r}: must be JSON: {error}") from error
