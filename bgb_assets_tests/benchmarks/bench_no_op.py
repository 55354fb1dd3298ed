"""What a run costs when nothing is to be done: milliseconds per cached upload and stage, and files opened.

A store is filled with small songs, each with a title and a sound of its own, and materialized through notes. Then
the same range of uploads is materialized again, as `bgb materialize` and CI do it, Dagster's events and partitions
included, in a fresh process for each run. Start-up is what a run over one upload takes. The bar is 2 ms.

The peer is stock Dagster: four plain assets with the same partitions, one run over the range, each of which only
looks whether a file is there. It gets a tenth of the uploads, because its cost per upload grows with their number.
An audit hook counts the data files that a no-op run opens; there must be none.

    python -m bgb_assets_tests.benchmarks.bench_no_op [--small] [--uploads 2000] [--repeats 3]
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from bgb_assets.modalities.contract import PER_UPLOAD_STAGES

BAR_MS = 2.0
DATA_FOLDERS = ("raw", "cache", "features", "notes", "inbox")
CONFIG = "[inbox]\nsettle_s = 0.0\n"
MODALITY = "beatmap"
RATE_HZ = 22_050
SONG_S = 3


def main() -> None:
    """Run the benchmark, or one run of it in this process."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="50 uploads, once: only to see that it runs")
    parser.add_argument("--uploads", type=int, default=2_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--profile", type=Path, help="write a profile of the no-op run here")
    parser.add_argument("--keys", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--arm", choices=("ours", "stock"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.arm:
        print(json.dumps(run_stock(args.keys) if args.arm == "stock" else run_ours(args.keys, args.profile)))
    else:
        compare(50 if args.small else args.uploads, 1 if args.small else args.repeats, args.profile)


def compare(uploads: int, repeats: int, profile: Path | None) -> None:
    """Fill a store, run it again and print what that costs."""
    few = max(uploads // 10, 2)
    with tempfile.TemporaryDirectory(prefix="bench_no_op_") as folder:
        root = Path(folder) / "data"
        fill(root, uploads)
        arms = (("ours", 1), ("ours", uploads), ("stock", 1), ("stock", few))
        rounds = [[measure(root, arm, keys) for arm, keys in arms] for _ in range(repeats)]
        if profile is not None:
            measure(root, "ours", uploads, profile)
    for clock in ("wall_s", "cpu_s"):
        one_s, all_s, stock_one_s, stock_s = (
            statistics.median(run[clock] for run in arm) for arm in zip(*rounds, strict=True)
        )
        ours_ms, stock_ms = cost_ms(one_s, all_s, uploads), cost_ms(stock_one_s, stock_s, few)
        print(
            f"{clock}: {uploads} uploads {all_s:.2f}, 1 upload {one_s:.2f}: {ours_ms:.3f} ms per upload and stage "
            f"(bar {BAR_MS:g}); stock, {few} uploads: {stock_ms:.2f} ms; ratio stock/ours {stock_ms / ours_ms:.1f}"
        )
    opened = sorted({path for run in rounds for path in run[1]["opened"]})
    print(f"data files opened: {len(opened)} (bar 0){': ' + ', '.join(opened[:5]) if opened else ''}")
    if opened or any(run[1]["called"] for run in rounds):
        raise SystemExit("a no-op run opened data files or called a stage")


def cost_ms(one_s: float, all_s: float, uploads: int) -> float:
    """Return milliseconds per upload and stage on top of start-up."""
    return (all_s - one_s) * 1_000 / ((uploads - 1) * len(PER_UPLOAD_STAGES))


def fill(root: Path, uploads: int) -> None:
    """Make the uploads and bring them up to date."""
    from bgb_assets.modalities.beatmap.synth import synth

    inbox = root / "inbox" / MODALITY
    inbox.mkdir(parents=True)
    (root / "config.toml").write_text(CONFIG)
    synth(root.parent / "song", 1, 0)
    for i in range(uploads):
        write_song(root.parent / "song" / "song_0000", inbox / f"song_{i:06}", i)
    started_s = time.perf_counter()
    for command in (["ingest", MODALITY], ["materialize", MODALITY, "--through", PER_UPLOAD_STAGES[-1]]):
        process([sys.executable, "-m", "bgb_assets.cli", *command], root)
    print(f"filled: {uploads} uploads in {time.perf_counter() - started_s:.1f} s")


def write_song(song: Path, copy: Path, number: int) -> None:
    """Copy a song under another title, with a few seconds of a tone of its own."""
    from bgb_assets.modalities.beatmap.synth import write_ogg

    shutil.copytree(song, copy, ignore=shutil.ignore_patterns("*.egg"))
    info = json.loads((copy / "Info.dat").read_text("utf-8"))
    (copy / "Info.dat").write_text(json.dumps({**info, "_songName": f"Song {number}"}))
    t_s = np.arange(SONG_S * RATE_HZ) / RATE_HZ
    sound = 0.3 * np.sin(2 * np.pi * (200 + number / 4) * t_s) * (t_s % 0.5 < 0.1)
    write_ogg(copy / info["_songFilename"], sound.astype(np.float32), RATE_HZ)


def measure(root: Path, arm: str, keys: int, profile: Path | None = None) -> dict[str, Any]:
    """Return what one run over the first `keys` uploads costs in a process of its own."""
    asked = ["--arm", arm, "--keys", str(keys), *(["--profile", str(profile)] if profile else [])]
    said = process([sys.executable, "-m", __spec__.name, *asked], root)
    found: dict[str, Any] = json.loads(said.splitlines()[-1])
    return found


def process(command: list[str], root: Path) -> str:
    """Run a command over the data root and return what it prints."""
    environment = {**os.environ, "BGB_DATA_ROOT": str(root), "DAGSTER_HOME": str(root / "dagster_home")}
    with (root.parent / "stderr.txt").open("w") as errors:
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{command} failed:\n{(root.parent / 'stderr.txt').read_text()[-4_000:]}")
    return done.stdout


def run_ours(keys: int, profile: Path | None) -> dict[str, object]:
    """Materialize the first uploads in this process; nothing is to be done."""
    from bgb_assets.commands.context import opened_chain
    from bgb_assets.engine.summary import read_summary, summary_path
    from bgb_assets.orchestration.home import open_instance
    from bgb_assets.orchestration.runs import Request, materialize

    with opened_chain(MODALITY, workers=0) as chain, open_instance(chain.settings) as instance:
        present = chain.uploads.keys()
        request = Request(PER_UPLOAD_STAGES, present[:keys])
        with opened_files(chain.store.root) as opened, profiled(profile):
            wall_s, cpu_s = time.perf_counter(), time.process_time()
            runs = list(materialize(instance, chain.modality, present, request))
            wall_s, cpu_s = time.perf_counter() - wall_s, time.process_time() - cpu_s
        counts = read_summary(summary_path(chain.store.layout, MODALITY))
        reported = len(instance.get_materialized_partitions(chain_key(MODALITY)))
    if [run.success for run in runs] != [True] or any(counts[stage]["hit"] != keys for stage in PER_UPLOAD_STAGES):
        raise SystemExit(f"expected one run of {keys} hits, got {runs}: {counts}")
    if reported < keys:
        raise SystemExit(f"{reported} of {keys} partitions were reported to Dagster")
    called = sum(counts[stage]["called"] for stage in PER_UPLOAD_STAGES)
    return {"wall_s": wall_s, "cpu_s": cpu_s, "called": called, "opened": list(opened)}


def chain_key(modality: str) -> object:
    """Return the key of the last per-upload asset."""
    from bgb_assets.orchestration.partitions import asset_key

    return asset_key(modality, PER_UPLOAD_STAGES[-1])


@contextmanager
def opened_files(root: Path) -> Iterator[list[str]]:
    """Collect the data files below a root that this process opens, for reading or writing."""
    prefixes = tuple(f"{root}/{folder}/" for folder in DATA_FOLDERS)
    opened: list[str] = []
    listening = [True]

    def hear(event: str, arguments: tuple[object, ...]) -> None:
        if event == "open" and listening[0] and str(arguments[0]).startswith(prefixes):
            opened.append(str(arguments[0]))

    sys.addaudithook(hear)
    yield opened
    listening[0] = False


@contextmanager
def profiled(path: Path | None) -> Iterator[None]:
    """Write a profile of the block, where one is asked for."""
    if path is None:
        yield
        return
    import cProfile

    with cProfile.Profile() as profile:
        yield
    profile.dump_stats(path)


def run_stock(keys: int) -> dict[str, object]:
    """Run four plain assets over the first uploads, in a new stock instance."""
    import dagster as dg

    inbox = Path(os.environ["BGB_DATA_ROOT"]) / "inbox" / MODALITY
    names = sorted(path.name for path in inbox.iterdir() if path.is_dir())[:keys]
    with tempfile.TemporaryDirectory() as home:
        Path(home, "dagster.yaml").write_text("telemetry: {enabled: false}\n")
        with dg.DagsterInstance.from_config(home) as instance:
            instance.add_dynamic_partitions("uploads", names)
            tags = {"dagster/asset_partition_range_start": names[0], "dagster/asset_partition_range_end": names[-1]}
            assets = stock_assets(inbox)
            wall_s, cpu_s = time.perf_counter(), time.process_time()
            result = dg.materialize(assets, instance=instance, tags=tags)
            wall_s, cpu_s = time.perf_counter() - wall_s, time.process_time() - cpu_s
            reported = len(instance.get_materialized_partitions(assets[-1].key))
    if not result.success or reported != keys:
        raise SystemExit(f"stock: success {result.success!r}, {reported} of {keys} partitions reported")
    return {"wall_s": wall_s, "cpu_s": cpu_s}


def stock_assets(inbox: Path) -> list[Any]:
    """Return four assets, one after the other, that look whether a file is there."""
    import dagster as dg

    partitions = dg.DynamicPartitionsDefinition(name="uploads")

    def asset(name: str, deps: list[str]) -> dg.AssetsDefinition:
        @dg.asset(name=name, partitions_def=partitions, deps=deps, backfill_policy=dg.BackfillPolicy.single_run())
        def looked_at(context: dg.AssetExecutionContext) -> None:
            gone = [key for key in context.partition_keys if not (inbox / key / "Info.dat").exists()]
            if gone:
                raise ValueError(f"gone: {gone}")

        return looked_at

    return [asset(name, list(PER_UPLOAD_STAGES[max(i - 1, 0) : i])) for i, name in enumerate(PER_UPLOAD_STAGES)]


if __name__ == "__main__":
    main()
