import os
import subprocess
import sys

import numpy as np
import pytest

from bgb_assets.runtime import memory


def test_own_memory_grows_by_what_is_allocated() -> None:
    before = memory.rss_anon_bytes()
    block = np.ones(64 << 20, np.uint8)
    grown = memory.rss_anon_bytes() - before
    assert 0.9 * block.nbytes < grown < 1.5 * block.nbytes
    assert memory.peak_rss_bytes() >= block.nbytes


def test_memory_of_another_process_and_of_none() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert memory.rss_anon_bytes(child.pid) > 0
    child.communicate(b"\n")
    with pytest.raises(ProcessLookupError):
        memory.rss_anon_bytes(child.pid)


def test_bounds_follow_from_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert 0 < memory.max_bytes_in_flight() < memory.available_bytes() < physical
    monkeypatch.setattr(memory, "memory_headroom_bytes", lambda: 1000)
    assert memory.available_bytes() == 1000
    assert memory.max_bytes_in_flight() == 500
    monkeypatch.setattr(memory, "memory_headroom_bytes", lambda: 0)
    assert memory.max_bytes_in_flight() == 1


@pytest.mark.parametrize(("quota", "cpus"), [(0.2, 1), (1.0, 1), (1e9, None), (None, None)])
def test_usable_cpus_respect_the_quota(monkeypatch: pytest.MonkeyPatch, quota: float | None, cpus: int | None) -> None:
    monkeypatch.setattr(memory, "cpu_quota", lambda: quota)
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count()
    assert memory.usable_cpus() == (cores if cpus is None else cpus)


def test_worker_environment_forces_threads_and_respects_the_allocator_of_a_person(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "8")
    monkeypatch.setenv("GLIBC_TUNABLES", "glibc.malloc.check=3")
    environment = memory.worker_environment()
    assert environment["OMP_NUM_THREADS"] == "1"
    assert "GLIBC_TUNABLES" not in environment


def test_another_libc_gets_no_allocator_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "confstr", lambda name: None)
    assert memory.worker_environment() == memory.ONE_THREAD
