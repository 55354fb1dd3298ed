"""A code location over a data root in this process: its runs, and a daemon's ticks without the daemon's waiting.

Belongs here: driving. Does not belong here: what a test expects; real daemons (`bgb_assets_tests.e2e.live`).
"""

from collections.abc import Iterable, Mapping
from typing import Any

import dagster as dg
from dagster._core.definitions.freshness import FreshnessState, FreshnessStateChange
from dagster._time import get_current_timestamp

from bgb_assets.chain import Chain
from bgb_assets.engine.ingest import Ingest
from bgb_assets.modalities.contract import PER_UPLOAD_STAGES, Modality
from bgb_assets.orchestration.location import build_definitions
from bgb_assets.orchestration.partitions import (
    RANGE_END_TAG,
    RANGE_START_TAG,
    asset_key,
    partitions_name,
    sync_partitions,
)
from bgb_assets.runtime.executor import InProcessExecutor
from bgb_assets.runtime.settings import load_settings
from bgb_assets.storage.uploads import PRESENT

Requested = Mapping[str, list[str]]
"""Stage -> partitions that were asked for, sorted; none for stages without partitions."""

LEAN = {
    "resources": {"chain": {"config": {"workers": 0}}},
    "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
}


class Location:
    """One modality's assets on an instance. `modality` may be replaced, as an edit and a reload would do."""

    def __init__(self, modality: Modality, instance: dg.DagsterInstance) -> None:
        self.instance = instance
        self.load(modality)

    def load(self, modality: Modality) -> None:
        """Build the definitions anew."""
        self.modality = modality
        self.defs = build_definitions([modality], load_settings())

    @property
    def chain(self) -> Chain:
        """A chain as a run has it."""
        return Chain(self.modality, load_settings(), InProcessExecutor())

    def ingest(self) -> list[str]:
        """Look at the inbox, make the partitions; return them."""
        Ingest(self.chain).apply()
        present = [record.key for record in self.chain.uploads.all() if record.state == PRESENT]
        sync_partitions(self.instance, self.modality.name, present)
        return present

    def run(
        self, stages: Iterable[str], keys: Iterable[str] = (), *, success: bool = True, **tags: str
    ) -> dg.ExecuteInProcessResult:
        """Run stages in one run, over the range from the first to the last of some partitions; it must succeed."""
        assets = [asset_key(self.modality.name, stage) for stage in stages]
        job = self.defs.get_repository_def().get_implicit_job_def_for_assets(assets)
        assert job is not None
        ordered = [key for key in self.partitions() if key in set(keys)]
        span = {RANGE_START_TAG: ordered[0], RANGE_END_TAG: ordered[-1]} if ordered else {}
        done = job.execute_in_process(
            instance=self.instance,
            asset_selection=assets,
            tags={**span, **tags},
            run_config=LEAN,
            raise_on_error=False,
        )
        assert done.success == success, errors_of(done)
        return done

    def train(self, variant: str) -> dg.ExecuteInProcessResult:
        """Run one variant of the model; it must succeed."""
        key = asset_key(self.modality.name, "model")
        job = self.defs.get_repository_def().get_implicit_job_def_for_assets([key])
        assert job is not None
        return job.execute_in_process(
            instance=self.instance, asset_selection=[key], partition_key=variant, run_config=LEAN
        )

    def everything(self) -> list[str]:
        """Bring all uploads and fan-ins but the model up to date; return the partitions."""
        keys = self.ingest()
        self.run(PER_UPLOAD_STAGES, keys)
        self.run(["manifest", "tokens"])
        return keys

    def partitions(self) -> list[str]:
        """Return the partitions in the instance's order."""
        return list(self.instance.get_dynamic_partitions(partitions_name(self.modality.name)))

    def events(self, stage: str) -> dict[str, dg.AssetMaterialization]:
        """Return the newest materialization of each partition of a stage."""
        records = self.instance.fetch_materializations(asset_key(self.modality.name, stage), limit=10_000).records
        newest: dict[str, dg.AssetMaterialization] = {}
        for record in records:
            newest.setdefault(record.partition_key or "", record.asset_materialization)
        return newest


def errors_of(done: dg.ExecuteInProcessResult) -> str:
    """Return the errors of a run's steps, or of the run."""
    failures = [event.step_failure_data.error_display_string for event in done.all_events if event.is_step_failure]
    return "\n".join(failures) or "\n".join(event.message or "" for event in done.all_events if event.is_failure)


class Ticks:
    """The automation of a location, tick by tick."""

    def __init__(self, location: Location) -> None:
        self.location = location
        self._cursor: Any = None

    def tick(self) -> Requested:
        """Evaluate all conditions once; return what they ask for, which is not run."""
        result = dg.evaluate_automation_conditions(
            self.location.defs, self.location.instance, dg.AssetSelection.all(), cursor=self._cursor
        )
        self._cursor = result.cursor
        asked: dict[str, list[str]] = {}
        for stage in (*PER_UPLOAD_STAGES, "manifest", "tokens", "model"):
            key = asset_key(self.location.modality.name, stage)
            if result.get_num_requested(key):
                asked[stage] = sorted(filter(None, result.get_requested_partitions(key)))
        return asked

    def tick_and_run(self) -> Requested:
        """Evaluate, and run what is asked for: the uploads in one run, fan-ins in another."""
        asked = self.tick()
        uploads = [stage for stage in PER_UPLOAD_STAGES if stage in asked]
        fan_ins = [stage for stage in ("manifest", "tokens") if stage in asked]
        if uploads:
            self.location.run(uploads, {key for stage in uploads for key in asked[stage]})
        if fan_ins:
            self.location.run(fan_ins)
        return asked

    def until_idle(self, most: int = 6) -> list[Requested]:
        """Tick and run until two ticks in a row ask for nothing; return what was asked for, tick by tick."""
        asked: list[Requested] = []
        while asked[-2:] != [{}, {}]:
            assert len(asked) < most, f"no end after {most} ticks: {asked}"
            asked.append(self.tick_and_run())
        return [each for each in asked if each]

    def judge(self, state: FreshnessState, stages: Iterable[str] = (*PER_UPLOAD_STAGES, "manifest", "tokens")) -> None:
        """Say what the freshness daemon would say about some stages."""
        for stage in stages:
            change = FreshnessStateChange(
                key=asset_key(self.location.modality.name, stage),
                previous_state=FreshnessState.UNKNOWN,
                new_state=state,
                state_change_timestamp=get_current_timestamp(),
            )
            self.location.instance._report_runless_asset_event(change)
