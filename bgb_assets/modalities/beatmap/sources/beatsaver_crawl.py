"""Walks BeatSaver by time: downwards once over all that is published, then upwards over what is new, and deletions.

Pages of a list that grows while it is read shift, so that a crawl by page number skips maps; instants do not. The
API's bounds are exclusive, so each page begins one microsecond inside the last one: maps published at one instant
are never parted. Belongs here: the order of questions, and what is noted before an offer is made.
Does not belong here: one question (`beatsaver_api`), downloads (`beatsaver`).
"""

import itertools
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bgb_assets.modalities.beatmap.sources.beatsaver_api import (
    EPOCH,
    IDS_AT_ONCE,
    INSTANT_STEP,
    PAGE_SIZE,
    Api,
    Document,
    instant_of,
)
from bgb_assets.modalities.beatmap.sources.beatsaver_ledger import Ledger
from bgb_assets.modalities.beatmap.sources.beatsaver_map import SITE, Filters, is_number, offer_of, path_of, read_map
from bgb_assets.modalities.sources import Offer
from bgb_assets.runtime.errors import BadInput, SourceError

Ask = Callable[[datetime | None], Sequence[Document]]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Crawl:
    """One look at BeatSaver.

    Attributes:
        scope: Names the server and the filters: other ones are another crawl, with cursors of its own.
        filters: Which maps are wanted.
        max_maps: Most maps ever offered in this scope; 0 for no bound.
        revisit: Maps published less than this before the newest known are looked at again: a map is judged by
            votes, which it does not have on its first day.
    """

    api: Api
    ledger: Ledger
    scope: str
    filters: Filters
    max_maps: int
    revisit: timedelta

    def deletions(self, held: Mapping[str, str]) -> Iterator[Offer]:
        """Yield what is held and was deleted since the last look."""
        name = f"deleted {self.api.base_url}"
        start = self.ledger.cursor(name)
        if start is None and not held:
            self.ledger.note_gone((), {name: self._last_deletion()})
        else:
            for documents, edge in walk(self._deleted_after, start, "deletedAt", upwards=True):
                numbers = [str(document.get("id")).lower() for document in documents]
                self.ledger.note_gone(numbers, {name: edge})
        for number in sorted(self.ledger.gone()):
            if path_of(number) in held:
                yield Offer(path_of(number), SITE + number, version="", gone=True)

    def unfinished(self, held: Mapping[str, str]) -> Iterator[Offer]:
        """Yield what was offered before and is not held: it was lost in a kill or could not be had then."""
        waiting = [
            number
            for number, version in self.ledger.offered(self.scope).items()
            if held.get(path_of(number)) != version and is_number(number)
        ]
        for numbers in batches(waiting):
            documents = self.api.by_ids(numbers)
            yield from self._noted(list(documents.values()), {})

    def published(self) -> Iterator[Offer]:
        """Yield what is wanted of all that is published: the first time everything, newest first, then what is new."""
        revisit = self.revisit
        if self.ledger.cursor(self._name("done")) is None:
            yield from self._all()
            if self._full():
                return
            self.ledger.note(self.scope, {}, {self._name("done"): EPOCH})
            revisit = timedelta(0)
        yield from self._new(revisit)

    def _all(self) -> Iterator[Offer]:
        top, down = self._name("top"), self._name("down")
        for documents, edge in walk(self._before, self.ledger.cursor(down), "lastPublishedAt", upwards=False):
            if self._full():
                return
            newest = self.ledger.cursor(top) or max(_instants(documents, "lastPublishedAt"))
            yield from self._noted(documents, {top: newest, down: edge})

    def _new(self, revisit: timedelta) -> Iterator[Offer]:
        top = self._name("top")
        start = self.ledger.cursor(top) or EPOCH
        for documents, edge in walk(self._after, _earlier(start, revisit), "lastPublishedAt", upwards=True):
            if self._full():
                return
            yield from self._noted(documents, {top: max(start, edge)})

    def begin_again(self) -> None:
        """Forget how far pages were read; what was offered stays known."""
        self.ledger.forget(*(self._name(name) for name in ("done", "top", "down")))

    def _noted(self, documents: Sequence[Document], cursors: Mapping[str, datetime]) -> Iterator[Offer]:
        """Yield what is wanted of a page, after it was noted; a page that the bound cuts moves no cursor."""
        offers = wanted(documents, self.filters)
        taken = self._within_bound(offers) if self.max_maps else offers
        moved = cursors if len(taken) == len(offers) else {}
        self.ledger.note(self.scope, {number_of(offer): offer.version for offer in taken}, moved)
        yield from taken

    def _within_bound(self, offers: Sequence[Offer]) -> list[Offer]:
        """Return the offers that were made before and as many new ones as there is room for."""
        known = self.ledger.offered(self.scope)
        room = max(0, self.max_maps - len(known))
        new = [offer.path for offer in offers if number_of(offer) not in known]
        return [offer for offer in offers if offer.path not in new[room:]]

    def _name(self, cursor: str) -> str:
        return f"{cursor} {self.scope}"

    def _full(self) -> bool:
        return bool(self.max_maps) and len(self.ledger.offered(self.scope)) >= self.max_maps

    def _last_deletion(self) -> datetime:
        last = self.api.deleted(page_size=1)
        return max(_instants(last, "deletedAt")) if last else EPOCH

    def _deleted_after(self, instant: datetime | None) -> Sequence[Document]:
        return self.api.deleted(after=instant or EPOCH)

    def _before(self, instant: datetime | None) -> Sequence[Document]:
        return self.api.latest(self.filters, before=instant)

    def _after(self, instant: datetime | None) -> Sequence[Document]:
        return self.api.latest(self.filters, after=instant)


def best_rated(api: Api, filters: Filters, max_maps: int) -> Iterator[Offer]:
    """Yield maps by falling score, page by page, each once."""
    return itertools.islice(_by_rating(api, filters), max_maps or None)


def named(api: Api, numbers: Sequence[str]) -> Iterator[Offer]:
    """Yield the maps of these numbers, whatever their votes."""
    for batch in batches(numbers):
        documents = api.by_ids(batch)
        for number in batch:
            if number in documents:
                yield offer_of(documents[number])
            else:
                _log.warning("beatsaver: there is no map %s", number)


def walk(ask: Ask, start: datetime | None, field: str, *, upwards: bool) -> Iterator[tuple[list[Document], datetime]]:
    """Yield pages by time, each document once, with the position to go on from when the page was handled.

    Args:
        ask: Gives the documents next to an instant, exclusive, in the direction of the walk.
        start: Where to begin; None lets `ask` choose.
        field: The instant of a document that the pages are ordered by.
        upwards: From old to new.
    """
    position, exact = start, False
    known: set[str] = set()
    while True:
        documents = ask(position)
        new = [document for document in documents if str(document.get("id")) not in known]
        if not new and (exact or not documents):
            return
        edge = (max if upwards else min)(_instants(documents, field))
        if not new:
            # Nothing but the ties of the last page's edge: leave that instant behind for good.
            if len(documents) >= PAGE_SIZE:
                _log.warning("beatsaver: more than %d maps at %s; some may be missed", PAGE_SIZE, edge)
            position, exact = edge, True
            continue
        inside = edge - INSTANT_STEP if upwards else edge + INSTANT_STEP
        ids = {str(document.get("id")) for document in documents}
        known = known | ids if inside == position else ids
        position, exact = inside, False
        yield new, position


def wanted(documents: Sequence[Document], filters: Filters) -> list[Offer]:
    """Return offers of the maps that pass, and of those that cannot be read, to be rejected by name."""
    return [offer_of(document) for document in documents if _passes(document, filters)]


def batches(numbers: Sequence[str]) -> Iterator[Sequence[str]]:
    """Yield as many numbers as can be asked for at once."""
    for start in range(0, len(numbers), IDS_AT_ONCE):
        yield numbers[start : start + IDS_AT_ONCE]


def number_of(offer: Offer) -> str:
    """Return the map's number: the inverse of `path_of`."""
    return offer.path.split(".")[1]


def _passes(document: Document, filters: Filters) -> bool:
    try:
        return filters.accept(read_map(document))
    except BadInput:
        return True


def _by_rating(api: Api, filters: Filters) -> Iterator[Offer]:
    seen: set[str] = set()
    for page in itertools.count():
        documents, pages = api.best_rated(filters, page)
        for offer in wanted(documents, filters):
            if offer.path not in seen:
                seen.add(offer.path)
                yield offer
        if page + 1 >= pages:
            return


def _earlier(instant: datetime, span: timedelta) -> datetime:
    return EPOCH if instant - EPOCH < span else instant - span


def _instants(documents: Sequence[Document], field: str) -> list[datetime]:
    """Return the instants of a page.

    Raises:
        SourceError: No document has one: nobody can say where the page lies.
    """
    instants = [instant for document in documents if (instant := instant_of(document, field)) is not None]
    if not instants:
        raise SourceError(f"no document of the page has an instant {field!r}; ask again later")
    return instants
