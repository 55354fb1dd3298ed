import pickle
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgb_assets.runtime.errors import BadInput, ConfigError, ResourceError, UnsafeArchive, WorkerDied
from bgb_assets.runtime.executor import Admission, Bounds, InProcessExecutor, Task, failure_of
from bgb_assets.runtime.monitoring import counting
from bgb_assets_tests.runtime.calls import HERE


def test_in_process_yields_values_and_failures_in_order() -> None:
    tasks = [Task(word, word) for word in ("fine", "bad input", "bug", "fine")]
    done = list(InProcessExecutor().map(f"{HERE}:misbehave", tasks))
    assert [item.key for item in done] == ["fine", "bad input", "bug", "fine"]
    assert [item.value for item in done] == ["fine", None, None, "fine"]
    assert [item.failure and item.failure.kind for item in done] == [None, "input", "bug", None]


def test_in_process_counts_once() -> None:
    with counting() as counts:
        done = list(InProcessExecutor().map(f"{HERE}:double", [Task("a", 1), Task("b", 2)]))
    assert counts == {"doubled": 2}
    assert [dict(item.counts) for item in done] == [{"doubled": 1}] * 2


def test_in_process_reads_lazily() -> None:
    def endless() -> Iterator[Task]:
        number = 0
        while True:
            yield Task(str(number), number)
            number += 1

    results = InProcessExecutor().map(f"{HERE}:double", endless())
    assert [next(results).value for _ in range(3)] == [0, 2, 4]


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (BadInput("r", "m"), "input"),
        (UnsafeArchive("r", "m"), "input"),
        (ResourceError("disk"), "resource"),
        (PermissionError(13, "denied"), "resource"),
        (FileNotFoundError(2, "absent"), "bug"),
        (MemoryError(), "crash"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), "crash"),
        (type("OutOfMemoryError", (RuntimeError,), {})("CUDA out of memory"), "crash"),
        (WorkerDied("gone"), "crash"),
        (ConfigError("n_mels"), "bug"),
        (ValueError("odd"), "bug"),
    ],
)
def test_kind_of_failure(error: BaseException, kind: str) -> None:
    failure = failure_of(error)
    assert failure.kind == kind
    assert failure.error_type == type(error).__name__
    assert failure.message
    assert failure.remedy
    assert pickle.loads(pickle.dumps(failure)) == failure


def test_failure_keeps_reason_remedy_and_place() -> None:
    try:
        raise BadInput("duration is 0 s", "record it again")
    except BadInput as error:
        failure = failure_of(error)
    assert (failure.reason, failure.remedy) == ("duration is 0 s", "record it again")
    assert failure.message == "duration is 0 s; record it again"
    assert "test_executor.py" in failure.traceback


@given(
    costs=st.lists(st.integers(0, 12), max_size=40),
    max_workers=st.integers(1, 5),
    max_bytes=st.integers(1, 20),
    picks=st.randoms(use_true_random=False),
)
def test_admission_holds_the_bound_and_loses_nothing(costs, max_workers, max_bytes, picks) -> None:
    read = 0

    def tasks() -> Iterator[Task]:
        nonlocal read
        for number, cost in enumerate(costs):
            read += 1
            yield Task(str(number), None, cost)

    admission, running, order = Admission(tasks(), max_workers, max_bytes), [], []
    while not admission.finished:
        while (task := admission.take()) is not None:
            running.append(task)
            order.append(int(task.key))
            assert len(running) <= max_workers
            assert len(running) == 1 or sum(item.cost_bytes for item in running) <= max_bytes
            assert read - len(order) <= 1
        if running:
            admission.release(running.pop(picks.randrange(len(running))))
    assert order == list(range(len(costs)))


@pytest.mark.parametrize("name", ["max_workers", "max_bytes_in_flight", "max_tasks_per_worker", "task_timeout_s"])
def test_bounds_must_be_positive(name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name} must be above 0 or None, got 0"):
        Bounds(**{name: 0})
