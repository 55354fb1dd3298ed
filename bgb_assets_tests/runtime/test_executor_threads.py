"""Threads: as many calls at once as allowed, tasks read meanwhile, failures as values, and an end at once."""

import threading
import time
from collections.abc import Iterator

import pytest

from bgb_assets.runtime import executor_threads, monitoring
from bgb_assets.runtime.errors import ConfigError, SourceError
from bgb_assets.runtime.executor import Task
from bgb_assets.runtime.executor_threads import ThreadExecutor

HERE = "bgb_assets_tests.runtime.test_executor_threads"
_lock = threading.Lock()
_running: list[int] = []
_most: list[int] = []
_opened = threading.Event()


def noted(payload: int) -> int:
    """Say how many run at once, and take a while."""
    with _lock:
        _running.append(payload)
        _most.append(len(_running))
    time.sleep(0.02)
    with _lock:
        _running.remove(payload)
    monitoring.count("calls")
    return payload * 2


def fails(payload: int) -> int:
    if payload == 1:
        raise SourceError("not now")
    if payload == 2:
        raise SystemExit(3)
    return payload


def opens(payload: int) -> int:
    _opened.set()
    return payload


def waits(payload: float) -> None:
    time.sleep(payload)


def tasks(count: int) -> Iterator[Task]:
    return (Task(str(i), i) for i in range(count))


@pytest.mark.parametrize("workers", [1, 3])
def test_every_task_is_called_and_no_more_at_once_than_allowed(workers: int) -> None:
    _most.clear()
    with monitoring.counting() as counts:
        found = {done.key: done.value for done in ThreadExecutor(workers).map(f"{HERE}:noted", tasks(9))}
    assert found == {str(i): i * 2 for i in range(9)}
    assert max(_most) == workers
    assert counts["calls"] == 9, "each is counted once"


def test_failures_are_values() -> None:
    found = {done.key: done.failure for done in ThreadExecutor(2).map(f"{HERE}:fails", tasks(4))}
    assert {key: failure.error_type for key, failure in found.items() if failure} == {
        "1": "SourceError",
        "2": "SystemExit",
    }


def test_calls_run_while_the_next_task_is_still_being_found() -> None:
    _opened.clear()

    def slow() -> Iterator[Task]:
        yield Task("first", 1)
        assert _opened.wait(10), "the first call must not wait for the second task"
        yield Task("second", 2)

    assert [done.value for done in ThreadExecutor(1).map(f"{HERE}:opens", slow())] == [1, 2]


def test_tasks_are_not_read_ahead_of_what_runs() -> None:
    read = []

    def counted() -> Iterator[Task]:
        for task in tasks(20):
            read.append(task.key)
            yield task

    running = ThreadExecutor(2).map(f"{HERE}:noted", counted())
    next(running)
    time.sleep(0.01)
    assert len(read) <= 5
    running.close()
    assert len(read) < 20


def test_error_of_the_tasks_comes_after_the_results_of_those_before() -> None:
    def broken() -> Iterator[Task]:
        yield from tasks(3)
        raise SourceError("the list ends here")

    seen = []
    with pytest.raises(SourceError, match="the list ends here"):
        for done in ThreadExecutor(2).map(f"{HERE}:noted", broken()):
            seen.append(done.value)
    assert sorted(seen) == [0, 2, 4]


def test_left_early_the_tasks_are_closed_in_the_thread_that_read_them() -> None:
    threads = []

    def watched() -> Iterator[Task]:
        threads.append(threading.current_thread())
        try:
            yield from tasks(50)
        finally:
            threads.append(threading.current_thread())

    running = ThreadExecutor(2).map(f"{HERE}:noted", watched())
    next(running)
    running.close()
    assert len(threads) == 2
    assert threads[0] is threads[1] is not threading.current_thread()
    assert not any(thread.is_alive() for thread in threads)


def test_end_does_not_wait_long_for_a_call_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executor_threads, "GRACE_S", 0.05)
    running = ThreadExecutor(2).map(f"{HERE}:waits", iter([Task("short", 0.0), Task("long", 60.0)]))
    next(running)
    started_s = time.monotonic()
    running.close()
    assert time.monotonic() - started_s < 30.0


def test_no_tasks_give_no_results() -> None:
    assert list(ThreadExecutor(4).map(f"{HERE}:noted", iter(()))) == []


def test_some_thread_is_needed() -> None:
    with pytest.raises(ConfigError, match="max_workers must be above 0, got 0"):
        ThreadExecutor(0)
