"""How much of the machine this process may use, how much it uses, and the environment of workers.

Belongs here: measured memory, defaults that follow from it, thread and allocator variables.
Does not belong here: spreading work (`executor.py`).
"""

import math
import os
import resource
import subprocess
import sys
from pathlib import Path

from bgb_assets.runtime.cgroups import cpu_quota, memory_headroom_bytes
from bgb_assets.runtime.errors import ConfigError

PROC = Path("/proc")

IN_FLIGHT_SHARE = 0.5
"""Share of the free memory that uploads in work may take; the rest is for imports and page cache."""

ONE_THREAD = {
    "OMP_NUM_THREADS": "1",  # torch, pyarrow, libgomp
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "BLIS_NUM_THREADS": "1",
    "VECLIB_MAXIMUM_THREADS": "1",
    "NUMEXPR_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
    "RAYON_NUM_THREADS": "1",
    "POLARS_MAX_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
}

GLIBC_ALLOCATOR = {
    # Large arrays stay in the heap instead of being mapped, and faulted in page by page, at every
    # allocation: 1.3 to 5 times faster on the array work of the stages, with the same bits.
    "MALLOC_MMAP_THRESHOLD_": str(1 << 32),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 34),
    "MALLOC_TOP_PAD_": str(1 << 26),
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
}


def worker_environment() -> dict[str, str]:
    """Return the variables of a worker: one thread per library and, with glibc, the faster allocator.

    Thread counts always apply, as the executor spreads work over processes. Allocator variables that a
    person has set are left alone. Both must be there before Python starts, so they cannot be set inside.
    """
    allocator = GLIBC_ALLOCATOR if _is_glibc() else {}
    return ONE_THREAD | {name: value for name, value in allocator.items() if name not in os.environ}


def rss_anon_bytes(pid: int | None = None) -> int:
    """Return the anonymous resident memory of a process: what it allocated, without mapped files.

    On Linux this is `RssAnon`, taken as the resident less the shared pages of `/proc/<pid>/statm`: workers
    read it after every call, and `status` takes several times as long. Elsewhere `ps` gives all resident
    memory, an upper bound.

    Raises:
        ProcessLookupError: There is no such process.
    """
    who = os.getpid() if pid is None else pid
    if PROC.is_dir():
        return _anonymous_pages(who) * os.sysconf("SC_PAGE_SIZE")
    answer = subprocess.run(["ps", "-o", "rss=", "-p", str(who)], capture_output=True, text=True, check=False)
    if not answer.stdout.strip():
        raise ProcessLookupError(f"no process {who}")
    return int(answer.stdout) << 10


def _anonymous_pages(pid: int) -> int:
    try:
        with open(f"{PROC}/{pid}/statm", "rb", buffering=0) as file:  # noqa: PTH123 - a third of the time of Path
            fields = file.read(128).split()
    except FileNotFoundError:
        raise ProcessLookupError(f"no process {pid}") from None
    return int(fields[1]) - int(fields[2])


def peak_rss_bytes() -> int:
    """Return the largest resident memory this process has had so far, mapped files included."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak << 10


def available_bytes() -> int:
    """Return the memory that can be taken without swapping, within the limits of the container.

    Where the system does not tell (no `/proc/meminfo`), it is half of the physical memory.
    """
    meminfo = PROC / "meminfo"
    if meminfo.exists():
        free = _mem_available_bytes(meminfo.read_text())
    else:
        free = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    room = memory_headroom_bytes()
    return free if room is None else min(free, room)


def max_bytes_in_flight() -> int:
    """Return the default bound on the memory of uploads in work: half of what is free now."""
    return max(1, int(available_bytes() * IN_FLIGHT_SHARE))


def usable_cpus() -> int:
    """Return the number of cores this process may keep busy: affinity and container quota, at least 1."""
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    quota = cpu_quota()
    return cores if quota is None else max(1, min(cores, math.ceil(quota)))


def _mem_available_bytes(meminfo: str) -> int:
    for line in meminfo.splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) << 10
    raise ConfigError("/proc/meminfo has no MemAvailable; set max_bytes_in_flight in config.toml")


def _is_glibc() -> bool:
    try:
        return (os.confstr("CS_GNU_LIBC_VERSION") or "").startswith("glibc")
    except (ValueError, OSError, AttributeError):
        return False
