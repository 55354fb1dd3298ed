"""Spreading work: tasks go in, results come out as they finish, and failures are values.

An executor calls one function, named by import string, for many tasks. How many run at once is bounded
by workers and by the bytes that the running tasks are said to take: a task above the bound runs alone.
Tasks are read one ahead of what runs, so that a hundred thousand of them need no memory.

    executor = LocalProcessExecutor(max_workers=4)
    for done in executor.map("package.module:function", tasks):
        ...

Belongs here: the words of the protocol, how an exception becomes a failure, the bound, and the
executor without processes. Does not belong here: processes (`executor_local.py`), Ray (`executor_ray.py`).
"""

import time
import traceback as tracebacks
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from bgb_assets.runtime import memory, monitoring
from bgb_assets.runtime.errors import BadInput, BgbError, ConfigError, WorkerDied, is_resource_error
from bgb_assets.runtime.imports import resolve

FailureKind = Literal["input", "crash", "resource", "bug"]


@dataclass(frozen=True)
class Task:
    """One call to make.

    Attributes:
        key: What it is about, for messages and for matching results; need not be unique.
        payload: The one argument of the function; must pickle.
        cost_bytes: A bound on the memory the call takes; counts toward `max_bytes_in_flight`.
    """

    key: str
    payload: Any
    cost_bytes: int = 0


@dataclass(frozen=True)
class Failure:
    """Why a call gave no value.

    Attributes:
        kind: `input`: the upload is wrong. `crash`: the worker was killed, hung or ran out of memory.
            `resource`: no space, I/O error or permission, so the run should stop. `bug`: anything else.
        error_type: Name of the exception's class.
        reason: What was got against what was expected.
        remedy: What a person can do.
        traceback: Where it happened; after a crash, the last lines that the worker wrote.
    """

    kind: FailureKind
    error_type: str
    message: str
    reason: str
    remedy: str
    traceback: str = ""


@dataclass(frozen=True)
class Done:
    """What became of one task: either `value` counts or `failure` is set.

    Attributes:
        seconds: Duration of the call itself, without waiting; after a crash, until it was noticed.
        max_rss_bytes: Largest resident memory of the worker until now (of the process, not of this call).
        counts: What the call counted (`monitoring.count`); already added to the caller's counters.
    """

    key: str
    value: Any | None
    failure: Failure | None
    seconds: float
    max_rss_bytes: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)


class Executor(Protocol):
    """Calls a function for many tasks, wherever its workers are."""

    def map(self, fn: str, tasks: Iterable[Task]) -> Iterator[Done]:
        """Call `fn(task.payload)` for each task; yield each result as it finishes, in any order.

        Closing the iterator early stops what still runs. An exception raised by `tasks` itself passes through.

        Args:
            fn: Import string, resolved in the worker.
            tasks: Read lazily, by one more than what runs.
        """
        ...

    def close(self) -> None:
        """Stop the workers; the executor can be used again."""
        ...


class InProcessExecutor:
    """Calls in this process, one at a time: for tests and single items. A crash takes this process along."""

    def map(self, fn: str, tasks: Iterable[Task]) -> Iterator[Done]:
        """Call `fn(task.payload)` for each task in order; see `Executor.map`."""
        for task in tasks:
            yield call(fn, task)

    def close(self) -> None:
        """Do nothing: there are no workers."""


def call(fn: str, task: Task) -> Done:
    """Call the function here and now, and turn whatever it does into a result.

    `KeyboardInterrupt` and other requests to stop the process pass through; `SystemExit` of the function
    does not, so that a library that exits does not take a worker along.
    """
    value, failure = None, None
    with monitoring.counting() as counts:
        started = time.perf_counter()
        try:
            function = resolve(fn)
            started = time.perf_counter()  # the first call of a worker imports the function's module
            value = function(task.payload)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - the failure is the value
            failure = failure_of(error)
        seconds = time.perf_counter() - started
    return Done(task.key, value, failure, seconds, memory.peak_rss_bytes(), dict(counts))


def failure_of(error: BaseException) -> Failure:
    """Describe an exception; its kind says whose fault it is.

    A function inside which an upload runs through several stages uses this for each of them.
    """
    kind, remedy = _kind_and_remedy(error)
    message = str(error) or type(error).__name__
    reason = error.reason if isinstance(error, BadInput) else message
    trace = "".join(tracebacks.format_exception(error))
    return Failure(kind, type(error).__name__, message, reason, remedy, trace)


def _kind_and_remedy(error: BaseException) -> tuple[FailureKind, str]:
    if isinstance(error, BadInput):
        return "input", error.remedy
    if is_resource_error(error):
        return "resource", "free space or mend the permission or the disk, then run again"
    if is_out_of_memory(error):
        return "crash", "free memory, or lower workers or max_bytes_in_flight, then run again"
    if isinstance(error, WorkerDied):
        return "crash", "run again"
    if isinstance(error, BgbError):
        return "bug", "follow the message"
    return "bug", "this is an error of the program: report it with the traceback"


def is_out_of_memory(error: BaseException) -> bool:
    """Say whether memory ran out; torch has classes and words of its own for it, and is not imported here."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return isinstance(error, RuntimeError) and "DefaultCPUAllocator" in str(error)


def timed_out(seconds: float, tail: str) -> Failure:
    """Describe a call that was stopped because it took too long."""
    reason = f"the call was stopped after {seconds:.1f} s, the time-out"
    remedy = "raise the time-out, or see whether the item is far larger than the others"
    return Failure("crash", "TimeoutError", f"{reason}; {remedy}", reason, remedy, tail)


class Admission:
    """Hands out tasks in order as long as workers and bytes allow: the one place of the bound.

    In order, because a task that needs much would else wait for ever behind small ones.
    """

    def __init__(self, tasks: Iterable[Task], max_workers: int, max_bytes: int) -> None:
        self._tasks = iter(tasks)
        self._head: Task | None = None
        self._exhausted = False
        self._max_workers = max_workers
        self._max_bytes = max_bytes
        self._running = 0
        self._bytes = 0

    def take(self) -> Task | None:
        """Return the next task if it may start now, else None."""
        if self._running >= self._max_workers:
            return None
        if self._head is None and not self._exhausted:
            self._head = next(self._tasks, None)
            self._exhausted = self._head is None
        task = self._head
        if task is None or (self._running and self._bytes + task.cost_bytes > self._max_bytes):
            return None
        self._head = None
        self._running += 1
        self._bytes += task.cost_bytes
        return task

    def release(self, task: Task) -> None:
        """Say that a task which was taken has ended."""
        self._running -= 1
        self._bytes -= task.cost_bytes

    @property
    def finished(self) -> bool:
        """Whether every task was taken and has ended."""
        return self._exhausted and self._head is None and not self._running


@dataclass(frozen=True)
class Bounds:
    """How much runs at once, and when a worker is replaced or stopped.

    Attributes:
        max_workers: None means every usable core.
        max_bytes_in_flight: Bound on the sum of `cost_bytes` of what runs; None means half of the memory
            that is free when a map starts. A task above it runs alone.
        max_tasks_per_worker: A worker is replaced after so many calls; None for never.
        max_worker_rss_bytes: A worker that still holds more anonymous memory after a call is replaced.
        task_timeout_s: A call that takes longer is killed and is a failure of kind `crash`.
    """

    max_workers: int | None = None
    max_bytes_in_flight: int | None = None
    max_tasks_per_worker: int | None = None
    max_worker_rss_bytes: int | None = None
    task_timeout_s: float | None = None

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value is not None and value <= 0:
                raise ConfigError(f"{name} must be above 0 or None, got {value!r}")

    def admission(self, tasks: Iterable[Task]) -> Admission:
        """Return the bound over these tasks, with the defaults of this machine filled in."""
        return Admission(
            tasks,
            self.max_workers or memory.usable_cpus(),
            self.max_bytes_in_flight or memory.max_bytes_in_flight(),
        )
