"""BeatSaver as a source of uploads: `bgb ingest beatmap beatsaver:` and `beatsaver:1a2b3,4c5d6`.

Belongs here: the command's options, and fetching one map until its zip is whole and checked.
Does not belong here: which maps are offered (`beatsaver_crawl`), registering them (the engine).
"""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bgb_assets.modalities.beatmap.formats.identities import json_digest
from bgb_assets.modalities.beatmap.formats.naming import characteristic_name
from bgb_assets.modalities.beatmap.sources.beatsaver_api import Api
from bgb_assets.modalities.beatmap.sources.beatsaver_crawl import Crawl, best_rated, named
from bgb_assets.modalities.beatmap.sources.beatsaver_ledger import Ledger
from bgb_assets.modalities.beatmap.sources.beatsaver_map import Filters, is_number, read_map
from bgb_assets.modalities.beatmap.sources.beatsaver_zip import check_zip, warn_of_other_content
from bgb_assets.modalities.contract import ArchiveLimits
from bgb_assets.modalities.sources import Offer
from bgb_assets.runtime.download import PART_SUFFIX, deliver, discard, download
from bgb_assets.runtime.errors import BadInput, UnsafeArchive, UsageError
from bgb_assets.runtime.web_client import Manners, WebClient

BASE_URL = "https://api.beatsaver.com"
ORDERS = ("latest", "rating")
DOWNLOADS_AT_ONCE = 8
TRIES = 3
"""A zip that is whole but damaged is downloaded again from its start; the last time decides."""
STALE_PART_S = 30 * 24 * 3600.0

_PARTS = "parts"
_OPTION_NAMES = ("base_url", "order", "max_maps", "revisit_days", "full")
_FILTER_NAMES = tuple(each.name for each in fields(Filters))
_FLAGS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_LARGEST = 1e5
_EXPECTED = {bool: "true or false", int: "a whole number", float: f"a number from 0 to {_LARGEST:.0f}"}


def _user_agent() -> str:
    return f"bgb_assets/{version('bgb-assets')}"


def _api_client() -> WebClient:
    return WebClient(_user_agent(), Manners(at_once=1, pause_s=1.0))


def _file_client() -> WebClient:
    return WebClient(_user_agent(), Manners(at_once=DOWNLOADS_AT_ONCE))


@dataclass(frozen=True)
class BeatSaver:
    """A `Source` (`modalities.sources`).

    Attributes:
        numbers: Maps asked for by number; empty for all that pass the filters.
        base_url: Where the API is.
        order: `latest` keeps cursors and asks for what is new; `rating` takes the best, from the top each time.
        max_maps: Most maps; 0 for no bound. In `latest`, over all looks with the same filters.
        revisit_days: Maps younger than this are judged again at each look.
        full: Ask for all pages again, for changed scores and for maps that have come to pass the filters; with a
            bound, for the maps within it only.
        filters: Which maps are wanted.
        api_client: One request at a time and a second apart, over all threads that share this object.
        file_client: Downloads.
    """

    numbers: tuple[str, ...] = ()
    base_url: str = BASE_URL
    order: str = "latest"
    max_maps: int = 0
    revisit_days: float = 30.0
    full: bool = False
    filters: Filters = field(default_factory=Filters)
    limits: ArchiveLimits = field(default_factory=ArchiveLimits)
    api_client: WebClient = field(default_factory=_api_client, compare=False)
    file_client: WebClient = field(default_factory=_file_client, compare=False)

    @property
    def at_once(self) -> int:
        """Downloads at a time."""
        return DOWNLOADS_AT_ONCE

    @property
    def processes(self) -> bool:
        """Waiting for a network is for threads."""
        return False

    def plan(self, held: Mapping[str, str], work: Path) -> Iterator[Offer]:
        """Yield what was deleted, what is unfinished, and what is published and wanted, each map once.

        Raises:
            SourceError: The API cannot be asked, or answers with what is no page of it.
        """
        _sweep_parts(work / _PARTS)
        seen: set[str] = set()
        with Ledger(work) as ledger:
            for offer in self._offers(ledger, held):
                if offer.path not in seen:
                    seen.add(offer.path)
                    yield offer

    def fetch(self, offer: Offer, work: Path, out: Path) -> None:
        """Download one map, check it and put it into `out` as `<hash>.zip`.

        Raises:
            BadInput: Its document is not whole, its zip is gone, or comes damaged each time.
            SourceError: It could not be had now; what came stays in `work`.
        """
        found = read_map(offer.document or {})
        name = f"{found.hash}.zip"
        part = work / _PARTS / (name + PART_SUFFIX)
        self._download(found.url if "://" in found.url else self.base_url.rstrip("/") + found.url, part)
        warn_of_other_content(part, found.hash, offer.path)
        deliver(part, out / name)

    def _offers(self, ledger: Ledger, held: Mapping[str, str]) -> Iterator[Offer]:
        api = Api(self.base_url.rstrip("/"), self.api_client)
        crawl = Crawl(api, ledger, self._scope(), self.filters, self.max_maps, timedelta(days=self.revisit_days))
        if self.full and not self.max_maps:
            crawl.begin_again()
        yield from crawl.deletions(held)
        if self.numbers:
            yield from named(api, self.numbers)
        elif self.order == "rating":
            yield from best_rated(api, self.filters, self.max_maps)
        else:
            yield from crawl.unfinished({} if self.full and self.max_maps else held)
            yield from crawl.published()

    def _scope(self) -> str:
        wanted = {name: getattr(self.filters, name) for name in _FILTER_NAMES}
        return json_digest({"base_url": self.base_url.rstrip("/"), **wanted})[:16]

    def _download(self, url: str, part: Path) -> None:
        for tries_left in reversed(range(TRIES)):
            download(self.file_client, url, part)
            try:
                check_zip(part, self.limits)
                break
            except UnsafeArchive as error:
                began = _first_bytes(part)
                discard(part)
                if not tries_left:
                    reason = f"{url}: {error.reason} (began with {began!r}), {TRIES} times"
                    raise BadInput(reason, "leave the map out, or tell its server") from error


def source(rest: str, options: Mapping[str, str]) -> BeatSaver:
    """Return the source for what a command says: map numbers after the colon, filters as options.

    Raises:
        UsageError: An option is unknown or its value cannot be read.
    """
    numbers = tuple(dict.fromkeys(number.strip().lower() for number in rest.split(",") if number.strip()))
    wrong = [number for number in numbers if not is_number(number)]
    if wrong:
        raise UsageError(f"beatsaver: map numbers are hexadecimal, got {wrong!r}")
    readers = _readers(BeatSaver(), _OPTION_NAMES)
    filter_readers = _readers(Filters(), _FILTER_NAMES)
    unknown = sorted(set(options) - set(readers) - set(filter_readers))
    if unknown:
        known = ", ".join(f"--{name.replace('_', '-')}" for name in (*readers, *filter_readers))
        raise UsageError(f"beatsaver: unknown options {unknown!r}; there are {known}")
    chosen = {name: _read(name, options[name], kind) for name, kind in readers.items() if name in options}
    wanted = {name: _read(name, options[name], kind) for name, kind in filter_readers.items() if name in options}
    return _checked(replace(BeatSaver(numbers=numbers), filters=Filters(**wanted), **chosen))


def _readers(defaults: Any, names: tuple[str, ...]) -> dict[str, type]:
    return {name: type(getattr(defaults, name)) for name in names}


def _read(name: str, text: str, kind: type) -> Any:
    """Return the value of an option."""
    try:
        if kind is bool:
            return _FLAGS[text.lower()]
        if kind is tuple:
            return tuple(sorted({characteristic_name(part.strip()) for part in text.split(",") if part.strip()}))
        value = kind(text)
        if kind is float and not 0 <= value <= _LARGEST:
            raise ValueError(text)
        return value
    except (KeyError, ValueError):
        expected = _EXPECTED.get(kind, "a text")
        raise UsageError(f"beatsaver: --{name.replace('_', '-')} expects {expected}, got {text!r}") from None


def _checked(chosen: BeatSaver) -> BeatSaver:
    if chosen.order not in ORDERS:
        raise UsageError(f"beatsaver: --order is one of {', '.join(ORDERS)}, got {chosen.order!r}")
    if not 0 <= chosen.filters.min_score <= 1:
        raise UsageError(f"beatsaver: --min-score is from 0 to 1, got {chosen.filters.min_score!r}")
    if chosen.max_maps < 0:
        raise UsageError(f"beatsaver: --max-maps is not negative, got {chosen.max_maps}")
    if not chosen.base_url.startswith(("http://", "https://")):
        raise UsageError(f"beatsaver: --base-url begins with http:// or https://, got {chosen.base_url!r}")
    return chosen


def _sweep_parts(folder: Path) -> None:
    """Remove unfinished downloads that nobody went on with for long."""
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        if time.time() - path.stat().st_mtime > STALE_PART_S:
            path.unlink(missing_ok=True)


def _first_bytes(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(40)
