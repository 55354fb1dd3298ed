"""Calls in threads of this process: for waiting on a network, where processes would only cost memory.

Tasks are read in a thread of their own, so that calls run, and results are handled, while the next task is still
being found. Belongs here: threads and their two queues. Does not belong here: work for the CPU
(`executor_local.py`): threads share one interpreter, and a crash takes them all along.
"""

import queue
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from bgb_assets.runtime.closing import closed_after
from bgb_assets.runtime.errors import ConfigError
from bgb_assets.runtime.executor import Done, Task, call

GRACE_S = 5.0
"""How long the end of a map waits for calls that still run: none can be stopped, their threads end with the process."""


class ThreadExecutor:
    """Calls in at most `max_workers` threads; see `executor.Executor`.

    Args:
        max_workers: How many calls run at once; the thread that reads the tasks comes on top.
    """

    def __init__(self, max_workers: int) -> None:
        if max_workers <= 0:
            raise ConfigError(f"max_workers must be above 0, got {max_workers!r}")
        self._max_workers = max_workers

    def map(self, fn: str, tasks: Iterable[Task]) -> Iterator[Done]:
        """Call `fn(task.payload)` for each task; see `Executor.map`. A task is read when a thread is free for it."""
        running = _Map(fn, tasks, self._max_workers)
        try:
            yield from running.results()
        finally:
            running.stop()

    def close(self) -> None:
        """Do nothing: the threads of a map end with it."""


@dataclass(frozen=True)
class _Ended:
    """The thread that reads the tasks is at their end: how many it handed out, and what it was stopped by."""

    tasks: int
    error: BaseException | None


class _Map:
    """One map in progress."""

    def __init__(self, fn: str, tasks: Iterable[Task], workers: int) -> None:
        self._fn = fn
        self._tasks = iter(tasks)
        self._read = 0
        self._stopped = threading.Event()
        self._free = threading.Semaphore(workers)
        self._todo: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
        self._results: queue.SimpleQueue[Done | _Ended] = queue.SimpleQueue()
        # Daemons: a person who presses Ctrl-C is not kept waiting for a download.
        self._threads = [
            threading.Thread(target=self._feed, daemon=True),
            *(threading.Thread(target=self._work, daemon=True) for _ in range(workers)),
        ]

    def results(self) -> Iterator[Done]:
        """Yield each result as it comes.

        Raises:
            BaseException: What reading the tasks raised, after the results of those that were read.
        """
        for thread in self._threads:
            thread.start()
        yielded, ended = 0, None
        while ended is None or yielded < ended.tasks:
            item = self._results.get()
            if isinstance(item, _Ended):
                ended = item
                continue
            yielded += 1
            yield item
        if ended.error is not None:
            raise ended.error

    def stop(self) -> None:
        """Start no further call, and wait a little for those that run."""
        self._stopped.set()
        self._free.release()
        for _ in self._threads:
            self._todo.put(None)
        deadline_s = time.monotonic() + GRACE_S
        for thread in self._threads:
            if thread.is_alive():
                thread.join(max(0.0, deadline_s - time.monotonic()))

    def _feed(self) -> None:
        error = None
        try:
            with closed_after(self._tasks) as tasks:  # a generator ends in the thread in which it ran
                self._hand_out(tasks)
        except BaseException as caught:  # noqa: BLE001 - handed over, and raised where the results are read
            error = caught
        self._results.put(_Ended(self._read, error))

    def _hand_out(self, tasks: Iterator[Task]) -> None:
        while self._free.acquire() and not self._stopped.is_set():
            task = next(tasks, None)
            if task is None:
                return
            self._read += 1
            self._todo.put(task)

    def _work(self) -> None:
        while (task := self._todo.get()) is not None:
            if self._stopped.is_set():
                return
            # What is counted is heard by everyone at once: it is not this call's alone.
            self._results.put(replace(call(self._fn, task), counts={}))
            self._free.release()
