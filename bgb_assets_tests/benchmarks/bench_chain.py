"""What the chain itself costs when nothing is to be done: milliseconds per upload and stage, and memory.

A store is filled with toy uploads; then a fresh process asks for all four stages of all uploads again. The peer decides
as a careful script would: it hashes the files that each stage reads and compares them with what a small JSON file
beside the output remembers. It starts from a list of files, so that finding them costs it nothing. Its cost grows with
the bytes, ours does not: both are shown for uploads of 16 kB, where hashing is at its best, and of 1 MB, as small as
real recordings get. The page cache is warm for both.
Memory is what a run adds to the process, at one and at three times the uploads.

    python -m bgb_assets_tests.benchmarks.bench_chain [--small] [--uploads 2000] [--repeats 5]
"""

import argparse
import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bgb_assets.chain import Chain
from bgb_assets.engine.ingest import Ingest
from bgb_assets.modalities.contract import PER_UPLOAD_STAGES
from bgb_assets.runtime import memory
from bgb_assets.runtime.executor import InProcessExecutor
from bgb_assets.runtime.settings import load_settings
from bgb_assets_tests import toy

CONFIG = "[inbox]\nsettle_s = 0.0\n[toy.features]\nwindows = [2]\n"
WORDS = 2_000
LARGE_BYTES = 1_000_000
PLAN = "plan.json"


def main() -> None:
    """Run the comparison, or one arm of it in this process."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="20 uploads, once: only to see that it runs")
    parser.add_argument("--uploads", type=int, default=2_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--arm", choices=("ours", "hashing"), help=argparse.SUPPRESS)
    parser.add_argument("--root", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.arm:
        print(json.dumps(run_ours(args.root) if args.arm == "ours" else run_hashing(args.root)))
    else:
        compare(20 if args.small else args.uploads, 1 if args.small else args.repeats)


def compare(uploads: int, repeats: int) -> None:
    """Print both costs, their ratio and the memory."""
    with tempfile.TemporaryDirectory(prefix="bench_chain_") as folder:
        small, large, many = Path(folder) / "small", Path(folder) / "large", Path(folder) / "many"
        fill(small, uploads)
        fill(large, max(uploads // 10, 1), LARGE_BYTES)
        fill(many, 3 * uploads)
        added_mib = compare_arms(small, f"{uploads} uploads of 16 kB", repeats)
        compare_arms(large, f"{max(uploads // 10, 1)} uploads of 1 MB", repeats)
        more = [measure("ours", many) for _ in range(repeats)]
        many_ms, many_mib = (statistics.median(run[name] for run in more) for name in ("ms", "added_mib"))
        print(f"{3 * uploads} uploads of 16 kB, ms per upload and stage: ours {many_ms:.3f}")
        print(f"memory added: {added_mib:.1f} MiB at {uploads}, {many_mib:.1f} MiB at {3 * uploads} uploads")


def compare_arms(root: Path, label: str, repeats: int) -> float:
    """Print the cost of both arms; return the memory that ours adds in MiB."""
    pairs = [(measure("ours", root), measure("hashing", root)) for _ in range(repeats)]
    ours_ms, hashing_ms = (statistics.median(pair[arm]["ms"] for pair in pairs) for arm in (0, 1))
    cpu_ms = statistics.median(pair[0]["cpu_ms"] for pair in pairs)
    print(f"{label}, ms per upload and stage: ours {ours_ms:.3f} (CPU {cpu_ms:.3f}), hashing {hashing_ms:.3f}")
    print(f"{label}, ratio hashing/ours: {hashing_ms / ours_ms:.2f}")
    return statistics.median(pair[0]["added_mib"] for pair in pairs)


def fill(root: Path, uploads: int, large_bytes: int = 0) -> None:
    """Make a store with everything up to date, and the peer's list of files and digests."""
    flush, os.fsync = os.fsync, lambda descriptor: None  # filling is not what is measured
    try:
        root.mkdir()
        (root / "config.toml").write_text(CONFIG)
        for i in range(uploads):
            words = " ".join(f"w{i * 7919 + j * 104729:07d}" for j in range(WORDS))
            toy.write_upload(root / "inbox" / "toy" / f"toy_{i:05d}", f"{i} 1 2 3 4", words)
            if large_bytes:
                with (root / "inbox" / "toy" / f"toy_{i:05d}" / "sound.bin").open("wb") as sound:
                    sound.truncate(large_bytes)
        chain = open_chain(root)
        Ingest(chain).apply()
        plan = [files_read(chain, outcome.key) for outcome in chain.run(chain.uploads.keys(), PER_UPLOAD_STAGES)]
    finally:
        os.fsync = flush
    remembered = [
        [[read, memo(root, read, f"{i}_{j}")] for j, read in enumerate(stages)] for i, stages in enumerate(plan)
    ]
    (root / PLAN).write_text(json.dumps(remembered))


def files_read(chain: Chain, key: str) -> list[list[str]]:
    """Return, for each stage, the files that it reads."""
    upload = chain.uploads.require(key)
    places = {stage: chain.store.layout.entry(stage, "toy", state.identity) for stage, state in upload.entries.items()}
    delivered = [chain.store.root / upload.root / name for name in upload.files]
    reads = [
        delivered,
        delivered[:1],
        [places["cache"] / "numbers.bin", places["cache"] / "asked.txt"],
        [places["raw"] / "numbers.json", places["raw"] / "words.json", places["features"] / "features.json"],
    ]
    return [[str(path) for path in files] for files in reads]


def memo(root: Path, files: list[str], name: str) -> str:
    """Write what the peer remembers of a stage's inputs; return where."""
    path = root / "memos" / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({file: digest(file) for file in files}))
    return str(path)


def digest(file: str) -> str:
    """Return the SHA-256 of a file."""
    return hashlib.sha256(Path(file).read_bytes()).hexdigest()


def measure(arm: str, root: Path) -> dict[str, float]:
    """Run one arm in a fresh process."""
    command = [sys.executable, "-m", __spec__.name, "--arm", arm, "--root", str(root)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    result: dict[str, float] = json.loads(done.stdout)
    return result


def run_ours(root: Path) -> dict[str, float]:
    """Ask the chain for everything; all of it must be hits."""
    chain = open_chain(root)
    before = memory.rss_anon_bytes()
    started, started_cpu = time.perf_counter(), time.process_time()
    count = 0
    for outcome in chain.run(chain.uploads.keys(), PER_UPLOAD_STAGES):
        assert all(item.outcome == "hit" for item in outcome.stages.values())
        count += len(outcome.stages)
    seconds, cpu_s = time.perf_counter() - started, time.process_time() - started_cpu
    added = memory.rss_anon_bytes() - before
    return {"ms": 1e3 * seconds / count, "cpu_ms": 1e3 * cpu_s / count, "added_mib": added / 2**20}


def run_hashing(root: Path) -> dict[str, float]:
    """Decide by hashing: the peer."""
    plan = json.loads((root / PLAN).read_text())
    started = time.perf_counter()
    count = 0
    for stages in plan:
        for files, remembered in stages:
            assert json.loads(Path(remembered).read_text()) == {file: digest(file) for file in files}
            count += 1
    return {"ms": 1e3 * (time.perf_counter() - started) / count}


def open_chain(root: Path) -> Chain:
    """Return the toy's chain over a data root."""
    return Chain(toy.MODALITY, load_settings({"BGB_DATA_ROOT": str(root)}), InProcessExecutor())


if __name__ == "__main__":
    main()
