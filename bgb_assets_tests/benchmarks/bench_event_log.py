"""What one partition of a no-op stage costs in Dagster's event log: ours against the stock one.

Both arms create one run over all partitions, write its planned events, execute it and report one
materialization per partition. Stock: a plain `@asset` and the default storage. Ours: `BatchReporter` and
`BatchedSqliteEventLogStorage`. Each arm runs in a fresh process with a fresh DAGSTER_HOME, in turns.

    python -m bgb_assets_tests.benchmarks.bench_event_log [--small] [--partitions 1000] [--repeats 3]
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import dagster as dg

OUR_YAML = """
event_log_storage:
  module: bgb_assets.orchestration.event_log
  class: BatchedSqliteEventLogStorage
telemetry: {enabled: false}
"""
STOCK_YAML = "telemetry: {enabled: false}\n"
UPLOADS = dg.DynamicPartitionsDefinition(name="uploads")


def main() -> None:
    """Run the comparison, or one arm of it in this process."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="few partitions, once: only to see that it runs")
    parser.add_argument("--partitions", type=int, default=1_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--arm", choices=("stock", "ours"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.arm:
        print(json.dumps(run_arm(args.arm, args.partitions)))
    else:
        repeats = 1 if args.small else args.repeats
        compare_arms(30 if args.small else args.partitions, repeats)
        compare_sizes(*((30, 60) if args.small else (5_000, 20_000)), repeats)


def compare_arms(partitions: int, repeats: int) -> None:
    """Print the cost per partition of both arms and their ratio."""
    pairs = [(measure("stock", partitions), measure("ours", partitions)) for _ in range(repeats)]
    stock_ms, ours_ms = (statistics.median(pair[arm]["wall_ms"] for pair in pairs) for arm in (0, 1))
    stock_cpu_ms, ours_cpu_ms = (statistics.median(pair[arm]["cpu_ms"] for pair in pairs) for arm in (0, 1))
    print(
        f"{partitions} partitions, ms per partition: stock {stock_ms:.2f} (CPU {stock_cpu_ms:.2f}), "
        f"ours {ours_ms:.3f} (CPU {ours_cpu_ms:.3f})"
    )
    print(f"ratio stock/ours: {stock_ms / ours_ms:.1f} (CPU {stock_cpu_ms / ours_cpu_ms:.1f})")


def compare_sizes(few: int, many: int, repeats: int) -> None:
    """Print how our cost per partition grows with their number."""
    pairs = [(measure("ours", few), measure("ours", many)) for _ in range(repeats)]
    few_ms, many_ms = (statistics.median(pair[size]["wall_ms"] for pair in pairs) for size in (0, 1))
    few_cpu_ms, many_cpu_ms = (statistics.median(pair[size]["cpu_ms"] for pair in pairs) for size in (0, 1))
    print(
        f"ours, ms per partition: {few_ms:.3f} (CPU {few_cpu_ms:.3f}) at {few}, "
        f"{many_ms:.3f} (CPU {many_cpu_ms:.3f}) at {many}"
    )
    print(f"growth {few} -> {many}: {many_ms / few_ms:.2f} (CPU {many_cpu_ms / few_cpu_ms:.2f})")


def measure(arm: str, partitions: int) -> dict[str, float]:
    """Run one arm in a fresh process and home."""
    with tempfile.TemporaryDirectory(prefix="bench_event_log_") as home:
        Path(home, "dagster.yaml").write_text(OUR_YAML if arm == "ours" else STOCK_YAML)
        environment = {key: value for key, value in os.environ.items() if key != "DAGSTER_EVENT_BATCH_SIZE"}
        errors = Path(home, "stderr.txt")
        with errors.open("w") as stderr:
            done = subprocess.run(
                [sys.executable, "-m", __spec__.name, "--arm", arm, "--partitions", str(partitions)],
                env={**environment, "DAGSTER_HOME": home},
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
                check=False,
            )
        if done.returncode:
            raise SystemExit(f"{arm} failed:\n{errors.read_text()[-4_000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def run_arm(arm: str, partitions: int) -> dict[str, float]:
    """Execute one run over all partitions in this process and return its cost per partition."""
    keys = [f"upload_{i:06}" for i in range(partitions)]
    asset = ours_asset() if arm == "ours" else stock_asset()
    with dg.DagsterInstance.get() as instance:
        instance.add_dynamic_partitions("uploads", keys)
        wall_s, cpu_s = time.perf_counter(), time.process_time()
        range_tags = {"dagster/asset_partition_range_start": keys[0], "dagster/asset_partition_range_end": keys[-1]}
        result = dg.materialize([asset], instance=instance, tags=range_tags)
        wall_s, cpu_s = time.perf_counter() - wall_s, time.process_time() - cpu_s
        reported = len(instance.get_materialized_partitions(asset.key))
    if not result.success or reported != partitions:
        raise SystemExit(f"{arm}: success {result.success!r}, {reported} of {partitions} partitions reported")
    return {"wall_ms": wall_s * 1_000 / partitions, "cpu_ms": cpu_s * 1_000 / partitions}


def stock_asset() -> dg.AssetsDefinition:
    """Return a no-op asset as a user of stock Dagster writes it."""

    @dg.asset(partitions_def=UPLOADS, backfill_policy=dg.BackfillPolicy.single_run(), name="raw")
    def raw() -> None:
        return None

    return raw


def ours_asset() -> dg.AssetsDefinition:
    """Return a no-op asset that reports each partition itself."""
    from bgb_assets.orchestration.reporting import report_materializations

    @dg.multi_asset(
        specs=[dg.AssetSpec("raw", skippable=True, partitions_def=UPLOADS)],
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def raw(context: dg.AssetExecutionContext):
        report_materializations(
            context,
            (
                dg.AssetMaterialization("raw", partition=key, tags={"dagster/data_version": f"{i:064x}"})
                for i, key in enumerate(context.partition_keys)
            ),
        )
        yield from ()

    return raw


if __name__ == "__main__":
    main()
