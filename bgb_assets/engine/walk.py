"""One upload through the stages, in a worker: look up, else build and commit, stage after stage.

Belongs here: what a worker does with one upload; it reads and writes entries, never the catalog, the upload
records or quarantine rows. Does not belong here: which uploads (`bgb_assets.chain`).
"""

import platform
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bgb_assets.engine.guards import machine_error
from bgb_assets.engine.outcomes import StageOutcome, UploadOutcome, outcome_of, rejected
from bgb_assets.engine.wanted import facets_read, wanted
from bgb_assets.modalities.contract import UPLOAD, Modality, PartPlan, Stage, StageResult, iterate_reads, matches
from bgb_assets.runtime.errors import BadInput, BgbError, ContractError, StoreError, Unstable
from bgb_assets.runtime.imports import resolve
from bgb_assets.runtime.logs import heard
from bgb_assets.runtime.monitoring import count
from bgb_assets.storage.digests import as_plain, canonical_json
from bgb_assets.storage.identity import IdentityParts
from bgb_assets.storage.quarantine import Quarantine, Rejection
from bgb_assets.storage.records import Record
from bgb_assets.storage.store import StageStore, link_files
from bgb_assets.storage.uploads import FACTS_NAME, UploadRecord, opened, require_untouched

_DIGEST = re.compile(r"[0-9a-f]{64}")
_BUG_REMEDY = "this is a bug in the stage, or an input it does not know: report it with the upload"


@dataclass(frozen=True)
class WalkTask:
    """One upload to walk.

    Attributes:
        stages: The per-upload stages up to the last selected one, params laid over.
        selected: The names whose outcomes are asked for.
        known: Stage -> record, for the leading stages that are known to be hits.
        force: The names to rebuild although there is an entry.
    """

    root: Path
    modality: Modality
    stages: tuple[Stage, ...]
    upload: UploadRecord
    selected: frozenset[str]
    known: Mapping[str, Record] = field(default_factory=dict)
    force: frozenset[str] = frozenset()


def walk(task: WalkTask) -> UploadOutcome:
    """Bring one upload up to date. The entry point of workers.

    Raises:
        ContractError: A stage breaks its declaration: a bug, the run stops.
        OSError: The machine is at fault (no space, I/O error, permission): the run stops.
    """
    return Walker(task).run()


class Walker:
    """One upload on its way through the stages."""

    def __init__(self, task: WalkTask) -> None:
        self.task = task
        self.store = StageStore(task.root)
        self.records: dict[str, Record] = dict(task.known)
        self._parts: list[Record] = []
        self._quarantine = Quarantine(self.store.layout.quarantine(task.modality.name))

    def run(self) -> UploadOutcome:
        """Walk all stages; a rejection at one stage is the outcome of those after it too."""
        outcomes: dict[str, StageOutcome] = {}
        rejection: Rejection | None = None
        for stage in self.task.stages:
            if rejection is not None:
                outcome = rejected(stage.name, rejection)
            else:
                try:
                    outcome = self._step(stage)
                except Unstable as error:
                    return UploadOutcome(self.task.upload.key, {}, unstable=str(error))
                rejection = outcome.rejection
            outcomes[stage.name] = outcome
        return UploadOutcome(self.task.upload.key, outcomes)

    def _step(self, stage: Stage) -> StageOutcome:
        if (known := self.task.known.get(stage.name)) is not None:
            return outcome_of(known, called=False)
        parts = self.identity(stage)
        identity = parts.digest()
        force = stage.name in self.task.force
        if not force:
            held = self._held(stage, identity)
            if held is not None:
                self.records[stage.name] = held
                return outcome_of(held, called=False, parts=tuple(parts_of(self.store, held).values()))
            row = self._quarantine.get(identity)
            if row is not None and not row.retried:
                return rejected(stage.name, row.for_upload(self.task.upload.key))
        problem = self.task.upload.problem
        if problem is not None and any(iterate_reads(stage, UPLOAD)):
            row = self._row(stage.name, identity, problem.kind, problem.reason, problem.remedy)
            return rejected(stage.name, row, called=True)
        started = time.perf_counter()
        self._parts.clear()
        try:
            record = self._build(stage, parts, overwrite=force)
        except Exception as error:  # noqa: BLE001 - sorted into rejection or raised again, never swallowed
            return rejected(stage.name, self._rejection(stage, identity, error), called=True)
        self.records[stage.name] = record
        return outcome_of(record, called=True, seconds=time.perf_counter() - started, parts=tuple(self._parts))

    def identity(self, stage: Stage) -> IdentityParts:
        """Return what the stage's entry for this upload is made of."""
        return wanted(self.task.modality.name, stage, facets_read(stage, self.task.upload, self.records))

    def _held(self, stage: Stage, identity: str) -> Record | None:
        record = self.store.lookup(stage.name, self.task.modality.name, identity)
        return record if record is not None and self.store.is_whole(record) else None

    def _rejection(self, stage: Stage, identity: str, error: Exception) -> Rejection:
        """Turn an exception into a row, or raise it again where it is not the upload's fault."""
        ours = isinstance(error, BgbError) and not isinstance(error, BadInput)
        if ours:
            raise error
        if (fault := machine_error(error)) is not None:
            raise fault
        # What a file looked like while it changed says nothing about the upload.
        self._require_untouched(stage)
        if isinstance(error, BadInput):
            return self._row(stage.name, identity, "input", error.reason, error.remedy)
        absent = [f"{name} is absent ({held.absent})" for name, held in self.records.items() if held.absent is not None]
        reason = "; ".join([f"{type(error).__name__}: {error}", *absent])
        return self._row(stage.name, identity, "crash", reason, _BUG_REMEDY)

    def _row(self, stage: str, identity: str, kind: str, reason: str, remedy: str) -> Rejection:
        upload = self.task.upload
        where = f"{self.task.modality.name}/{stage} {upload.key!r}"
        return Rejection(identity, upload.modality, stage, upload.key, kind, f"{where}: {reason}", remedy)

    def _require_untouched(self, stage: Stage) -> None:
        if any(read.files for read in iterate_reads(stage, UPLOAD)):
            require_untouched(self.task.upload, self.task.root)

    def _build(self, stage: Stage, parts: IdentityParts, *, overwrite: bool, expected: str | None = None) -> Record:
        with self.store.building() as out:
            with self.inputs(stage) as inputs:
                plan = _plan_parts(stage, inputs)
                made = {name: self._part(stage, name, item, inputs) for name, item in plan.items()}
                if made:
                    inputs = {**inputs, "parts": _parts_view(self.store, made, out.parent / "parts")}
                result, seconds = call(stage, stage.run, (inputs, stage.params, out))
            # Only now: leaving the inputs has checked that the upload did not change meanwhile.
            self._parts += made.values()
            record = make_record(self.task.modality.name, stage, parts, result, seconds)
            record = replace(record, parts={name: part.identity for name, part in made.items()})
            return self.store.commit(out, record, overwrite=overwrite, expected=expected)

    def _part(self, stage: Stage, name: str, plan: PartPlan, inputs: Mapping[str, Path]) -> Record:
        assert stage.parts is not None
        parts = part_identity(self.task.modality.name, stage, plan)
        held = self._held(stage, parts.digest())
        force = stage.name in self.task.force
        if held is not None and not held.evicted and not force:
            return held
        with self.store.building() as out:
            result, seconds = call(stage, stage.parts.run, (name, inputs, stage.params, out))
            self._require_untouched(stage)
            record = make_record(self.task.modality.name, stage, parts, result, seconds)
            expected = held.data_version if held is not None and not force else None
            return self.store.commit(out, record, overwrite=force or held is not None, expected=expected)

    @contextmanager
    def inputs(self, stage: Stage) -> Iterator[Mapping[str, Path]]:
        """Give the directories a stage may read: links to the declared files and nothing else."""
        views: dict[str, Path] = {}
        with ExitStack() as stack:
            space = stack.enter_context(self.store.building())
            for source in dict.fromkeys(read.source for read in stage.reads):
                patterns = tuple(p for read in iterate_reads(stage, source) for p in read.files)
                if source != UPLOAD:
                    views[source] = self.entry_view(source, patterns, space / source)
                elif patterns:
                    views[source] = stack.enter_context(self._upload(patterns))
            yield views

    def entry_view(self, stage: str, patterns: tuple[str, ...], view: Path) -> Path:
        """Fill `view` with links to an entry's files, making evicted bytes anew first."""
        record = self.records[stage]
        if patterns and is_evicted(self.store, record):
            record = self.remake(stage)
        return link_files(declared_files(self.store, record, patterns), view)

    def remake(self, name: str) -> Record:
        """Make an evicted entry's bytes again; they must be what they were.

        Raises:
            ContractError: They are not; nothing is committed.
        """
        stage = next(stage for stage in self.task.stages if stage.name == name)
        old = self.records[name]
        # Another process, or an earlier fan-in of this one, may have been there.
        record = self.store.lookup(name, self.task.modality.name, old.identity)
        if record is None or is_evicted(self.store, record):
            record = self._build(stage, self.identity(stage), overwrite=True, expected=old.data_version)
        self.records[name] = record
        return record

    @contextmanager
    def _upload(self, patterns: tuple[str, ...]) -> Iterator[Path]:
        upload = self.task.upload
        only = tuple(name for pattern in patterns for name in self._references(pattern))
        if not only or only == (FACTS_NAME,):
            with self.store.building() as view:
                if only:
                    (view / FACTS_NAME).write_bytes(canonical_json(upload.facts))
                yield view
            return
        limits = archive_limits(self.task.modality)
        with opened(upload, self.task.root, self.store.layout.temporary, limits, only) as view:
            count("uploads_opened")
            yield view

    def _references(self, pattern: str) -> tuple[str, ...]:
        if not pattern.startswith("@"):
            return (pattern,)
        named = [record.references[pattern[1:]] for record in self.records.values() if pattern[1:] in record.references]
        # A reference is a name, not a pattern: brackets in file names are common.
        return tuple(name.replace("[", "[[]").replace("*", "[*]").replace("?", "[?]") for name in named)


def is_evicted(store: StageStore, record: Record) -> bool:
    """Say whether an entry or one of its parts lacks its bytes."""
    return record.evicted or any(part.evicted for part in parts_of(store, record).values())


def parts_of(store: StageStore, record: Record) -> dict[str, Record]:
    """Return an entry's parts by name.

    Raises:
        StoreError: One is gone.
    """
    found = {}
    for name, identity in record.parts.items():
        part = store.lookup(record.stage, record.modality, identity)
        if part is None:
            raise StoreError(f"{store.location(record)}: its part {name!r} is gone; run again to make it")
        found[name] = part
    return found


def declared_files(store: StageStore, record: Record, patterns: tuple[str, ...]) -> list[tuple[str, Path]]:
    """Return (relative name, file) of the entry's files that match; those of a part are below its name."""
    if not patterns:
        return []
    directory = store.directory(record)
    files = [(name, directory / name) for name in record.outputs if matches(name, patterns)]
    for name, part in parts_of(store, record).items():
        base = store.directory(part)
        files += [(f"{name}/{file}", base / file) for file in part.outputs if matches(f"{name}/{file}", patterns)]
    return files


def archive_limits(modality: Modality) -> dict[str, Any]:
    """Return a modality's limits as keyword arguments of `archives.unpack`."""
    limits = modality.archive_limits
    return {"max_entries": limits.max_entries, "max_bytes": limits.max_bytes, "max_ratio": limits.max_ratio}


def call(stage: Stage, function: str, arguments: tuple[Any, ...]) -> tuple[StageResult, float]:
    """Call a stage function and count it; return its result and the seconds it took. What it logs is heard.

    Raises:
        ContractError: It returns no `StageResult`, or publishes what it does not declare or what is no digest.
    """
    count(f"stage_calls.{stage.name}")
    started = time.perf_counter()
    with heard(function.partition(".")[0]):
        result = resolve(function)(*arguments)
    seconds = time.perf_counter() - started
    if not isinstance(result, StageResult):
        raise ContractError(f"{function}: must return StageResult, got {type(result).__name__}")
    if undeclared := [name for name in result.facets if not matches(name, stage.publishes)]:
        raise ContractError(f"{function}: facets {undeclared!r} are not declared in publishes={stage.publishes!r}")
    if wrong := [name for name, digest in result.facets.items() if not _DIGEST.fullmatch(digest)]:
        raise ContractError(f"{function}: facets {wrong!r} must be 64 lower-case hex digits of a SHA-256")
    return result, seconds


def make_record(modality: str, stage: Stage, parts: IdentityParts, result: StageResult, seconds: float) -> Record:
    """Return the record of a stage's result, without outputs.

    Raises:
        ContractError: Its metadata are no JSON: an array, NaN, a key that is no string.
    """
    try:
        metadata, observed = as_plain(result.metadata), as_plain(result.observed)
    except (TypeError, ValueError) as error:
        raise ContractError(f"{stage.run}: metadata and observed values must be JSON: {error}") from error
    observed |= {"seconds": seconds, "python": platform.python_version(), "at_s": time.time()}
    return Record(
        modality=modality,
        stage=stage.name,
        identity=parts.digest(),
        parts_of_identity=parts.as_json(),
        facets=dict(result.facets),
        outputs={},
        metadata=metadata,
        warnings=tuple(result.warnings),
        absent=result.absent,
        references=dict(result.references),
        observed=observed,
    )


def part_identity(modality: str, stage: Stage, plan: PartPlan) -> IdentityParts:
    """Return what a part's own entry is made of."""
    return IdentityParts(f"{stage.name}/{modality}/part", stage.code_version, plan.params, plan.facets)


def _plan_parts(stage: Stage, inputs: Mapping[str, Path]) -> Mapping[str, PartPlan]:
    if stage.parts is None:
        return {}
    plan: Mapping[str, PartPlan] = resolve(stage.parts.plan)(inputs, stage.params)
    return plan


def _parts_view(store: StageStore, made: Mapping[str, Record], view: Path) -> Path:
    files = [
        (f"{name}/{file}", store.directory(record) / file) for name, record in made.items() for file in record.outputs
    ]
    return link_files(files, view)
