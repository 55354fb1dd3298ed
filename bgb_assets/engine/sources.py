"""Ingest from a source: offers become blobs and upload records, and what is held is not fetched again.

The plan is read while files are fetched, in threads or processes; the driver alone writes upload records, documents
and quarantine rows, each as soon as its files are there, so that a kill costs what was under way and nothing else.
Belongs here: driving an ingest from one source. Does not belong here: deciding over an offer (`engine.offers`),
fetching one (`engine.fetching`), talking to the source (its modality), folders (`engine.ingest`).
"""

import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bgb_assets.chain import Chain
from bgb_assets.engine.fetching import FetchTask
from bgb_assets.engine.guards import check_free_space, machine_errors_named
from bgb_assets.engine.landing import Landing, SourceReport, recognise_fetched
from bgb_assets.engine.offers import Ledger, Taken, Verdict, checked
from bgb_assets.modalities.sources import Offer, Source
from bgb_assets.runtime.closing import closed_after
from bgb_assets.runtime.errors import SourceError
from bgb_assets.runtime.executor import Bounds, Executor, InProcessExecutor, Task
from bgb_assets.runtime.executor_local import LocalProcessExecutor
from bgb_assets.runtime.executor_threads import ThreadExecutor
from bgb_assets.runtime.memory import usable_cpus
from bgb_assets.runtime.monitoring import Progress
from bgb_assets.storage.atomic import sweep, sweep_unfinished, temporary_directory
from bgb_assets.storage.leases import lease
from bgb_assets.storage.store import in_use

LARGE_BYTES = 64 << 20
"""Files of a source's own folder above this size are no cursors, and a dry run does without them."""


class SourceIngest:
    """Brings one modality's upload records in line with one source.

    Args:
        chain: The modality's chain; its executor reads what was fetched.
        prefix: The source's name.
        source: Where to fetch from.
        workers: Most fetches at a time; below 0 as many as the source allows, 0 one after the other in this process.
    """

    def __init__(self, chain: Chain, prefix: str, source: Source, *, workers: int = -1) -> None:
        self.chain = chain
        self.prefix = prefix
        self.source = source
        self._workers = workers
        self._name = chain.modality.name
        self._layout = chain.store.layout
        self._work = self._layout.source_work(self._name, prefix)
        self._taken = Taken(self._layout.state / "taken" / self._name / prefix)

    def run(self, *, limit: int | None = None, log: Callable[[str], None] = lambda line: None) -> SourceReport:
        """Fetch what is not held, note what is said of the rest; one process at a time.

        Args:
            limit: Fetch at most so many, then stop.
            log: Receives lines about the progress where there is no terminal.

        Raises:
            SourceError: Another ingest from this source is under way. Where the source cannot be asked, or not to
                the end, the report says so (`incomplete`).
            ResourceError: The machine failed; what was fetched is kept.
            ContractError: The source breaks its contract.
        """
        check_free_space(self.chain.settings, self.chain.limits)
        with machine_errors_named(self._name), self._alone(), in_use(self.chain.store):
            self._sweep()
            self._work.mkdir(parents=True, exist_ok=True)
            with Progress(None, f"{self._name}: from {self.prefix}", log) as progress:
                ledger = Ledger(self.chain, self.prefix)
                landing = Landing(self.chain, ledger, self._taken, progress)
                feed = _Feed(self._offers(ledger, self._work), ledger, landing, limit, self._task)
                self._fetch(feed, landing)
            if feed.trouble is not None and not isinstance(feed.trouble, SourceError):
                raise feed.trouble
            recognise_fetched(self.chain, self.prefix, landing, log)
        return landing.report(str(feed.trouble) if feed.trouble else None)

    def preview(self, *, limit: int | None = None) -> SourceReport:
        """Return what `run` would do, with the offers that it would fetch as new and changed; fetches nothing.

        Raises:
            SourceError: The source cannot be asked.
        """
        found: dict[str, list[str]] = {}
        refused: dict[str, str] = {}
        ledger = Ledger(self.chain, self.prefix)
        with temporary_directory(self._layout.temporary) as space:
            for offer in self._offers(ledger, _copied(self._work, space / "work")):
                verdict = ledger.judge(offer)
                if verdict.to_fetch and limit is not None and _count(found, "new", "changed") >= limit:
                    break
                if verdict.kind == "refused":
                    refused[verdict.key] = verdict.reason
                found.setdefault(verdict.kind, []).append(verdict.key)
        return SourceReport(
            new=tuple(sorted(found.get("new", []))),
            changed=tuple(sorted(found.get("changed", []))),
            touched=tuple(sorted(found.get("touched", []))),
            returned=tuple(sorted(found.get("returned", []))),
            gone=tuple(sorted(found.get("gone", []))),
            held=tuple(sorted(found.get("held", []))),
            refused=refused,
        )

    def _offers(self, ledger: Ledger, work: Path) -> Iterator[Offer]:
        """Yield what the source has, then what an earlier ingest accepted and could not have."""
        offered = set()
        left = list(self._taken.all())  # now: what this ingest takes comes and goes meanwhile
        with closed_after(self.source.plan(dict(ledger.held), work)) as plan:
            for offer in plan:
                offered.add(offer.path)
                yield checked(offer, self.prefix)
        yield from (offer for offer in left if offer.path not in offered)

    def _sweep(self) -> None:
        sweep(self._layout.temporary)
        written = (self._layout.uploads(self._name), self._layout.quarantine(self._name), self._taken.folder)
        for folder in (*written, self._layout.document(self._name, "").parent):
            sweep_unfinished(folder)

    def _task(self, offer: Offer, key: str) -> Task:
        return Task(key, FetchTask(self._layout.root, self._name, self.source, offer, self._work))

    def _fetch(self, feed: "_Feed", landing: Landing) -> None:
        executor = self._executor()
        try:
            with closed_after(executor.map("bgb_assets.engine.fetching:fetch", feed.tasks())) as fetched:
                for done in fetched:
                    with feed.lock:
                        landing.land(feed.offers.pop(done.key), done)
        finally:
            executor.close()

    def _executor(self) -> Executor:
        workers = self._workers
        if workers < 0 and self.source.processes:
            workers = self.chain.limits.workers if self.chain.limits.workers >= 0 else usable_cpus()
        if workers == 0:
            return InProcessExecutor()
        bound = min(workers, self.source.at_once) if workers > 0 else self.source.at_once
        return LocalProcessExecutor(Bounds(bound)) if self.source.processes else ThreadExecutor(bound)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with lease(self._layout.state / "ingest" / f"{self._name}.{self.prefix}.lock", wait=False) as alone:
            if not alone:
                raise SourceError(
                    f"{self._name}: another ingest from {self.prefix!r} is under way; wait until it has ended"
                )
            yield


class _Feed:
    """Reads the offers, does what needs no fetching, and hands out the rest; runs in a thread of its own.

    Attributes:
        offers: What is being fetched, by key.
        trouble: What ended the plan before its end; what was handed out by then is fetched all the same.
        lock: Whoever writes upload records holds it.
    """

    def __init__(
        self,
        offers: Iterator[Offer],
        ledger: Ledger,
        landing: Landing,
        limit: int | None,
        task: Callable[[Offer, str], Task],
    ) -> None:
        self.offers: dict[str, Offer] = {}
        self.trouble: Exception | None = None
        self.lock = threading.Lock()
        self._planned = offers
        self._ledger = ledger
        self._landing = landing
        self._limit = limit
        self._task = task

    def tasks(self) -> Iterator[Task]:
        """Yield what is to be fetched, as it is found."""
        handed_out = 0
        with closed_after(self._planned):
            while (offer := self._next()) is not None:
                with self.lock:
                    verdict = self._ledger.judge(offer)
                    if verdict.to_fetch and handed_out == self._limit:
                        self._landing.limited = True
                        return
                    wanted = self._act(offer, verdict)
                if wanted:
                    handed_out += 1
                    yield self._task(offer, verdict.key)

    def _next(self) -> Offer | None:
        try:
            return next(self._planned, None)
        except Exception as error:  # noqa: BLE001 - raised or reported when what was handed out is there
            self.trouble = error
            return None

    def _act(self, offer: Offer, verdict: Verdict) -> bool:
        """Do what an offer comes to; say whether it is to be fetched."""
        if verdict.to_fetch:
            self._landing.take(offer, verdict)
            self._ledger.take(verdict.key, offer.path)
            self.offers[verdict.key] = offer
        elif offer.gone and verdict.key in self.offers:
            self._landing.withdrawn.add(verdict.key)
        else:
            self._landing.note(offer, verdict)
        return verdict.to_fetch


def _copied(work: Path, to: Path) -> Path:
    """Copy a source's own folder without large files."""

    def large(folder: str, names: list[str]) -> list[str]:
        paths = [(name, Path(folder) / name) for name in names]
        return [name for name, path in paths if path.is_file() and path.stat().st_size > LARGE_BYTES]

    if work.is_dir():
        shutil.copytree(work, to, ignore=large)
    else:
        to.mkdir(parents=True)
    return to


def _count(found: dict[str, list[Any]], *kinds: str) -> int:
    return sum(len(found.get(kind, ())) for kind in kinds)
