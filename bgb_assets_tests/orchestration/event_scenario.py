"""A small code location that writes every kind of event the event log knows, and homes to run it in.

Used by the tests of the event log and of reporting, in this process and as `dagster -m` of others.
"""

import json
import os
import sys
from pathlib import Path

import dagster as dg
import yaml

from bgb_assets.orchestration.event_log import BatchedSqliteEventLogStorage
from bgb_assets.orchestration.reporting import BatchReporter

UPLOADS = dg.DynamicPartitionsDefinition(name="uploads")
RAW, NOTES, SUMMARY = dg.AssetKey(["song", "raw"]), dg.AssetKey(["song", "notes"]), dg.AssetKey(["song", "summary"])
BATCHES_FILE = "BGB_TEST_BATCHES_FILE"


class RecordingStorage(BatchedSqliteEventLogStorage):
    """The storage under test; adds a line for each batch to the file that the environment names."""

    def store_event_batch(self, events):
        """Store, then say who stored how many events of which types."""
        super().store_event_batch(events)
        line = {"pid": os.getpid(), "count": len(events), "types": sorted({str(e.dagster_event_type) for e in events})}
        line["command"] = " ".join(sys.orig_argv)
        with Path(os.environ[BATCHES_FILE]).open("a") as file:
            file.write(json.dumps(line) + "\n")


@dg.multi_asset(
    specs=[
        dg.AssetSpec(RAW, skippable=True, partitions_def=UPLOADS, code_version="1"),
        dg.AssetSpec(NOTES, deps=[RAW], skippable=True, partitions_def=UPLOADS, code_version="1"),
    ],
    can_subset=True,
    backfill_policy=dg.BackfillPolicy.single_run(),
)
def songs(context: dg.AssetExecutionContext):
    """Report each selected stage of each upload, with a version that the run's tag gives."""
    version = context.run.tags.get("version", "1")
    with BatchReporter(context, batch_size=7, max_age_s=3_600) as reporter:
        for i, upload in enumerate(context.partition_keys):
            for key in sorted(context.selected_asset_keys, reverse=True):
                tags = {"dagster/data_version": f"{key.path[-1]}-{upload}-{version}"}
                reporter.add(dg.AssetMaterialization(key, partition=upload, metadata={"position": i}, tags=tags))
            if i == int(context.run.tags.get("fail_after", -1)):
                raise RuntimeError("asked to fail")
    yield from ()


@dg.asset(key=SUMMARY, deps=[NOTES])
def summary(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    """Fan in, and observe."""
    context.log_event(dg.AssetObservation(RAW, metadata={"seen": True}))
    return dg.MaterializeResult(data_version=dg.DataVersion("s"), metadata={"rows": 3})


@dg.asset_check(asset=SUMMARY)
def rows_are_positive() -> dg.AssetCheckResult:
    """Pass."""
    return dg.AssetCheckResult(passed=True, metadata={"rows": 3})


@dg.asset_check(asset=SUMMARY)
def rows_are_many() -> dg.AssetCheckResult:
    """Fail, as a warning."""
    return dg.AssetCheckResult(passed=False, severity=dg.AssetCheckSeverity.WARN)


defs = dg.Definitions(assets=[songs, summary], asset_checks=[rows_are_positive, rows_are_many])


def make_home(home: Path, storage: type | None = BatchedSqliteEventLogStorage, **settings: object) -> Path:
    """Write a `dagster.yaml`; `None` means the stock storage."""
    home.mkdir(parents=True, exist_ok=True)
    config: dict[str, object] = {"telemetry": {"enabled": False}, **settings}
    if storage is not None:
        config["event_log_storage"] = {"module": storage.__module__, "class": storage.__name__}
    (home / "dagster.yaml").write_text(yaml.safe_dump(config))
    return home


def range_tags(first: str, last: str) -> dict[str, str]:
    """Return the tags that make a run cover a range of partitions."""
    return {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}


def run_everything(instance: dg.DagsterInstance, uploads: list[str]) -> list[str]:
    """Write events of every kind; return the run ids in order (the last is that of events without a run)."""
    instance.add_dynamic_partitions(UPLOADS.name, uploads)
    everything = range_tags(uploads[0], uploads[-1])
    runs = [
        dg.materialize([songs], instance=instance, tags=everything),
        dg.materialize([songs], instance=instance, tags={**everything, "version": "2"}, selection=[RAW]),
        dg.materialize([songs], instance=instance, tags={**everything, "fail_after": "3"}, raise_on_error=False),
        dg.materialize(
            [summary, rows_are_positive, rows_are_many, songs], instance=instance, selection="key:song/summary"
        ),
    ]
    instance.report_runless_asset_event(dg.AssetMaterialization(RAW, partition=uploads[0]))
    instance.report_runless_asset_event(dg.AssetObservation(SUMMARY, tags={"dagster/data_version": "o"}))
    return [run.run_id for run in runs] + [""]


def read_events(instance: dg.DagsterInstance, run_ids: list[str]) -> list[dg.EventLogEntry]:
    """Return all events of the runs, in order."""
    storage = instance.event_log_storage
    return [record.event_log_entry for run_id in run_ids for record in storage.get_records_for_run(run_id).records]
