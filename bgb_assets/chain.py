"""The chain: walks uploads through stages and fan-ins, given a store and an executor. No dagster.

Assets, the command line, inference and tests all call this. A run over uploads asks the catalog first, so
that a hit costs two stats and opens no file; what is missing goes to workers, one upload each, with no
barrier between stages; the driver alone writes catalog, upload records and quarantine rows.
Belongs here: driving a run. Does not belong here: what happens to one upload (`engine.walk`), fan-ins
(`engine.fan_in`), finding uploads (`engine.ingest`).
"""

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import cast

from bgb_assets.engine.bookkeeping import Bookkeeper
from bgb_assets.engine.guards import check_free_space, check_quarantined, machine_errors_named, raise_if_fatal
from bgb_assets.engine.outcomes import UploadOutcome, outcome_of, rejected
from bgb_assets.engine.plan import Order, Plan, only
from bgb_assets.engine.recognise import recognise_all
from bgb_assets.engine.summary import Summary, summary_path
from bgb_assets.engine.walk import WalkTask
from bgb_assets.engine.wanted import configured, facets_read, for_upload, read_overrides, wanted
from bgb_assets.modalities.contract import PER_UPLOAD_STAGES, Modality, Stage
from bgb_assets.runtime.errors import ContractError, UsageError
from bgb_assets.runtime.executor import Executor, Failure, Task
from bgb_assets.runtime.settings import RunSettings, Settings
from bgb_assets.storage.atomic import sweep
from bgb_assets.storage.catalog import Catalog
from bgb_assets.storage.quarantine import Quarantine, Rejection
from bgb_assets.storage.records import Record
from bgb_assets.storage.store import StageStore, in_use
from bgb_assets.storage.uploads import PRESENT, UploadRecord, Uploads, is_untouched

PLAN_BATCH = 500
log = logging.getLogger(__name__)


class Chain:
    """One modality's chain over one data root.

    Args:
        modality: The declaration; `config.toml` is laid over it here.
        settings: Data root and configuration.
        executor: Where stages run.
    """

    def __init__(self, modality: Modality, settings: Settings, executor: Executor) -> None:
        self.modality = configured(modality, settings)
        self.settings = settings
        self.executor = executor
        self.store = StageStore(settings.data_root)
        self.catalog = Catalog(self.store.layout.catalog)
        self.uploads = Uploads(self.store.layout.uploads(modality.name))
        self.quarantine = Quarantine(self.store.layout.quarantine(modality.name))
        self.overrides = read_overrides(self.store.layout.overrides(modality.name), self.modality)
        self.limits = settings.section(RunSettings(), "run")

    def run(self, keys: Sequence[str], stages: Iterable[str], *, force: bool = False) -> Iterator[UploadOutcome]:
        """Bring uploads up to date, yielding each one's outcome as it is known.

        Args:
            keys: The uploads; keys without a record, or whose upload vanished, are passed over.
            stages: Names of the per-upload stages whose outcomes are wanted. Earlier ones are brought up to
                date too where they are not: nothing is computed against an old input.
            force: Rebuild the selected stages although there are entries.

        Raises:
            TooManyQuarantined: After all outcomes were yielded.
            ResourceError: The machine failed; what was committed stays.
        """
        selected = frozenset(stages)
        if not selected or not selected <= set(PER_UPLOAD_STAGES):
            raise UsageError(
                f"{self.modality.name}: expected some of the per-upload stages {PER_UPLOAD_STAGES!r}, "
                f"got {sorted(selected)!r}"
            )
        check_free_space(self.settings, self.limits)
        sweep(self.store.layout.temporary)
        forced = selected if force or self.settings.force else frozenset[str]()
        rejections: list[Rejection] = []
        summary = Summary()
        try:
            with in_use(self.store), machine_errors_named(self.modality.name):
                for outcome in self._outcomes(keys, Order(selected, forced)):
                    summary.add(outcome)
                    if outcome.rejection is not None:
                        rejections.append(outcome.rejection)
                    yield outcome
        finally:
            summary.save(summary_path(self.store.layout, self.modality.name))
        check_quarantined(self.modality.name, rejections, summary.uploads, self.limits)

    def survey(self, keys: Sequence[str] | None = None) -> Iterator[Plan]:
        """Yield, for every present upload, how far its entries are current; changes nothing, opens no data file."""
        books = Bookkeeper(self.store, self.catalog, self.uploads, self.quarantine)
        order = Order(frozenset(PER_UPLOAD_STAGES), frozenset())
        for batch in _batches(self.uploads.keys() if keys is None else keys):
            yield from self._followed(self._present(batch), order, books)

    def rejections(self) -> Iterator[Rejection]:
        """Yield the row of every present upload that is rejected as it lies there now, by key.

        Rows of uploads that were mended or left stay on disk, as an entry does, and hold again should the same
        bytes come back.
        """
        # A rejected upload has no entry at that stage: only those few are followed.
        everyone = self.uploads.all()
        unfinished = [u.key for u in everyone if u.state == PRESENT and not u.entries.keys() >= set(PER_UPLOAD_STAGES)]
        for plan in self.survey(unfinished):
            row = plan.rejection or self.quarantine.get(plan.identity)
            if row is not None:
                yield row.for_upload(plan.upload.key)

    def _outcomes(self, keys: Sequence[str], order: Order) -> Iterator[UploadOutcome]:
        """Yield what needs no work, then hand the rest out. Of the rest only the keys are kept, however many."""
        missed: list[str] = []
        with Bookkeeper(self.store, self.catalog, self.uploads, self.quarantine) as books:
            for batch in _batches(sorted(set(keys))):
                records, unstable = self._refreshed(batch, books)
                yield from unstable
                for plan in self._followed(records, order, books):
                    if plan.missed:
                        missed.append(plan.upload.key)
                    else:
                        yield self._settled(plan, order, books)
            yield from self._walk(missed, order, books)

    def _present(self, keys: Sequence[str]) -> list[UploadRecord]:
        return [record for record in self.uploads.all(keys) if record.state == PRESENT]

    def _refreshed(
        self, keys: Sequence[str], books: Bookkeeper
    ) -> tuple[Sequence[UploadRecord], Sequence[UploadOutcome]]:
        """Return the uploads' records, fingerprinted anew where that is needed, and those that cannot be read now."""
        records = {record.key: record for record in self._present(keys)}
        unstable = []
        stale = [record for record in records.values() if self._is_stale(record)]
        for done in recognise_all(self.executor, self.settings, self.modality, stale):
            if done.failure is not None:
                records.pop(done.key)
                unstable.append(UploadOutcome(done.key, {}, unstable=done.failure.message))
                log.warning("%s %r is passed over in this run: %s", self.modality.name, done.key, done.failure.message)
                continue
            seen = cast(UploadRecord, done.value)
            records[done.key] = replace(seen, entries=records[done.key].entries)
            books.upload(seen)
        return [records[key] for key in sorted(records)], unstable

    def _is_stale(self, upload: UploadRecord) -> bool:
        """Say whether an upload must be read anew: it was never read, was touched, or could not be read."""
        if not upload.facets or not is_untouched(upload, self.settings.data_root):
            return True  # the sensor registers uploads without facets: it opens no file
        if upload.problem is None:
            return False
        raw = self.modality.stage("raw")
        if upload.problem.code_version != raw.code_version:
            return True
        row = self.quarantine.get(self._raw_identity(upload))
        return upload.problem.kind == "crash" and (row is None or row.retried)

    def _raw_identity(self, upload: UploadRecord) -> str:
        raw = self.stages_of(upload)[0]
        return wanted(self.modality.name, raw, facets_read(raw, upload, {})).digest()

    def _followed(self, records: Sequence[UploadRecord], order: Order, books: Bookkeeper) -> list[Plan]:
        """Follow hits stage by stage for a batch of uploads, up to the first miss or rejection of each."""
        count = PER_UPLOAD_STAGES.index(order.last) + 1
        plans = [Plan(record, self.stages_of(record)[:count]) for record in records]
        for index, stage in enumerate(self.modality.per_upload[:count]):
            going = [plan for plan in plans if plan.going]
            for plan in going:
                plan.want(self.modality.name, index)
            known = self.catalog.get_many(plan.identity for plan in going)
            parts = self.catalog.get_many(part for held in known.values() for part in held.record.parts.values())
            for plan in going:
                held = known.get(plan.identity)
                record = books.hit(held, parts) if held is not None and stage.name not in order.forced else None
                plan.settle(record, stage.name in order.forced, books, self.quarantine)
        return plans

    def _settled(self, plan: "Plan", order: Order, books: Bookkeeper) -> UploadOutcome:
        outcome = plan.outcome()
        books.outcome(plan.upload, outcome, plan.records)
        return only(outcome, order.selected)

    def stages_of(self, upload: UploadRecord) -> tuple[Stage, ...]:
        """Return the per-upload stages with this upload's own settings."""
        if upload.key not in self.overrides:
            return self.modality.per_upload
        return tuple(for_upload(stage, upload.key, self.overrides) for stage in self.modality.per_upload)

    def records_of(self, upload: UploadRecord) -> dict[str, Record]:
        """Return the entries that an upload's record names and that are there, by stage."""
        wanted_identities = [state.identity for state in upload.entries.values()]
        known = {held.record.stage: held.record for held in self.catalog.get_many(wanted_identities).values()}
        return {stage: known[stage] for stage in PER_UPLOAD_STAGES if stage in known}

    def _walk(self, keys: Sequence[str], order: Order, books: Bookkeeper) -> Iterator[UploadOutcome]:
        """Hand uploads to the executor as it asks for them; another process may have been there since."""
        in_work: dict[str, WalkTask] = {}
        settled: list[UploadOutcome] = []

        def tasks() -> Iterator[Task]:
            for batch in _batches(keys):
                for plan in self._followed(self._present(batch), order, books):
                    if plan.missed:
                        task = plan.task(self.settings.data_root, self.modality, order)
                        in_work[task.upload.key] = task
                        yield Task(task.upload.key, task, task.upload.cost_bytes)
                    else:
                        settled.append(self._settled(plan, order, books))

        for done in self.executor.map("bgb_assets.engine.walk:walk", tasks()) if keys else ():
            task = in_work.pop(done.key)
            outcome = self._crashed(task, done.failure) if done.failure else cast(UploadOutcome, done.value)
            books.outcome(task.upload, outcome, task.known)
            yield only(outcome, order.selected)
        yield from settled

    def _crashed(self, task: WalkTask, failure: Failure) -> UploadOutcome:
        """Turn a dead worker into a rejection; anything else that a worker raised stops the run."""
        raise_if_fatal(failure, f"{self.modality.name} {task.upload.key!r}")
        records, stage, identity = self._committed(task)
        where = f"{self.modality.name}/{stage} {task.upload.key!r}"
        row = Rejection(
            identity, self.modality.name, stage, task.upload.key, "crash", f"{where}: {failure.reason}", failure.remedy
        )
        outcomes = {name: outcome_of(record, called=False) for name, record in records.items()}
        below = [item.name for item in task.stages if item.name not in records]
        outcomes |= {name: rejected(name, row, called=name == stage) for name in below}
        return UploadOutcome(task.upload.key, outcomes)

    def _committed(self, task: WalkTask) -> tuple[dict[str, Record], str, str]:
        """Return what a dead worker had committed, and the (stage, identity) at which it died."""
        records = dict(task.known)
        for stage in task.stages[len(records) :]:
            identity = wanted(self.modality.name, stage, facets_read(stage, task.upload, records)).digest()
            held = self.store.lookup(stage.name, self.modality.name, identity)
            # Of a forced stage the entry may be the old one.
            if held is None or stage.name in task.force or stage is task.stages[-1]:
                return records, stage.name, identity
            records[stage.name] = held
        raise ContractError(f"{self.modality.name} {task.upload.key!r}: a worker died after its last stage")


def _batches(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    return (keys[start : start + PLAN_BATCH] for start in range(0, len(keys), PLAN_BATCH))
