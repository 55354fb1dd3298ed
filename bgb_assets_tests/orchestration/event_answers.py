"""What tests compare between two event logs: their rows, and the answers that the UI gets from them."""

import re
import sqlite3
from pathlib import Path

import dagster as dg

from bgb_assets_tests.orchestration import event_scenario
from bgb_assets_tests.orchestration.event_scenario import NOTES, RAW, SUMMARY

MADE = dg.DagsterEventType.ASSET_MATERIALIZATION


def table_rows(storage) -> dict[str, list[tuple]]:
    """Return every row of every shard, without the columns that say when a row was made."""
    rows = {}
    for path in sorted(Path(storage._base_dir).glob("*.db")):
        with sqlite3.connect(path) as connection:
            for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
                columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
                kept = ", ".join(
                    f'"{name}"' for name in columns if name not in ("create_timestamp", "migration_completed")
                )
                rows[f"{path.name}/{table}"] = connection.execute(
                    f"SELECT {kept} FROM {table} ORDER BY rowid"
                ).fetchall()
        connection.close()
    return rows


def questions(events, uploads):
    """The questions that the UI, the daemon and the automation ask, by name."""
    run_ids = list(dict.fromkeys(event.run_id for event in events))
    checks = [dg.AssetCheckKey(SUMMARY, name) for name in ("rows_are_positive", "rows_are_many")]
    some = uploads[2:5]

    def pages(storage):
        cursor, found = None, []
        while True:
            page = storage.get_records_for_run(run_ids[0], cursor=cursor, limit=5)
            found.append((page.records, page.cursor, page.has_more))
            cursor = page.cursor
            if not page.has_more:
                return found

    return {
        "latest materialisations": lambda s: s.get_latest_materialization_events([RAW, NOTES, SUMMARY]),
        "asset records": lambda s: sorted(s.get_asset_records(), key=lambda r: r.asset_entry.asset_key),
        "asset keys": lambda s: s.all_asset_keys(),
        "materialised partitions": lambda s: s.get_materialized_partitions(RAW),
        "latest ids": lambda s: s.get_latest_storage_id_by_partition(RAW, MADE),
        "latest ids of some": lambda s: s.get_latest_storage_id_by_partition(RAW, MADE, set(some)),
        "latest tags": lambda s: s.get_latest_tags_by_partition(NOTES, MADE, ["dagster/data_version"], some),
        "attempts": lambda s: s.get_latest_asset_partition_materialization_attempts_without_materializations(RAW),
        "updated versions": lambda s: s.get_updated_data_version_partitions(RAW, uploads, 20),
        "tags of an asset": lambda s: s.get_event_tags_for_asset(RAW, filter_event_id=None),
        "history": lambda s: s.fetch_materializations(RAW, limit=7),
        "history of a partition": lambda s: s.fetch_materializations(
            dg.AssetRecordsFilter(RAW, asset_partitions=[uploads[1]]), limit=9
        ),
        "observations": lambda s: s.fetch_observations(RAW, limit=9),
        "event records": lambda s: s.get_event_records(dg.EventRecordsFilter(MADE, asset_key=NOTES), limit=50),
        "planned": lambda s: s.get_latest_planned_materialization_info(RAW, uploads[3]),
        "planned partitions of a run": lambda s: s.get_asset_partitions_for_run(
            run_ids[1], dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED
        ),
        "check history": lambda s: s.get_asset_check_execution_history(checks[1], limit=5),
        "latest checks": lambda s: s.get_latest_asset_check_execution_by_key(checks),
        "check summary": lambda s: s.get_asset_check_summary_records(checks),
        "run statuses": lambda s: s.fetch_run_status_changes(dg.DagsterEventType.RUN_SUCCESS, limit=10),
        "pages of a run": pages,
        "newest of a run": lambda s: s.get_records_for_run(run_ids[0], limit=3, ascending=False),
        "run stats": lambda s: [s.get_stats_for_run(run_id) for run_id in run_ids],
        "step stats": lambda s: [s.get_step_stats_for_run(run_id) for run_id in run_ids],
        "index log": lambda s: s.get_logs_for_all_runs_by_log_id(after_cursor=10, limit=20),
        "newest id": lambda s: s.get_maximum_record_id(),
    }


def without_row_times(answer: object) -> str:
    """Return an answer as text without the times at which rows were made."""
    return re.sub(r"create_(timestamp|time)=[^,)]+(\([^)]*\))?", "", repr(answer))


def overview(instance, run_ids, uploads) -> dict[str, object]:
    events = event_scenario.read_events(instance, run_ids)
    versions = instance.event_log_storage.get_latest_tags_by_partition(RAW, MADE, ["dagster/data_version"])
    return {
        "events": sorted((run_ids.index(e.run_id), str(e.dagster_event_type), e.step_key or "") for e in events),
        "partitions": {key: instance.get_materialized_partitions(key) for key in (RAW, NOTES)},
        "versions": versions,
        "statuses": [instance.get_run_by_id(run_id).status for run_id in run_ids if run_id],
        "partition status": {
            key: instance.get_status_by_partition(key, uploads, event_scenario.UPLOADS) for key in (RAW, NOTES)
        },
    }
