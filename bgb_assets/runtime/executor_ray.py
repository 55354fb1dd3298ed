"""Calls on a Ray cluster: an existing one, or a local one that starts for the purpose.

The data root must lie where every node sees it, and this package must be installed there.
Belongs here: the same protocol as `executor_local.py` in Ray's words. Ray (extra `ray`) is imported when
an executor is made, not before. A Ray worker runs several calls after another, so one that is killed
takes only its own call along.
"""

import importlib
from collections.abc import Iterable, Iterator
from typing import Any

from bgb_assets.runtime import memory, monitoring
from bgb_assets.runtime.errors import ConfigError
from bgb_assets.runtime.executor import Admission, Bounds, Done, Failure, Task, call, failure_of


class RayExecutor:
    """Calls as Ray tasks of one core each.

    Args:
        address: Of the cluster: "auto", "ray://host:port"; None joins the one this process is part of, or
            starts a local one with `max_workers` cores.
        bounds: As for local processes. Without `max_workers`, as many calls as the cluster has cores;
            `max_worker_rss_bytes` is left to Ray's own memory monitor.

    Raises:
        ConfigError: Ray is not installed, or `task_timeout_s` is set.
    """

    def __init__(self, address: str | None = None, bounds: Bounds = Bounds()) -> None:
        if bounds.task_timeout_s is not None:
            raise ConfigError("task_timeout_s does not work with Ray, where a call may wait for a core: set it to None")
        self._ray = _import_ray()
        self._bounds = bounds
        self._started_here = not self._ray.is_initialized()
        if self._started_here:
            cores = None if address else bounds.max_workers
            self._ray.init(address=address, num_cpus=cores, include_dashboard=False, log_to_driver=True)
        self._remote = self._ray.remote(
            num_cpus=1,
            max_retries=0,
            max_calls=bounds.max_tasks_per_worker or 0,
            runtime_env={"env_vars": memory.worker_environment()},
        )(call)

    def __enter__(self) -> "RayExecutor":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave the cluster; a local one that was started here ends."""
        if self._started_here and self._ray.is_initialized():
            self._ray.shutdown()

    def map(self, fn: str, tasks: Iterable[Task]) -> Iterator[Done]:
        """Call `fn(task.payload)` for each task; see `Executor.map`."""
        admission = self._admission(tasks)
        running: dict[Any, Task] = {}
        try:
            ended: list[Done] = []
            while True:
                # Free cores get their next tasks first, and work while the caller handles the results.
                ended += self._fill(fn, admission, running)
                yield from ended
                if admission.finished:
                    return
                ended = list(self._collect(admission, running)) if running else []
        finally:
            for reference in running:
                self._ray.cancel(reference, force=True)

    def _admission(self, tasks: Iterable[Task]) -> Admission:
        """Return the bound, from what the whole cluster has where it was not given."""
        has = self._ray.cluster_resources()
        cores = self._bounds.max_workers or max(1, int(has.get("CPU", 1)))
        max_bytes = self._bounds.max_bytes_in_flight or int(has.get("memory", 0) * memory.IN_FLIGHT_SHARE)
        return Admission(tasks, cores, max_bytes or memory.max_bytes_in_flight())

    def _collect(self, admission: Admission, running: dict[Any, Task]) -> Iterator[Done]:
        """Wait until a call ends, and yield what came of it."""
        ready, _ = self._ray.wait(list(running), num_returns=1)
        for reference in ready:
            task = running.pop(reference)
            admission.release(task)
            yield self._result(task, reference)

    def _fill(self, fn: str, admission: Admission, running: dict[Any, Task]) -> Iterator[Done]:
        """Submit as many tasks as the bound allows; yield those that cannot even be sent."""
        while (task := admission.take()) is not None:
            try:
                running[self._remote.remote(fn, task)] = task
            except Exception as error:  # noqa: BLE001 - a payload that does not pickle is this task's failure
                admission.release(task)
                yield Done(task.key, None, failure_of(error), 0.0)

    def _result(self, task: Task, reference: Any) -> Done:
        try:
            done: Done = self._ray.get(reference)
        except Exception as error:  # noqa: BLE001 - Ray raises here what happened to the worker
            return Done(task.key, None, self._failure(error), 0.0)
        monitoring.add_counts(done.counts)
        return done

    def _failure(self, error: Exception) -> Failure:
        exceptions = self._ray.exceptions
        if not isinstance(
            error, exceptions.WorkerCrashedError | exceptions.OutOfMemoryError | exceptions.NodeDiedError
        ):
            return failure_of(error)
        reason = f"its Ray worker died: {str(error).splitlines()[0]}"
        remedy = "most often memory ran out: lower workers or max_bytes_in_flight, then run again"
        return Failure("crash", type(error).__name__, f"{reason}; {remedy}", reason, remedy, str(error))


def _import_ray() -> Any:
    try:
        return importlib.import_module("ray")
    except ModuleNotFoundError as error:
        raise ConfigError("the Ray executor needs Ray: pip install 'bgb-assets[ray]'") from error
