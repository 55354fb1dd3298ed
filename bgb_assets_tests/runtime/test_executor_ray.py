import importlib.util
import os
from collections.abc import Iterator

import pytest

from bgb_assets.runtime.errors import ConfigError
from bgb_assets.runtime.executor import Bounds, Task
from bgb_assets.runtime.executor_ray import RayExecutor
from bgb_assets.runtime.monitoring import counting
from bgb_assets_tests.runtime.calls import HERE

HAS_RAY = importlib.util.find_spec("ray") is not None
needs_ray = pytest.mark.skipif(not HAS_RAY, reason="Ray is not installed: pip install 'bgb-assets[ray]'")


@pytest.mark.skipif(HAS_RAY, reason="Ray is installed")
def test_without_ray_it_says_what_to_install() -> None:
    with pytest.raises(ConfigError, match=r"pip install 'bgb-assets\[ray\]'"):
        RayExecutor()


def test_a_time_out_is_refused() -> None:
    with pytest.raises(ConfigError, match="task_timeout_s does not work with Ray"):
        RayExecutor(bounds=Bounds(task_timeout_s=5))


@pytest.fixture(scope="module")
def cluster() -> Iterator[RayExecutor]:
    with RayExecutor(bounds=Bounds(max_workers=2, max_bytes_in_flight=100)) as executor:
        yield executor


pytestmark = pytest.mark.filterwarnings("default")  # Ray's own warnings are not ours to mend


@needs_ray
@pytest.mark.cluster
class TestCluster:
    def test_values_and_counts(self, cluster: RayExecutor) -> None:
        with counting() as counts:
            done = {
                item.key: item.value for item in cluster.map(f"{HERE}:double", [Task(str(n), n) for n in range(20)])
            }
        assert done == {str(n): 2 * n for n in range(20)}
        assert counts == {"doubled": 20}

    def test_failures_are_values_and_cost_one_task(self, cluster: RayExecutor) -> None:
        words = ["fine", "bad input", "fine", "kill", "bug", "fine"]
        done = list(cluster.map(f"{HERE}:misbehave", [Task(f"{n} {word}", word) for n, word in enumerate(words)]))
        kinds = {item.key.partition(" ")[2]: item.failure and item.failure.kind for item in done}
        assert kinds == {"fine": None, "bad input": "input", "kill": "crash", "bug": "bug"}
        assert len(done) == len(words)

    def test_workers_have_one_thread(self, cluster: RayExecutor) -> None:
        before = dict(os.environ)
        (done,) = cluster.map(f"{HERE}:settings", [Task("a", None)])
        assert done.value["OMP_NUM_THREADS"] == done.value["NUMBA_NUM_THREADS"] == "1"
        assert dict(os.environ) == before

    def test_what_does_not_pickle_fails_alone(self, cluster: RayExecutor) -> None:
        (done,) = cluster.map(f"{HERE}:double", [Task("frame", _current_frame())])
        assert done.failure is not None
        assert done.failure.kind == "bug"

    def test_closing_early_frees_the_cores(self, cluster: RayExecutor) -> None:
        results = cluster.map(f"{HERE}:misbehave", [Task("quick", "fine"), *(Task(str(n), "hang") for n in range(9))])
        assert next(results).value == "fine"
        results.close()
        assert [item.value for item in cluster.map(f"{HERE}:double", [Task("a", 1)])] == [2]


def _current_frame() -> object:
    import sys

    return sys._getframe()
