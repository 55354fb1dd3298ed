"""The chain: walks uploads through stages and fan-ins, given a store and an executor. No dagster.

Assets, the command line, inference and tests all call this. A run over uploads asks the catalog first, so
that a hit costs two stats and opens no file; what is missing goes to workers, one upload each, with no
barrier between stages; the driver alone writes catalog, upload records and quarantine rows.
Belongs here: driving a run. Does not belong here: what happens to one upload (`engine.walk`), fan-ins
(`engine.fan_in`), finding uploads (`engine.ingest`).
"""

import logging
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from bgb_assets.engine.bookkeeping import Bookkeeper
from bgb_assets.engine.outcomes import StageOutcome, UploadOutcome, outcome_of, rejected
from bgb_assets.engine.recognise import RecogniseTask
from bgb_assets.engine.summary import Summary, summary_path
from bgb_assets.engine.walk import WalkTask
from bgb_assets.engine.wanted import configured, facets_read, for_upload, read_overrides, wanted
from bgb_assets.modalities.contract import PER_UPLOAD_STAGES, Modality, Stage
from bgb_assets.runtime.errors import BgbError, ContractError, ResourceError, TooManyQuarantined, UsageError
from bgb_assets.runtime.executor import Done, Executor, Failure, Task
from bgb_assets.runtime.settings import RunSettings, Settings
from bgb_assets.storage.atomic import sweep
from bgb_assets.storage.catalog import Catalog, Indexed
from bgb_assets.storage.quarantine import Quarantine, Rejection
from bgb_assets.storage.records import Record
from bgb_assets.storage.store import StageStore
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
        if unknown := selected - set(PER_UPLOAD_STAGES):
            raise UsageError(
                f"{self.modality.name}: {sorted(unknown)!r} are not per-upload stages {PER_UPLOAD_STAGES!r}"
            )
        check_free_space(self.settings, self.limits)
        sweep(self.store.layout.temporary)
        forced = selected if force or self.settings.force else frozenset[str]()
        rejections: list[Rejection] = []
        summary = Summary()
        try:
            for outcome in self._outcomes(keys, selected, forced):
                summary.add(outcome)
                if outcome.rejection is not None:
                    rejections.append(outcome.rejection)
                yield outcome
        finally:
            summary.save(summary_path(self.store.layout, self.modality.name))
        check_quarantined(self.modality.name, rejections, summary.uploads, self.limits)

    def survey(self) -> Iterator["Plan"]:
        """Yield, for every present upload, how far its entries are current; changes nothing, opens no data file."""
        books = Bookkeeper(self.store, self.catalog, self.uploads, self.quarantine)
        present = [record for record in self.uploads.all() if record.state == PRESENT]
        for start in range(0, len(present), PLAN_BATCH):
            yield from self._followed(present[start : start + PLAN_BATCH], PER_UPLOAD_STAGES[-1], frozenset(), books)

    def _outcomes(
        self, keys: Sequence[str], selected: frozenset[str], forced: frozenset[str]
    ) -> Iterator[UploadOutcome]:
        missed: list[WalkTask] = []
        with Bookkeeper(self.store, self.catalog, self.uploads, self.quarantine) as books:
            ordered = sorted(set(keys))
            for start in range(0, len(ordered), PLAN_BATCH):
                batch = list(self._refreshed(ordered[start : start + PLAN_BATCH], books))
                for plan in self._plan(batch, selected, forced, books):
                    if isinstance(plan, WalkTask):
                        missed.append(plan)
                    else:
                        yield plan
            yield from self._walk(missed, books)

    def _refreshed(self, keys: Sequence[str], books: Bookkeeper) -> Iterator[UploadRecord]:
        """Yield the uploads' records, fingerprinted anew where a file was touched or the reader is newer."""
        records = {record.key: record for record in self.uploads.all(keys) if record.state == PRESENT}
        version = self.modality.stage("raw").code_version
        stale = [
            record
            for record in records.values()
            if not record.facets  # registered by the sensor, which opens no file
            or not is_untouched(record, self.settings.data_root)
            or (record.problem is not None and record.problem.code_version != version)
        ]
        for done in recognise_all(self.executor, self.settings, self.modality, stale):
            record = done.value
            if done.failure is not None:
                records.pop(done.key)
                log.warning("%s %r is passed over in this run: %s", self.modality.name, done.key, done.failure.message)
            else:
                records[done.key] = record
                books.upload(record)
        yield from (records[key] for key in sorted(records))

    def _plan(
        self, records: Sequence[UploadRecord], selected: frozenset[str], forced: frozenset[str], books: Bookkeeper
    ) -> Iterator[UploadOutcome | WalkTask]:
        """Follow hits stage by stage for a batch of uploads; the first miss of an upload makes it a task."""
        last = max(selected, key=PER_UPLOAD_STAGES.index)
        for plan in self._followed(records, last, forced, books):
            yield self._decided(plan, selected, forced, books)

    def _followed(
        self, records: Sequence[UploadRecord], last: str, forced: frozenset[str], books: Bookkeeper
    ) -> list["Plan"]:
        count = PER_UPLOAD_STAGES.index(last) + 1
        plans = [Plan(record, self.stages_of(record)[:count]) for record in records]
        for index, stage in enumerate(self.modality.per_upload[:count]):
            going = [plan for plan in plans if plan.going]
            for plan in going:
                plan.want(self.modality.name, index)
            known = self.catalog.get_many(plan.identity for plan in going)
            for plan in going:
                plan.settle(known.get(plan.identity), stage.name, forced, books, self.quarantine)
        return plans

    def _decided(
        self, plan: "Plan", selected: frozenset[str], forced: frozenset[str], books: Bookkeeper
    ) -> UploadOutcome | WalkTask:
        if plan.missed:
            root = self.settings.data_root
            return WalkTask(root, self.modality, plan.stages, plan.upload, selected, plan.records, forced)
        outcome = plan.outcome()
        books.outcome(plan.upload, outcome, plan.records)
        return only(outcome, selected)

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

    def _walk(self, tasks: Sequence[WalkTask], books: Bookkeeper) -> Iterator[UploadOutcome]:
        by_key = {task.upload.key: task for task in tasks}
        work = (Task(task.upload.key, task, task.upload.cost_bytes) for task in tasks)
        for done in self.executor.map("bgb_assets.engine.walk:walk", work):
            task = by_key[done.key]
            outcome = self._crashed(task, done.failure) if done.failure else done.value
            books.outcome(task.upload, outcome, task.known)
            yield only(outcome, task.selected)

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
            if held is None or stage is task.stages[-1]:
                return records, stage.name, identity
            records[stage.name] = held
        raise ContractError(f"{self.modality.name} {task.upload.key!r}: a worker died after its last stage")


class Plan:
    """One upload while its hits are followed; no file is opened."""

    def __init__(self, upload: UploadRecord, stages: tuple[Stage, ...]) -> None:
        self.upload = upload
        self.stages = stages
        self.records: dict[str, Record] = {}
        self.identity = ""
        self.missed = False
        self.rejection: Rejection | None = None

    @property
    def going(self) -> bool:
        """Whether the next stage is still to be looked at."""
        return not self.missed and self.rejection is None

    def want(self, modality: str, index: int) -> None:
        """Work out the identity that the upload wants at a stage."""
        stage = self.stages[index]
        self.identity = wanted(modality, stage, facets_read(stage, self.upload, self.records)).digest()

    def settle(
        self, known: Indexed | None, stage: str, forced: frozenset[str], books: Bookkeeper, quarantine: Quarantine
    ) -> None:
        """Decide between hit, rejection and miss."""
        if stage in forced:
            self.missed = True
        elif known is not None and books.is_hit(known):
            self.records[stage] = known.record
        else:
            row = quarantine.get(self.identity) if self.identity in books.rejected_identities else None
            self.rejection = row if row is not None and not row.retried else None
            self.missed = self.rejection is None

    def outcome(self) -> UploadOutcome:
        """Return what became of an upload of which no stage needs to be called."""
        stages: dict[str, StageOutcome] = {}
        for stage in self.stages:
            if stage.name in self.records:
                stages[stage.name] = outcome_of(self.records[stage.name], called=False)
            elif self.rejection is not None:
                stages[stage.name] = rejected(stage.name, self.rejection)
        return UploadOutcome(self.upload.key, stages)


def only(outcome: UploadOutcome, selected: frozenset[str]) -> UploadOutcome:
    """Return the outcome of the selected stages."""
    return replace(outcome, stages={name: item for name, item in outcome.stages.items() if name in selected})


def recognise_all(
    executor: Executor, settings: Settings, modality: Modality, uploads: Sequence[UploadRecord]
) -> Iterator[Done]:
    """Fingerprint uploads in workers.

    Raises:
        ResourceError: The machine failed.
    """
    tasks = (
        Task(upload.key, RecogniseTask(settings.data_root, modality, upload), largest_file(upload))
        for upload in uploads
    )
    for done in executor.map("bgb_assets.engine.recognise:recognise", tasks) if uploads else ():
        if done.failure is not None and done.failure.error_type != "Unstable":
            raise_if_fatal(done.failure, f"{modality.name} {done.key!r}")
        yield done


def largest_file(upload: UploadRecord) -> int:
    """Return the size of an upload's largest file in bytes: a bound on what hashing it holds."""
    return max((held[0] for held in upload.files.values()), default=0)


def raise_if_fatal(failure: Failure, where: str) -> None:
    """Raise for a failure that is not one upload's: the machine's, or a bug in a declaration.

    Raises:
        ResourceError: No space, I/O error or permission.
        ContractError: A stage breaks its declaration.
        BgbError: Another error of this project.
    """
    if failure.kind == "resource":
        raise ResourceError(f"{where}: {failure.message}; mend it and run again, what was committed is kept")
    if failure.error_type == "ContractError":
        raise ContractError(f"{where}: {failure.message}")
    if failure.kind != "crash":
        raise BgbError(f"{where}: {failure.message}\n{failure.traceback}")


def check_free_space(settings: Settings, limits: RunSettings) -> None:
    """Refuse to start on a full disk.

    Raises:
        ResourceError: Less is free than `run.min_free_bytes`.
    """
    settings.data_root.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(settings.data_root).free
    if free < limits.min_free_bytes:
        raise ResourceError(
            f"{settings.data_root}: {free:,} bytes are free, a run needs {limits.min_free_bytes:,}; "
            "free some (`bgb cache prune --budget SIZE`) or lower run.min_free_bytes"
        )


def check_quarantined(modality: str, rejections: Sequence[Rejection], total: int, limits: RunSettings) -> None:
    """Fail a run of which too many uploads were rejected.

    Raises:
        TooManyQuarantined: More than the larger of the count and the share.
    """
    allowed = max(limits.quarantine_count, limits.quarantine_share * total)
    if len(rejections) > allowed:
        first = "; ".join(row.reason for row in rejections[:3])
        raise TooManyQuarantined(
            f"{modality}: {len(rejections)} of {total} uploads were quarantined, {allowed:g} are allowed ({first} ...); "
            f"all others are committed; see `bgb quarantine list {modality}`"
        )
