"""What all benchmarks share: arms that take turns, ratios of medians, and gates: bounds that a result is held against.

A gate has a number of its own within its modality (`GATES` of this package lists them); what a benchmark finds is
printed and, where `BGB_BENCH_RESULTS` names a file, appended to it as a line of JSON, for `bgb bench` to store.
With `--small` a result says nothing, and is not held against its gate.
"""

import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

RESULTS_VARIABLE = "BGB_BENCH_RESULTS"
Arms = Mapping[str, Callable[[], object]]
Taken = Mapping[str, Sequence[float]]


def in_turns(arms: Arms, repeats: int, *, warm: int = 1, clock: Callable[[], float] = time.perf_counter) -> Taken:
    """Return the seconds of each arm, one value a turn; the first `warm` turns are not counted.

    Args:
        clock: `time.process_time` for the CPU's seconds.
    """
    taken: dict[str, list[float]] = {name: [] for name in arms}
    for turn in range(warm + repeats):
        for name, arm in arms.items():
            started_s = clock()
            arm()
            if turn >= warm:
                taken[name].append(clock() - started_s)
    return taken


def ratio(above: Sequence[float], below: Sequence[float]) -> float:
    """Return the median of the ratios of one turn each."""
    return statistics.median(a / b for a, b in zip(above, below, strict=True))


def show(title: str, taken: Taken) -> None:
    """Print medians, and how many times as fast as the first arm each is."""
    print(f"\n{title}")
    base = next(iter(taken.values()))
    for name, seconds in taken.items():
        print(f"  {name:34s} {statistics.median(seconds) * 1e3:9.1f} ms {ratio(base, seconds):8.2f} x")


def gate(
    number: int,
    what: str,
    value: float,
    *,
    at_least: float | None = None,
    at_most: float | None = None,
    unit: str = "x",
) -> bool:
    """Print a result beside the gate it is held against, and return whether it holds.

    Args:
        number: Of the gate, among those of its modality.
        what: What was measured, with its peer.
        value: What was found.
        at_least: The lower bound, where there is one.
        at_most: The upper bound, where there is one.
        unit: Of all three.
    """
    holds = (at_least is None or value >= at_least) and (at_most is None or value <= at_most)
    bounds = [f">= {at_least:g}" for _ in (0,) if at_least is not None]
    bounds += [f"<= {at_most:g}" for _ in (0,) if at_most is not None]
    judged = "--small" not in sys.argv
    verdict = "not judged" if not judged else "holds" if holds else "MISSED"
    print(f"gate {number}: {what}: {value:.4g} {unit} ({' and '.join(bounds)}: {verdict})")
    if path := os.environ.get(RESULTS_VARIABLE):
        line = {"gate": number, "what": what, "value": value, "unit": unit}
        line |= {"at_least": at_least, "at_most": at_most, "holds": holds if judged else None}
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
    return holds
