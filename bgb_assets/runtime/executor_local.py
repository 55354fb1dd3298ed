"""Calls in local worker processes: spawned, one thread each, and one crash costs one task.

The standard library's pools give up, all tasks with them, when a worker is killed, and import the
caller's main module again in each worker. Here each worker has a pipe of its own, so it is known which
task a dead one had: that task fails, the worker is replaced, the others go on.

Belongs here: which worker gets which task. Does not belong here: a process and its pipes (`worker_process.py`).
"""

import os
import pickle
import selectors
import time
import weakref
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

from bgb_assets.runtime import monitoring
from bgb_assets.runtime.errors import ContractError, WorkerDied
from bgb_assets.runtime.executor import (
    Admission,
    Bounds,
    Done,
    Executor,
    InProcessExecutor,
    Task,
    failure_of,
    timed_out,
)
from bgb_assets.runtime.worker_process import WorkerProcess, died, end_all


class LocalProcessExecutor:
    """Calls in worker processes of this machine.

    Workers start when there are tasks for them and stay for the next map, with what they have imported,
    until `close`, the end of this object or of this process, however it ends. What they print reaches
    standard error in whole lines. Payloads and values of classes of the main module do not pickle.
    """

    def __init__(self, bounds: Bounds = Bounds()) -> None:
        self._bounds = bounds
        self._idle: list[WorkerProcess] = []
        self._busy: dict[WorkerProcess, Task] = {}
        self._mapping = False
        self._finalizer = weakref.finalize(self, _end_own, self._idle, os.getpid())

    def __enter__(self) -> "LocalProcessExecutor":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop the idle workers; a map that still runs keeps its own."""
        _end_own(self._idle, os.getpid())

    @property
    def worker_pids(self) -> frozenset[int]:
        """The process numbers of all workers that there are now."""
        return frozenset(worker.pid for worker in (*self._idle, *self._busy))

    def map(self, fn: str, tasks: Iterable[Task]) -> Iterator[Done]:
        """Call `fn(task.payload)` for each task; see `Executor.map`.

        Raises:
            ContractError: A map of this executor is already running.
            WorkerDied: A worker cannot even start: the environment is broken, not an item.
        """
        with self._only_map(), selectors.DefaultSelector() as selector:
            running = _Map(fn, self._bounds, self._bounds.admission(tasks), selector, self._idle, self._busy)
            try:
                yield from running.results()
            finally:
                end_all(self._busy)
                self._busy.clear()

    @contextmanager
    def _only_map(self) -> Iterator[None]:
        if self._mapping:
            raise ContractError("this executor is already mapping: finish or close that iterator, or use another one")
        self._mapping = True
        try:
            yield
        finally:
            self._mapping = False


class _Map:
    """One map in progress: which worker has which task. Idle workers come from and return to the executor."""

    def __init__(
        self,
        fn: str,
        bounds: Bounds,
        admission: Admission,
        selector: selectors.BaseSelector,
        idle: list[WorkerProcess],
        busy: dict[WorkerProcess, Task],
    ) -> None:
        self._fn = fn
        self._bounds = bounds
        self._admission = admission
        self._selector = selector
        self._idle = idle
        self._busy = busy

    def results(self) -> Iterator[Done]:
        """Yield each result as it comes; workers get their next tasks first, and work while it is handled."""
        ended: list[Done] = []
        while True:
            ended += self._fill()
            yield from ended
            if self._admission.finished:
                return
            ended = list(self._collect()) if self._busy else []

    def _fill(self) -> Iterator[Done]:
        """Start as many tasks as the bound allows; yield those that cannot even be sent."""
        while (task := self._admission.take()) is not None:
            try:
                message = pickle.dumps((self._fn, task), pickle.HIGHEST_PROTOCOL)
            except Exception as error:  # noqa: BLE001 - a payload that does not pickle is this task's failure
                self._admission.release(task)
                yield Done(task.key, None, failure_of(error), 0.0)
                continue
            worker = self._start(message)
            self._busy[worker] = task
            self._selector.register(worker.connection, selectors.EVENT_READ, worker)

    def _start(self, message: bytes) -> WorkerProcess:
        """Give the call to an idle worker, or to a new one where there is none or it died while idle."""
        while self._idle:
            worker = self._idle.pop()
            try:
                worker.assign(message, self._bounds.task_timeout_s)
            except OSError:
                worker.end()
            else:
                return worker
        worker = WorkerProcess()
        # One that dies while it starts is found, with its status and last words, when it is listened to.
        with suppress(OSError):
            worker.assign(message, self._bounds.task_timeout_s)
        return worker

    def _collect(self) -> Iterator[Done]:
        """Wait until something happens, and yield the tasks that ended by it."""
        for key, _ in self._selector.select(self._patience_s()):
            done = self._hear(key.data)
            if done is not None:
                yield done
        for worker in self._overdue():
            yield self._stop_overdue(worker)

    def _hear(self, worker: WorkerProcess) -> Done | None:
        """Take what a worker sent, or find it dead."""
        try:
            done = worker.receive()
        except EOFError:
            return self._bury(worker)
        if done is None:
            return None
        task = self._detach(worker)
        if self._is_worn(worker):
            end_all([worker])
        else:
            self._idle.append(worker)
        monitoring.add_counts(done.counts)
        return replace(done, key=task.key)

    def _bury(self, worker: WorkerProcess) -> Done:
        seconds = worker.seconds_in_call()
        task = self._detach(worker)
        failure = died(worker.end(), worker.tail())
        if not worker.ready:
            raise WorkerDied(f"a worker could not start: {failure.message}\n{failure.traceback}")
        return Done(task.key, None, failure, seconds)

    def _stop_overdue(self, worker: WorkerProcess) -> Done:
        seconds = worker.seconds_in_call()
        task = self._detach(worker)
        end_all([worker])
        return Done(task.key, None, timed_out(seconds, worker.tail()), seconds)

    def _detach(self, worker: WorkerProcess) -> Task:
        """Take the task from a worker and free what it held."""
        self._selector.unregister(worker.connection)
        task = self._busy.pop(worker)
        self._admission.release(task)
        return task

    def _is_worn(self, worker: WorkerProcess) -> bool:
        calls, held_bytes = self._bounds.max_tasks_per_worker, self._bounds.max_worker_rss_bytes
        return (calls is not None and worker.calls >= calls) or (
            held_bytes is not None and worker.rss_anon_bytes > held_bytes
        )

    def _patience_s(self) -> float | None:
        deadlines_s = [worker.deadline_s for worker in self._busy if worker.deadline_s is not None]
        return max(0.0, min(deadlines_s) - time.monotonic()) if deadlines_s else None

    def _overdue(self) -> list[WorkerProcess]:
        now_s = time.monotonic()
        return [worker for worker in self._busy if worker.deadline_s is not None and worker.deadline_s <= now_s]


def executor_for(workers: int, max_bytes_in_flight: int) -> Executor:
    """Return the executor that run settings ask for.

    Args:
        workers: 0 works in this process, below 0 takes every usable core.
        max_bytes_in_flight: 0 takes half of the memory that is free.
    """
    if workers == 0:
        return InProcessExecutor()
    return LocalProcessExecutor(Bounds(None if workers < 0 else workers, max_bytes_in_flight or None))


def _end_own(idle: list[WorkerProcess], owner_pid: int) -> None:
    """End idle workers; a forked copy of their owner leaves them alone."""
    if os.getpid() == owner_pid:
        end_all(idle)
        idle.clear()
