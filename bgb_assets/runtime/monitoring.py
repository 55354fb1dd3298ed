"""What a run tells: counters of what was really done, and progress for a person or a log.

Counters are the proof behind "nothing is computed twice": code that calls a stage, opens an upload or
decodes says so with `count`; whoever wants to know wraps the work in `counting`. Counts made in workers
come back with each result and are added here by the executor.

Belongs here: counting and showing. Does not belong here: deciding what to run.
"""

import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

LOG_EVERY_S = 5.0

_lock = threading.Lock()
_collectors: list[Counter[str]] = []


def count(name: str, n: int = 1) -> None:
    """Add to a counter, for everyone who is counting; costs next to nothing when nobody is."""
    if _collectors:
        with _lock:
            for collector in _collectors:
                collector[name] += n


def add_counts(counts: Mapping[str, int]) -> None:
    """Add what was counted elsewhere: in a worker, on another machine."""
    for name, n in counts.items():
        count(name, n)


@contextmanager
def counting() -> Iterator[Counter[str]]:
    """Collect everything counted inside the block, by all threads. Blocks may nest; each sees it all.

    Yields:
        Name -> count, growing; a name never counted is 0.
    """
    collector: Counter[str] = Counter()
    with _lock:
        _collectors.append(collector)
    try:
        yield collector
    finally:
        with _lock:
            # By identity: two blocks that counted the same are equal.
            _collectors[:] = [kept for kept in _collectors if kept is not collector]


class Progress:
    """How far a run is: a bar with the time left on a terminal, else a log line every few seconds.

    Times are of the monotonic clock, and the time left is judged by items that did work: hits take no
    time, so they would make it look far too short.

    Args:
        total: Number of items, or None where it is not known.
        label: What is going on: "beatmap: raw to notes".
        log: Receives each line where there is no terminal: a Dagster logger's `info`, for example.
        terminal: Whether to draw a bar; None means if standard error is a terminal.
    """

    def __init__(self, total: int | None, label: str, log: Callable[[str], None], terminal: bool | None = None) -> None:
        self.total = total
        self.label = label
        self.counts: Counter[str] = Counter()
        self._log = log
        self._terminal = sys.stderr.isatty() if terminal is None else terminal
        self._bar: tuple[Bar, TaskID] | None = None
        self._started_s = self._logged_s = time.monotonic()

    def __enter__(self) -> Self:
        self._started_s = self._logged_s = time.monotonic()
        if self._terminal:
            self._bar = _open_bar(self.label, self.total)
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar[0].stop()
            self._bar = None
        self._log(self.line() if error_type is None else f"{self.line()}; stopped by {error_type.__name__}")

    def advance(self, outcome: str = "done") -> None:
        """Say that one more item has ended, as `done`, `hit`, `quarantined` or another word."""
        self.counts[outcome] += 1
        if self._bar is not None:
            bar, task = self._bar
            bar.update(task, advance=1, counts=self._counts_text(), left=self._left_text())
        elif time.monotonic() - self._logged_s >= LOG_EVERY_S:
            self._logged_s = time.monotonic()
            self._log(self.line())

    def line(self) -> str:
        """Return the state as one line: `beatmap: 120/500, 100 hit, 20 done, 0:35 so far, 1:20 left`."""
        ended = self.counts.total()
        position = str(ended) if self.total is None else f"{ended}/{self.total}"
        so_far = _clock(time.monotonic() - self._started_s)
        parts = [f"{self.label}: {position}", self._counts_text(), f"{so_far} so far", self._left_text()]
        return ", ".join(part for part in parts if part)

    def seconds_left(self) -> float | None:
        """Return the expected rest, as if all that is left had to be worked on; None before it is known."""
        worked = self.counts.total() - self.counts["hit"]
        if self.total is None or not worked:
            return None
        return (time.monotonic() - self._started_s) / worked * (self.total - self.counts.total())

    def _counts_text(self) -> str:
        return ", ".join(f"{n} {outcome}" for outcome, n in sorted(self.counts.items()))

    def _left_text(self) -> str:
        left = self.seconds_left()
        return "" if left is None or left <= 0 else f"{_clock(left)} left"


def _open_bar(label: str, total: int | None) -> "tuple[Bar, TaskID]":
    # Imported here: rich takes longer than a command that shows no bar.
    from rich import progress
    from rich.console import Console

    bar = progress.Progress(
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TextColumn("{task.fields[counts]}"),
        progress.TimeElapsedColumn(),
        progress.TextColumn("{task.fields[left]}"),
        console=Console(stderr=True),
    )
    bar.start()
    return bar, bar.add_task(label, total=total, counts="", left="")


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
