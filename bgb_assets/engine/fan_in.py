"""Fan-in stages: manifest, tokens and model, each from all uploads at once, with parts and heads.

Which uploads take part is what their records say: the newest entry of each stage the fan-in reads. An upload
that was rejected or never processed has none and is left out. Belongs here: building a fan-in's inputs, its
identity, its parts, its commit. Does not belong here: the stage functions (the modalities).
"""

import dataclasses
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from bgb_assets.chain import Chain
from bgb_assets.engine.guards import check_free_space, machine_errors_named
from bgb_assets.engine.members import FanInInputs, members_of, pins_digest
from bgb_assets.engine.outcomes import StageOutcome, outcome_of
from bgb_assets.engine.summary import Summary, summary_path
from bgb_assets.engine.walk import call, declared_files, make_record, part_identity
from bgb_assets.modalities.contract import FanIn, Stage, iterate_reads, matches
from bgb_assets.runtime.errors import StoreError, UsageError
from bgb_assets.runtime.imports import resolve
from bgb_assets.runtime.settings import FORCE_VARIABLE, rebuild_asked
from bgb_assets.storage.atomic import sweep
from bgb_assets.storage.digests import as_plain, sha256_json
from bgb_assets.storage.found_groups import append_found, has_found
from bgb_assets.storage.heads import heads_of
from bgb_assets.storage.identity import IdentityParts
from bgb_assets.storage.records import Record
from bgb_assets.storage.store import in_use, link_files
from bgb_assets.storage.uploads import PRESENT, UploadRecord


class FanInRun:
    """One fan-in stage of one modality, for one variant where it is the model.

    Args:
        chain: The modality's chain.
        stage: `manifest`, `tokens` or `model`.
        variant: The model variant; the default one where None.
        params: Of a run that is none of the modality's variants, but has a head named like one (`engine.experiment`).
    """

    def __init__(self, chain: Chain, stage: str, variant: str | None = None, params: Any = None) -> None:
        self.chain = chain
        self.stage = _with_variant(chain, stage, variant, params)
        self.head = head_name(stage, variant or chain.modality.default_variant)
        self.heads = heads_of(chain.store.layout, chain.modality.name)
        self._parts_made: list[Record] = []

    @cached_property
    def uploads(self) -> Sequence[UploadRecord]:
        """The uploads that take part: present, and with an entry at every stage that is read."""
        names = [name for name in self._upload_sources if name != "upload"]
        everyone = (record for record in self.chain.uploads.all() if record.state == PRESENT)
        return [record for record in everyone if names and all(name in record.entries for name in names)]

    @cached_property
    def upstream(self) -> Mapping[str, Record]:
        """The newest entries of the fan-in stages that are read.

        Raises:
            UsageError: One has not been made yet.
        """
        found = {}
        for source in dict.fromkeys(read.source for read in self.stage.reads):
            if source in ("manifest", "tokens"):
                head = self.heads.get(source)
                record = self._lookup(source, head.identity) if head else None
                if record is None:
                    raise UsageError(
                        f"{self.chain.modality.name}/{self.stage.name}: there is no {source} yet; "
                        f"run `bgb materialize {self.chain.modality.name} --through {self.stage.name}`"
                    )
                found[source] = record
        return found

    @cached_property
    def inputs(self) -> FanInInputs:
        """The members and what was read of each, without opening a file."""
        return members_of(self.chain, self.stage, self.uploads)

    def identity(self) -> IdentityParts:
        """Return what the wanted entry is made of."""
        facets: dict[str, str] = {}
        for source, record in self.upstream.items():
            patterns = tuple(p for read in iterate_reads(self.stage, source) for p in read.facets)
            facets |= {f"{source}.{name}": held for name, held in record.facets.items() if matches(name, patterns)}
        if self._upload_sources:
            facets["members"] = sha256_json(sorted(self.inputs.digests.items()))
        if self.stage.pins:
            facets["pins"] = pins_digest(self.chain.store.layout.pins(self.chain.modality.name))
        name = f"{self.stage.name}/{self.chain.modality.name}"
        return IdentityParts(name, self.stage.code_version, self._params(), facets)

    def held(self) -> Record | None:
        """Return the wanted entry, None where it is still to be made."""
        return self._lookup(self.stage.name, self.identity().digest())

    def run(self, *, force: bool = False, why: str = "it was asked for") -> StageOutcome:
        """Bring the stage up to date and point its head at the entry.

        Args:
            force: Make it again although there is an entry, as `BGB_FORCE=1` and `BGB_FORCE_<STAGE>_REBUILD=1` do.
            why: Who forces it, for the outcome's metadata.

        Raises:
            ResourceError: The machine failed; parts that were committed stay.
        """
        check_free_space(self.chain.settings, self.chain.limits)
        sweep(self.chain.store.layout.temporary)
        forced = why if force else rebuild_asked(self.stage.name)
        forced = forced or (f"{FORCE_VARIABLE} is set" if self.chain.settings.force else "")
        with in_use(self.chain.store), machine_errors_named(f"{self.chain.modality.name}/{self.stage.name}"):
            return _said(self._run(force=bool(forced)), forced)

    def _run(self, *, force: bool) -> StageOutcome:
        started = time.perf_counter()
        record, called = self._bring(force=force)
        pinned: tuple[str, ...] = ()
        while self._pin_found(record):
            record, called = self._bring(force=False)[0], True
            folder = self.chain.store.layout.pins(self.chain.modality.name)
            pinned = (
                f"groups that were found to be one are pinned in {folder}: look at the new lines and commit them",
            )
        self._index(record)
        self.heads.move(self.head, record.identity)
        outcome = outcome_of(record, called=called, seconds=time.perf_counter() - started if called else 0.0)
        outcome = dataclasses.replace(outcome, warnings=(*outcome.warnings, *pinned))
        summary = Summary()
        summary.add_stages([outcome])
        summary.save(summary_path(self.chain.store.layout, self.chain.modality.name))
        return outcome

    def _bring(self, *, force: bool) -> tuple[Record, bool]:
        """Return the wanted entry, and whether it was made here."""
        parts = self.identity()
        held = None if force else self._lookup(self.stage.name, parts.digest())
        return (held, False) if held else self._build(parts, overwrite=force)

    def _pin_found(self, record: Record) -> bool:
        """Append the groups that the entry found to the pins; return whether those, and so its identity, changed."""
        directory = self.chain.store.directory(record)
        if not self.stage.pins or not has_found(directory):
            return False
        self._index(record)
        layout, name = self.chain.store.layout, self.chain.modality.name
        lock = layout.state / "pins" / f"{name}.lock"
        return append_found(directory, layout.pins(name), self._splits_in_use(), lock)

    def _splits_in_use(self) -> Mapping[str, int]:
        """Return group -> split of the manifest that the head points to; empty where there is none."""
        # Imports pyarrow, which the start of a command does not need.
        from bgb_assets.storage.manifest import splits_of_groups

        head = self.heads.get(self.head)
        record = self._lookup(self.stage.name, head.identity) if head else None
        return splits_of_groups(self.chain.store.directory(record)) if record else {}

    @property
    def _upload_sources(self) -> list[str]:
        fan_in = ("manifest", "tokens", "model")
        return [name for name in dict.fromkeys(read.source for read in self.stage.reads) if name not in fan_in]

    def _params(self) -> Any:
        if self.stage.name != "model":
            return self.stage.params
        return {"variant": self.head.partition("/")[2], **as_plain(self.stage.params)}

    def _lookup(self, stage: str, identity: str) -> Record | None:
        record = self.chain.store.lookup(stage, self.chain.modality.name, identity)
        return record if record is not None and self.chain.store.is_whole(record) else None

    def _build(self, parts: IdentityParts, *, overwrite: bool) -> tuple[Record, bool]:
        """Return the entry, and whether it was made here."""
        if not self.stage.resumable:
            with self.chain.store.building() as out:
                return self._make(parts, out, {}, overwrite=overwrite), True
        identity = parts.digest()
        with self.chain.store.resuming(identity) as (out, work):
            # The loser of a race waited for the lease: by now the entry may be there.
            held = None if overwrite else self._lookup(self.stage.name, identity)
            logs = self.chain.store.layout.logs(self.chain.modality.name, identity)
            record = held or self._make(parts, out, {"work": work, "logs": logs}, overwrite=overwrite)
            self.chain.store.finish_resumed(identity)
            return record, held is None

    def _make(self, parts: IdentityParts, out: Path, places: Mapping[str, Path], *, overwrite: bool) -> Record:
        with self._fan_in(places) as fan_in:
            made = self._make_parts(fan_in, overwrite=overwrite)
            views = {name: self.inputs.view(record) for name, record in made.items()}
            whole = dataclasses.replace(fan_in, parts=views)
            result, seconds = call(self.stage, self.stage.run, (whole, self.stage.params, out))
        record = make_record(self.chain.modality.name, self.stage, parts, result, seconds)
        members = dict(self.inputs.digests) if self._upload_sources else {}
        record = dataclasses.replace(
            record, parts={name: part.identity for name, part in made.items()}, members=members
        )
        return self.chain.store.commit(out, record, overwrite=overwrite)

    def _make_parts(self, fan_in: FanIn, *, overwrite: bool) -> Mapping[str, Record]:
        if self.stage.parts is None:
            return {}
        by_key = {member.key: member for member in fan_in.members}
        made: dict[str, Record] = {}
        for name, plan in resolve(self.stage.parts.plan)(fan_in, self.stage.params).items():
            parts = part_identity(self.chain.modality.name, self.stage, plan)
            held = None if overwrite else self._lookup(self.stage.name, parts.digest())
            if held is None:
                if missing := [key for key in plan.members if key not in by_key]:
                    raise StoreError(
                        f"{self.chain.modality.name}/{self.stage.name}: {missing[0]!r} is in the manifest but has no "
                        f"entries now; run `bgb materialize {self.chain.modality.name} --through manifest` first"
                    )
                chosen = dataclasses.replace(fan_in, members=[by_key[key] for key in plan.members])
                held = self._make_part(name, parts, chosen, overwrite=overwrite)
            made[name] = held
        self._parts_made = list(made.values())
        return made

    def _make_part(self, name: str, parts: IdentityParts, fan_in: FanIn, *, overwrite: bool) -> Record:
        assert self.stage.parts is not None
        with self.chain.store.building() as out:
            result, seconds = call(self.stage, self.stage.parts.run, (name, fan_in, self.stage.params, out))
            record = make_record(self.chain.modality.name, self.stage, parts, result, seconds)
            return self.chain.store.commit(out, record, overwrite=overwrite)

    @contextmanager
    def _fan_in(self, places: Mapping[str, Path]) -> Iterator[FanIn]:
        with ExitStack() as stack:
            space = stack.enter_context(self.chain.store.building())
            members = self.inputs.open(space / "members")
            inputs = {name: self._link(name, record, space / name) for name, record in self.upstream.items()}
            layout = self.chain.store.layout
            yield FanIn(
                members=members,
                inputs={**inputs, **places},
                views={name: self.inputs.view(record) for name, record in self.upstream.items()},
                parts={},
                pins=layout.pins(self.chain.modality.name),
                root=self.chain.store.root,
                lineage=self._lineage(),
            )

    def _link(self, source: str, record: Record, view: Path) -> Path:
        patterns = tuple(p for read in iterate_reads(self.stage, source) for p in read.files)
        return link_files(declared_files(self.chain.store, record, patterns), view)

    def _lineage(self) -> Mapping[str, Any]:
        chain = self.chain.modality
        upstream = {name: {"identity": record.identity} for name, record in self.upstream.items()}
        return {
            stage.name: {
                "code_version": stage.code_version,
                "params": as_plain(stage.params),
                **upstream.get(stage.name, {}),
            }
            for stage in chain.stages
        }

    def _index(self, record: Record) -> None:
        rows = [(item, self.chain.store.signature(item)) for item in (record, *self._parts_made)]
        self.chain.catalog.put_many([(item, signature) for item, signature in rows if signature is not None])
        self.chain.catalog.touch_many([record.identity])


def _said(outcome: StageOutcome, forced: str) -> StageOutcome:
    """Return the outcome with the reason why it was made again: a variable that was left set must show."""
    if not forced:
        return outcome
    warnings = (*outcome.warnings, f"{outcome.stage} was made again although nothing had to change: {forced}")
    return dataclasses.replace(outcome, metadata={**outcome.metadata, "forced": forced}, warnings=warnings)


def head_name(stage: str, variant: str) -> str:
    """Return the head of a fan-in stage: its name, with the variant for models."""
    return f"{stage}/{variant}" if stage == "model" else stage


def _with_variant(chain: Chain, name: str, variant: str | None, params: Any) -> Stage:
    stage = chain.modality.stage(name)
    if name != "model":
        return stage
    if params is not None:
        return dataclasses.replace(stage, params=params)
    variant = variant or chain.modality.default_variant
    if variant not in chain.modality.variants:
        raise UsageError(
            f"{chain.modality.name}: no variant {variant!r}; there are {', '.join(chain.modality.variants)}"
        )
    return dataclasses.replace(stage, params=chain.modality.variants[variant])
