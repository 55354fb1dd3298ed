from pathlib import Path

import pytest

from bgb_assets.runtime import cgroups


def files(root: Path, contents: dict[str, str]) -> Path:
    for name, text in contents.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.fixture
def version_2(tmp_path: Path) -> tuple[Path, Path]:
    mount = files(
        tmp_path / "cgroup",
        {
            "job/memory.max": "1000000\n",
            "job/memory.current": "600000\n",
            "job/memory.stat": "anon 5\ninactive_file 100000\n",
            "job/cpu.max": "max 100000\n",
            "job/task/memory.max": "max\n",
            "job/task/memory.current": "10\n",
            "job/task/cpu.max": "150000 100000\n",
        },
    )
    return mount, files(tmp_path, {"membership": "0::/job/task\n"}) / "membership"


def test_version_2_takes_the_tightest_group(version_2: tuple[Path, Path]) -> None:
    assert cgroups.memory_headroom_bytes(*version_2) == 500_000
    assert cgroups.cpu_quota(*version_2) == 1.5


def test_version_1_with_its_own_mounts(tmp_path: Path) -> None:
    mount = files(
        tmp_path / "cgroup",
        {
            "memory/box/memory.limit_in_bytes": "4096000\n",
            "memory/box/memory.usage_in_bytes": "5000000\n",
            "memory/memory.limit_in_bytes": "9223372036854771712\n",
            "memory/memory.usage_in_bytes": "5000000\n",
            "cpu,cpuacct/box/cpu.cfs_quota_us": "-1\n",
            "cpu,cpuacct/box/cpu.cfs_period_us": "100000\n",
        },
    )
    membership = files(tmp_path, {"m": "4:memory:/box\n2:cpu,cpuacct:/box\n0::/\n"}) / "m"
    assert cgroups.memory_headroom_bytes(mount, membership) == 0
    assert cgroups.cpu_quota(mount, membership) is None


def test_a_container_sees_only_the_root_of_the_mount(tmp_path: Path) -> None:
    mount = files(tmp_path / "cgroup", {"memory.max": "700\n", "memory.current": "200\n", "cpu.max": "50000 100000"})
    membership = files(tmp_path, {"m": "0::/docker/0123\n"}) / "m"
    assert cgroups.memory_headroom_bytes(mount, membership) == 500
    assert cgroups.cpu_quota(mount, membership) == 0.5


def test_without_control_groups_there_is_no_limit(tmp_path: Path) -> None:
    assert cgroups.memory_headroom_bytes(tmp_path / "no", tmp_path / "none") is None
    assert cgroups.cpu_quota(tmp_path / "no", tmp_path / "none") is None
