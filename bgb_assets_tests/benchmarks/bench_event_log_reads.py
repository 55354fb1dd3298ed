"""What the webserver, the daemon and the automation wait for when they read a log of many partitions.

The same database files are read through the stock storage and through ours, in turns.

    python -m bgb_assets_tests.benchmarks.bench_event_log_reads [--small] [--partitions 20000] [--repeats 7]
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence

import dagster as dg
from dagster._core.events import AssetMaterializationPlannedData, StepMaterializationData
from dagster._core.storage.event_log import SqliteEventLogStorage

from bgb_assets.orchestration.event_log import BATCH_SIZE, BatchedSqliteEventLogStorage

RAW = dg.AssetKey("raw")
MADE = dg.DagsterEventType.ASSET_MATERIALIZATION
VERSION = ["dagster/data_version"]


def main() -> None:
    """Fill a log, then compare every question on it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="few partitions, once: only to see that it runs")
    parser.add_argument("--partitions", type=int, default=20_000)
    parser.add_argument("--repeats", type=int, default=7)
    args = parser.parse_args()
    partitions = [f"upload_{i:06}" for i in range(50 if args.small else args.partitions)]
    with tempfile.TemporaryDirectory(prefix="bench_event_log_reads_") as folder:
        ours = BatchedSqliteEventLogStorage(folder)
        fill(ours, partitions)
        stock = SqliteEventLogStorage(folder)
        slowest = compare(stock, ours, partitions, 1 if args.small else args.repeats)
        ours.dispose()
    print(f"ratio stock/ours, worst question: {slowest:.2f}")


def fill(storage: BatchedSqliteEventLogStorage, partitions: Sequence[str]) -> None:
    """Plan and materialize every partition of two assets in one run."""
    storage.add_dynamic_partitions("uploads", partitions)
    for key in (RAW, dg.AssetKey("notes")):
        events = [entry(planned(key, partition)) for partition in partitions]
        events += [entry(materialized(key, partition)) for partition in partitions]
        for start in range(0, len(events), BATCH_SIZE):
            storage.store_event_batch(events[start : start + BATCH_SIZE])


def planned(key: dg.AssetKey, partition: str) -> dg.DagsterEvent:
    """Return the event that a run intends to make a partition."""
    data = AssetMaterializationPlannedData(key, partition=partition, partitions_subset=None)
    return dg.DagsterEvent.build_asset_materialization_planned_event("job", "step", data)


def materialized(key: dg.AssetKey, partition: str) -> dg.DagsterEvent:
    """Return the event that a partition was made."""
    tags = {"dagster/data_version": f"{key.to_user_string()} {partition}"}
    data = StepMaterializationData(dg.AssetMaterialization(key, partition=partition, tags=tags))
    return dg.DagsterEvent(MADE.value, "job", event_specific_data=data)


def entry(event: dg.DagsterEvent) -> dg.EventLogEntry:
    """Return an event as a row of the one run."""
    return dg.EventLogEntry(
        error_info=None, level=10, user_message="", run_id="run", timestamp=time.time(), dagster_event=event
    )


def questions(partitions: Sequence[str]) -> dict[str, Callable[[SqliteEventLogStorage], object]]:
    """Return what is asked, by name."""
    some, middle = partitions[::50], len(partitions)
    return {
        "materialized partitions": lambda log: log.get_materialized_partitions(RAW),
        "latest ids": lambda log: log.get_latest_storage_id_by_partition(RAW, MADE),
        "latest data versions": lambda log: log.get_latest_tags_by_partition(RAW, MADE, VERSION),
        "latest data versions of some": lambda log: log.get_latest_tags_by_partition(RAW, MADE, VERSION, some),
        "attempts": lambda log: log.get_latest_asset_partition_materialization_attempts_without_materializations(RAW),
        "changed data versions": lambda log: log.get_updated_data_version_partitions(RAW, some, middle),
        "asset records": lambda log: log.get_asset_records([RAW]),
        "history": lambda log: log.fetch_materializations(RAW, limit=50),
        "page of a run": lambda log: log.get_records_for_run("run", limit=100),
        "statistics of a run": lambda log: log.get_stats_for_run("run"),
        "planned": lambda log: log.get_latest_planned_materialization_info(RAW, partitions[5]),
        "dynamic partitions": lambda log: log.get_dynamic_partitions("uploads"),
        "one dynamic partition": lambda log: log.has_dynamic_partition("uploads", partitions[5]),
        "pools": lambda log: log.get_pool_limits(),
    }


def compare(
    stock: SqliteEventLogStorage, ours: BatchedSqliteEventLogStorage, partitions: Sequence[str], repeats: int
) -> float:
    """Print both medians per question; return the smallest ratio stock/ours."""
    ratios = []
    for name, ask in questions(partitions).items():
        pairs = [(seconds(ask, stock), seconds(ask, ours)) for _ in range(repeats)]
        stock_ms, ours_ms = (statistics.median(pair[arm] for pair in pairs) * 1_000 for arm in (0, 1))
        ratios.append(stock_ms / ours_ms)
        print(f"{name:28} stock {stock_ms:8.2f} ms, ours {ours_ms:8.2f} ms, ratio {ratios[-1]:.2f}")
    return min(ratios)


def seconds(ask: Callable[[SqliteEventLogStorage], object], storage: SqliteEventLogStorage) -> float:
    """Return how long one answer takes."""
    started_s = time.perf_counter()
    ask(storage)
    return time.perf_counter() - started_s


if __name__ == "__main__":
    main()
