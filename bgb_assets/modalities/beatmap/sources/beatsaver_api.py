"""Asks the BeatSaver API for documents: newest, changed since, deleted since, best rated, by number.

Belongs here: addresses, queries and the shape of a page. Does not belong here: how requests are paced and retried
(`runtime.web_client`), what a document says (`beatsaver_map`), which pages are asked for (`beatsaver_crawl`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import orjson

from bgb_assets.modalities.beatmap.sources.beatsaver_map import Filters
from bgb_assets.runtime.errors import BadInput, SourceError
from bgb_assets.runtime.web_client import WebClient

Document = Mapping[str, Any]

PAGE_SIZE = 100
IDS_AT_ONCE = 50
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
INSTANT_STEP = timedelta(microseconds=1)

_MAX_PAGE_BYTES = 64 << 20


@dataclass(frozen=True)
class Api:
    """The API at one address."""

    base_url: str
    client: WebClient

    def latest(
        self, filters: Filters, *, before: datetime | None = None, after: datetime | None = None
    ) -> list[Document]:
        """Return at most `PAGE_SIZE` maps published next before an instant, or next after it; in any order.

        Both bounds are exclusive; without one, the newest.
        """
        query = {"sort": "LAST_PUBLISHED", "pageSize": str(PAGE_SIZE)}
        if filters.automapper or filters.ai:
            query["automapper"] = "true"
        if before is not None:
            query["before"] = instant_text(before)
        if after is not None:
            query["after"] = instant_text(after)
        return _documents(self._get("/maps/latest", query), "/maps/latest")

    def deleted(self, *, after: datetime | None = None, page_size: int = PAGE_SIZE) -> list[Document]:
        """Return the maps (`id`, `deletedAt`) deleted next after an instant; without one, the last deleted."""
        query = {"pageSize": str(page_size)}
        if after is not None:
            query["after"] = instant_text(after)
        return _documents(self._get("/maps/deleted", query), "/maps/deleted")

    def best_rated(self, filters: Filters, page: int) -> tuple[list[Document], int]:
        """Return one page of maps by falling score and the number of pages."""
        query = {"sortOrder": "Rating", "pageSize": str(PAGE_SIZE), "minRating": repr(filters.min_score)}
        if filters.min_duration_s > 0:
            query["minDuration"] = str(int(filters.min_duration_s))
        if filters.tags:
            query["tags"] = filters.tags
        if filters.automapper or filters.ai:
            query["automapper"] = "true"
        answer = self._get(f"/search/text/{page}", query)
        info = answer.get("info")
        pages = info.get("pages") if isinstance(info, Mapping) else None
        if not isinstance(pages, int):
            raise SourceError(f"/search/text/{page}: info.pages must be a number, got {pages!r}; ask again later")
        return _documents(answer, f"/search/text/{page}"), pages

    def by_ids(self, numbers: Sequence[str]) -> dict[str, Document]:
        """Return number -> document of at most `IDS_AT_ONCE` maps; deleted and unknown ones are left out."""
        found = self._get(f"/maps/ids/{','.join(numbers)}", {})
        return {number: document for number, document in found.items() if isinstance(document, Mapping)}

    def _get(self, path: str, query: Mapping[str, str]) -> Document:
        try:
            body, kind = self.client.ask(self.base_url.rstrip("/") + path, self._read, params=query)
        except BadInput as error:
            raise SourceError(f"{path}: {error.reason}; see whether --base-url is right") from error
        try:
            answer = orjson.loads(body)
        except orjson.JSONDecodeError:
            raise SourceError(f"{path}: expected JSON, got {kind!r}: {body[:80]!r}; ask again later") from None
        if not isinstance(answer, Mapping):
            raise SourceError(f"{path}: expected a JSON object, got {body[:80]!r}; ask again later")
        return answer

    def _read(self, response: httpx.Response) -> tuple[bytes, str]:
        body = bytearray()
        for chunk in self.client.chunks(response):
            body += chunk
            if len(body) > _MAX_PAGE_BYTES:
                raise SourceError(f"{response.url}: more than {_MAX_PAGE_BYTES >> 20} MiB, expected one page")
        return bytes(body), response.headers.get("Content-Type", "")


def instant_of(document: Document, name: str) -> datetime | None:
    """Return an instant of a document to the microsecond, rounded down; None where it has none."""
    text = document.get(name)
    try:
        instant = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return instant.replace(tzinfo=instant.tzinfo or UTC) if instant else None


def instant_text(instant: datetime) -> str:
    """Return an instant as the API and the ledger write it."""
    return instant.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _documents(answer: Document, path: str) -> list[Document]:
    documents = answer.get("docs")
    if not isinstance(documents, list) or not all(isinstance(document, Mapping) for document in documents):
        raise SourceError(f"{path}: docs must be a list of objects, got {documents!r:.80}; ask again later")
    return documents
