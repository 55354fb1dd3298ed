import io
import os
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bgb_assets.runtime.errors import ContractError, WorkerDied
from bgb_assets.runtime.executor import Bounds, Failure, InProcessExecutor, Task
from bgb_assets.runtime.executor_local import LocalProcessExecutor, executor_for
from bgb_assets.runtime.monitoring import counting
from bgb_assets_tests.runtime.calls import HERE


@pytest.fixture
def pool() -> Iterator[LocalProcessExecutor]:
    with LocalProcessExecutor(Bounds(max_workers=2, max_bytes_in_flight=1 << 20)) as executor:
        yield executor


def eventually(condition: Callable[[], bool], within_s: float = 60.0) -> bool:
    deadline_s = time.monotonic() + within_s
    while time.monotonic() < deadline_s:
        if condition():
            return True
        time.sleep(0.02)
    return False


def lives(pid: int) -> bool:
    """Say whether a process runs; a zombie whose parent has not fetched its status does not."""
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return bool(state.strip()) and not state.startswith("Z")


def misbehaving(pool: LocalProcessExecutor, words: list[str]) -> dict[str, Failure | None]:
    tasks = [Task(f"{position} {word}", word) for position, word in enumerate(words)]
    done = {item.key: item for item in pool.map(f"{HERE}:misbehave", tasks)}
    assert sorted(done) == sorted(task.key for task in tasks)
    assert all(item.value == "fine" for item in done.values() if item.failure is None)
    return {key.partition(" ")[2]: item.failure for key, item in done.items()}


def test_all_results_come_in_any_order(pool: LocalProcessExecutor) -> None:
    done = list(pool.map(f"{HERE}:sleepy_double", [Task(str(n), n) for n in range(12)]))
    assert {item.key: item.value for item in done} == {str(n): 2 * n for n in range(12)}
    assert [item.key for item in done] != [str(n) for n in range(12)]


def test_ten_thousand_tasks_are_read_as_they_are_needed(pool: LocalProcessExecutor) -> None:
    read = 0

    def tasks() -> Iterator[Task]:
        nonlocal read
        for read in range(1, 10_001):
            yield Task(str(read), read)

    total = 0
    for ended, done in enumerate(pool.map(f"{HERE}:double", tasks()), 1):
        total += done.value
        # Two run, one is read ahead, and a batch of at most two results may be on its way here.
        assert read - ended <= 5
    assert total == 10_001 * 10_000


def test_no_tasks_start_no_worker(pool: LocalProcessExecutor) -> None:
    assert list(pool.map(f"{HERE}:double", [])) == []
    assert not pool.worker_pids


@pytest.mark.parametrize(
    ("how", "kind", "words"),
    [
        ("kill", "crash", "killed by SIGKILL"),
        ("segfault", "crash", "killed by SIGSEGV"),
        ("exit", "crash", "exited with status 3"),
        ("memory", "crash", "Unable to allocate"),
        ("bad input", "input", "duration is 0 s"),
        ("no space", "resource", "No space left"),
        ("contract", "bug", "stage returned None"),
        ("bug", "bug", "absent"),
        ("sys.exit", "bug", "done"),
    ],
)
def test_one_bad_task_fails_alone(
    pool: LocalProcessExecutor, how: str, kind: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    failures = misbehaving(pool, ["fine"] * 5 + [how] + ["fine"] * 5)
    failure = failures[how]
    assert failure is not None
    assert failure.kind == kind
    assert words in failure.reason
    assert failures["fine"] is None
    if how == "segfault":
        assert "Segmentation fault" in failure.traceback
        assert "calls.py" in failure.traceback


def test_many_crashes_cost_only_their_tasks(pool: LocalProcessExecutor) -> None:
    done = list(pool.map(f"{HERE}:misbehave", [Task(str(n), "kill" if n % 2 else "fine") for n in range(12)]))
    assert {item.key for item in done if item.failure is None} == {str(n) for n in range(0, 12, 2)}
    assert {item.failure.kind for item in done if item.failure} == {"crash"}


def test_bytes_in_flight_are_bounded_and_a_giant_runs_alone(tmp_path: Path) -> None:
    costs = [40, 40, 40, 300, 30, 30, 30, 90, 10, 10, 100, 0, 0]
    tasks = [Task(f"t{n}", (tmp_path, f"t{n}", cost), cost) for n, cost in enumerate(costs)]
    with LocalProcessExecutor(Bounds(max_workers=3, max_bytes_in_flight=100)) as pool:
        assert all(item.failure is None for item in pool.map(f"{HERE}:occupy", tasks))
    spans = [tuple(map(float, (tmp_path / task.key).read_text().split())) for task in tasks]
    together = []
    for instant, _, _ in spans:
        running = [cost for began, ended, cost in spans if began <= instant < ended]
        assert len(running) <= 3
        assert sum(running) <= 100 or len(running) == 1
        together.append(len(running))
    assert max(together) >= 2, "nothing ran side by side: the bound was not tried"


def test_workers_have_their_environment_and_the_parent_keeps_its_own(pool: LocalProcessExecutor) -> None:
    before = dict(os.environ)
    (done,) = pool.map(f"{HERE}:settings", [Task("a", None)])
    assert done.value["OMP_NUM_THREADS"] == done.value["NUMBA_NUM_THREADS"] == "1"
    if sys.platform == "linux":
        assert done.value["MALLOC_TOP_PAD_"] == str(1 << 26)
        assert done.value["GLIBC_TUNABLES"] == "glibc.malloc.hugetlb=1"
    assert dict(os.environ) == before
    assert done.value["main"] is None, "the main module of the parent was imported again"


def test_a_worker_imports_nothing_heavy() -> None:
    code = "import sys, bgb_assets.runtime.worker; print(*sys.modules)"
    modules = set(
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    )
    assert not modules & {"numpy", "torch", "librosa", "pyarrow", "pandas", "rich", "dagster", "numba", "scipy", "ray"}


def test_workers_stay_for_the_next_map_and_go_on_close(pool: LocalProcessExecutor) -> None:
    first = {item.value for item in pool.map(f"{HERE}:pid", [Task("a", None)])}
    second = {item.value for item in pool.map(f"{HERE}:pid", [Task("a", None)])}
    assert first == second == pool.worker_pids
    pool.close()
    assert not pool.worker_pids
    assert not lives(first.pop())


def test_an_idle_worker_that_died_is_replaced(pool: LocalProcessExecutor) -> None:
    (first,) = pool.map(f"{HERE}:pid", [Task("a", None)])
    os.kill(first.value, signal.SIGKILL)
    assert eventually(lambda: not lives(first.value))
    (second,) = pool.map(f"{HERE}:pid", [Task("a", None)])
    assert second.failure is None
    assert second.value != first.value


def test_workers_are_replaced_after_some_tasks() -> None:
    with LocalProcessExecutor(Bounds(max_workers=1, max_tasks_per_worker=2)) as pool:
        pids = [item.value for item in pool.map(f"{HERE}:pid", [Task(str(n), None) for n in range(5)])]
    assert len(set(pids)) == 3


def test_a_worker_that_keeps_memory_is_replaced() -> None:
    with LocalProcessExecutor(Bounds(max_workers=1, max_worker_rss_bytes=200 << 20)) as pool:
        pids = [item.value for item in pool.map(f"{HERE}:hog", [Task(str(n), n << 20) for n in (0, 300, 0, 0)])]
    assert pids[0] == pids[1] != pids[2] == pids[3]


def test_a_call_that_hangs_is_stopped() -> None:
    with LocalProcessExecutor(Bounds(max_workers=2, task_timeout_s=2.0)) as pool:
        failures = misbehaving(pool, ["fine", "hang", "fine", "fine"])
    hung = failures["hang"]
    assert hung is not None
    assert (hung.kind, hung.error_type) == ("crash", "TimeoutError")
    assert failures["fine"] is None


def test_what_does_not_pickle_fails_alone(pool: LocalProcessExecutor) -> None:
    payloads = [Task("lambda", lambda: 0), Task("number", 4)]
    done = {item.key: item for item in pool.map(f"{HERE}:double", payloads)}
    assert done["number"].value == 8
    assert done["lambda"].failure is not None
    assert done["lambda"].failure.kind == "bug"
    (value,) = pool.map(f"{HERE}:unpicklable", [Task("value", 0)])
    assert value.failure is not None
    assert "pickle" in value.failure.message


def test_a_function_that_does_not_exist_is_a_bug(pool: LocalProcessExecutor) -> None:
    (done,) = pool.map(f"{HERE}:absent", [Task("a", 0)])
    assert done.failure is not None
    assert "has no 'absent'" in done.failure.message


def test_counts_of_workers_are_added_here(pool: LocalProcessExecutor) -> None:
    with counting() as counts:
        list(pool.map(f"{HERE}:double", [Task(str(n), n) for n in range(7)]))
    assert counts == {"doubled": 7}


def test_large_payloads_and_values_pass(pool: LocalProcessExecutor) -> None:
    done = list(pool.map("builtins:bytes", [Task(str(n), bytes([n]) * (8 << 20)) for n in range(4)]))
    assert {item.key: item.value for item in done} == {str(n): bytes([n]) * (8 << 20) for n in range(4)}


def test_output_of_workers_arrives_in_whole_lines(
    pool: LocalProcessExecutor, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [f"task-{n:03}" for n in range(40)]
    list(pool.map(f"{HERE}:talk", [Task(name, name) for name in names]))
    pool.close()
    shown = capsys.readouterr()
    lines = shown.err.splitlines()
    for name in names:
        assert lines.count(f"output {name}") == 1
        assert lines.count(f"native {name}") == 1
        assert lines.count(f"WARNING stage: record {name}") == 1
        assert sum(f"UserWarning: warning {name}" in line for line in lines) == 1
    assert shown.out == ""


def test_a_worker_goes_on_when_nobody_listens(pool: LocalProcessExecutor, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stderr", closed)
    done = list(pool.map("builtins:print", [Task(str(n), "x" * 50_000) for n in range(20)]))
    assert [item.failure for item in done] == [None] * 20


def test_an_interruption_stops_what_runs_and_lets_it_tidy_up(tmp_path: Path) -> None:
    def tasks() -> Iterator[Task]:
        yield from (Task(str(n), tmp_path) for n in range(2))
        # Two are sleeping when a third is asked for: from here the map is broken off.
        assert eventually(lambda: len(list(tmp_path.iterdir())) == 2)
        raise KeyboardInterrupt

    with LocalProcessExecutor(Bounds(max_workers=3)) as three, pytest.raises(KeyboardInterrupt):
        list(three.map(f"{HERE}:sleep_politely", tasks()))
    marks = sorted(mark.name for mark in tmp_path.iterdir())
    assert len(marks) == 2
    assert all(mark.endswith("-tidied") for mark in marks)
    assert not any(lives(int(mark.removesuffix("-tidied"))) for mark in marks)


def test_a_closed_iterator_stops_its_workers_and_the_pool_goes_on(pool: LocalProcessExecutor) -> None:
    results = pool.map(f"{HERE}:misbehave", [Task("quick", "fine"), *(Task(str(n), "hang") for n in range(50))])
    assert next(results).value == "fine"
    before = pool.worker_pids
    started_s = time.monotonic()
    results.close()
    assert time.monotonic() - started_s < 30
    assert not any(map(lives, before - pool.worker_pids))
    assert [item.value for item in pool.map(f"{HERE}:double", [Task("a", 1)])] == [2]


def test_a_second_map_at_once_is_refused(pool: LocalProcessExecutor) -> None:
    results = pool.map(f"{HERE}:double", [Task(str(n), n) for n in range(9)])
    next(results)
    with pytest.raises(ContractError, match="already mapping"):
        next(pool.map(f"{HERE}:double", [Task("a", 1)]))
    assert len(list(results)) == 8


def test_an_error_of_the_tasks_passes_through(pool: LocalProcessExecutor) -> None:
    def tasks() -> Iterator[Task]:
        yield Task("a", 1)
        raise OSError("listing failed")

    with pytest.raises(OSError, match="listing failed"):
        list(pool.map(f"{HERE}:double", tasks()))
    assert [item.value for item in pool.map(f"{HERE}:double", [Task("a", 1)])] == [2]


def test_a_worker_that_cannot_start_stops_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    library = sysconfig.get_path("stdlib")
    monkeypatch.setattr(sys, "path", [library, f"{library}/lib-dynload"])
    with LocalProcessExecutor(Bounds(max_workers=1)) as pool, pytest.raises(WorkerDied, match="could not start"):
        list(pool.map(f"{HERE}:double", [Task("a", 1)]))


DRIVER = """
import sys
from pathlib import Path
from bgb_assets.runtime.executor import Bounds, Task
from bgb_assets.runtime.executor_local import LocalProcessExecutor
with LocalProcessExecutor(Bounds(max_workers=2)) as pool:
    for done in pool.map(sys.argv[1], [Task(str(n), Path(sys.argv[2])) for n in range(2)]):
        print(done)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_workers_go_when_their_parent_goes(tmp_path: Path, number: int) -> None:
    command = [sys.executable, "-c", DRIVER, f"{HERE}:sleep_after_saying_who", str(tmp_path)]
    driver = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert eventually(lambda: len(list(tmp_path.iterdir())) == 2)
    workers = [int(mark.name) for mark in tmp_path.iterdir()]
    assert eventually(lambda: all(mark.read_text() for mark in tmp_path.iterdir()))
    children = [int(mark.read_text()) for mark in tmp_path.iterdir()]
    assert all(map(lives, workers))
    driver.send_signal(number)
    _, errors = driver.communicate(timeout=60)
    assert eventually(lambda: not any(map(lives, workers)))
    # Of the parent's own interruption there is one trace; of the workers there is none.
    assert errors.count("Traceback") == (1 if number == signal.SIGINT else 0)
    if number == signal.SIGINT:
        assert not any(map(lives, children))
    for child in filter(lives, children):
        os.kill(child, signal.SIGKILL)


def test_run_settings_choose_the_executor() -> None:
    assert isinstance(executor_for(0, 0), InProcessExecutor)
    with LocalProcessExecutor() as expected:
        assert type(executor_for(-1, 0)) is type(expected)
