"""What the local executor costs per task and how it scales.

Overhead: empty calls, one submission each, against `concurrent.futures.ProcessPoolExecutor` (spawned, all
futures submitted at once, which is its best case); both warm. Start: until the first result, both cold.
Scaling: hashing, against an embarrassingly parallel control in the same run: warm bare processes that
do an equal share each without talking to anybody. All arms in turns, medians of the repeats.

    python -m bgb_assets_tests.benchmarks.bench_executor [--small] [--workers 2] [--repeats 7]
"""

import argparse
import hashlib
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context

from bgb_assets.runtime.executor import Bounds, Executor, Task
from bgb_assets.runtime.executor_local import LocalProcessExecutor
from bgb_assets.runtime.memory import usable_cpus, worker_environment

HERE = "bgb_assets_tests.benchmarks.bench_executor"
BLOCK = bytes(1 << 20)
CONTROL = f"""
import sys
from {HERE} import hash_blocks
print(flush=True)
for line in sys.stdin:
    for _ in range(int(line)):
        hash_blocks(int(sys.argv[1]))
    print(flush=True)
"""


def main() -> None:
    """Print the three comparisons."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="few tasks, once: only to see that it runs")
    parser.add_argument("--workers", type=int, default=usable_cpus())
    parser.add_argument("--repeats", type=int, default=7)
    args = parser.parse_args()
    tasks, calls, repeats = (20, 4, 1) if args.small else (3000, 60, args.repeats)
    compare_start(args.workers, repeats)
    compare_overhead(args.workers, tasks, repeats)
    compare_scaling(args.workers, calls, 20, repeats)


def nothing(number: int) -> int:
    """Return the argument: all that is measured is the way there and back."""
    return number


def hash_blocks(count: int) -> str:
    """Hash some mebibytes: pure computation in one thread."""
    digest = hashlib.sha256()
    for _ in range(count):
        digest.update(BLOCK)
    return digest.hexdigest()


def compare_start(workers: int, repeats: int) -> None:
    """Print the seconds from nothing to the first result."""

    def ours() -> None:
        with LocalProcessExecutor(Bounds(workers)) as pool:
            run_ours(pool, "nothing", [0])

    def theirs() -> None:
        with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
            pool.submit(nothing, 0).result()

    ours_s, theirs_s = medians([ours, theirs], repeats)
    print(f"start to first result: ours {ours_s * 1e3:.0f} ms, ProcessPoolExecutor {theirs_s * 1e3:.0f} ms")
    print(f"ratio ProcessPoolExecutor/ours: {theirs_s / ours_s:.2f}")


def compare_overhead(workers: int, tasks: int, repeats: int) -> None:
    """Print the cost of an empty call."""
    with LocalProcessExecutor(Bounds(workers)) as ours, ProcessPoolExecutor(workers, get_context("spawn")) as theirs:

        def run_theirs() -> None:
            ended = as_completed([theirs.submit(nothing, number) for number in range(tasks)])
            check(sum(future.result() for future in ended), sum(range(tasks)))

        arms = [lambda: run_ours(ours, "nothing", list(range(tasks))), run_theirs]
        medians(arms, 1)
        ours_s, theirs_s = medians(arms, repeats)
    each_us, their_us = ours_s / tasks * 1e6, theirs_s / tasks * 1e6
    print(f"{tasks} empty calls, {workers} workers: ours {each_us:.0f} us each, ProcessPoolExecutor {their_us:.0f} us")
    print(f"ratio ProcessPoolExecutor/ours: {theirs_s / ours_s:.2f}")


def compare_scaling(workers: int, calls: int, blocks: int, repeats: int) -> None:
    """Print the gain over one process of the executor and of the control, and their ratio (bar: 0.85)."""
    controls = [start_control(blocks) for _ in range(workers)]
    shares = [calls // workers + (position < calls % workers) for position in range(workers)]
    with LocalProcessExecutor(Bounds(workers)) as pool:
        arms = [
            lambda: [hash_blocks(blocks) for _ in range(calls)],
            lambda: run_ours(pool, "hash_blocks", [blocks] * calls),
            lambda: run_control(controls, shares),
        ]
        medians(arms, 1)
        serial_s, ours_s, control_s = medians(arms, repeats)
    for control in controls:
        control.communicate()
    print(f"{calls} calls of {serial_s / calls * 1e3:.0f} ms: {workers} workers gain {serial_s / ours_s:.2f}")
    print(f"embarrassingly parallel control gains {serial_s / control_s:.2f}")
    print(f"ratio ours/control: {control_s / ours_s:.2f}")


def run_ours(pool: Executor, function: str, payloads: list[int]) -> None:
    """Map one function over the payloads; every call must succeed."""
    done = list(pool.map(f"{HERE}:{function}", (Task(str(at), payload) for at, payload in enumerate(payloads))))
    check([item.failure for item in done], [None] * len(payloads))


def start_control(blocks: int) -> "subprocess.Popen[str]":
    """Start a bare process and wait until it is warm."""
    command = [sys.executable, "-c", CONTROL, str(blocks)]
    pipe = subprocess.PIPE
    control = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=worker_environment())
    control.stdout.readline()
    return control


def run_control(controls: "list[subprocess.Popen[str]]", shares: list[int]) -> None:
    """Let each process do its share, and wait for all."""
    for control, share in zip(controls, shares, strict=True):
        control.stdin.write(f"{share}\n")
        control.stdin.flush()
    for control in controls:
        check(control.stdout.readline(), "\n")


def medians(arms: list[Callable[[], object]], repeats: int) -> list[float]:
    """Run all arms in turns and return the median seconds of each."""
    seconds: list[list[float]] = [[] for _ in arms]
    for _ in range(repeats):
        for position, arm in enumerate(arms):
            started_s = time.perf_counter()
            arm()
            seconds[position].append(time.perf_counter() - started_s)
    return [statistics.median(each) for each in seconds]


def check(got: object, expected: object) -> None:
    """Stop with both values if an arm did not do its work."""
    if got != expected:
        raise SystemExit(f"expected {expected!r}, got {got!r}")


if __name__ == "__main__":
    main()
