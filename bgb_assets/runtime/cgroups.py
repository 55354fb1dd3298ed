"""What a container or a batch system lets this process use (Linux control groups, versions 1 and 2).

Belongs here: reading the kernel's limit files. Does not belong here: deciding what to do with them
(`memory.py`). On a system without control groups there is no limit: every function says None.
"""

from collections.abc import Iterator
from pathlib import Path

MOUNT = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")


def memory_headroom_bytes(mount: Path = MOUNT, membership: Path = MEMBERSHIP) -> int | None:
    """Return how much more memory the tightest enclosing group allows; None without a limit.

    Page cache that the kernel can drop (`inactive_file`) counts as free.
    """
    rooms = []
    for folder in _folders("memory", mount, membership):
        limit = _number(folder / "memory.max") or _number(folder / "memory.limit_in_bytes")
        used = _number(folder / "memory.current") or _number(folder / "memory.usage_in_bytes")
        if limit is not None and used is not None:
            rooms.append(max(0, limit - used + _inactive_file_bytes(folder / "memory.stat")))
    return min(rooms, default=None)


def cpu_quota(mount: Path = MOUNT, membership: Path = MEMBERSHIP) -> float | None:
    """Return the tightest bound on processor time, in cores; None without one."""
    quotas = []
    for folder in _folders("cpu", mount, membership):
        quota, period = _quota_and_period(folder)
        if quota is not None and period and quota > 0:
            quotas.append(quota / period)
    return min(quotas, default=None)


def _folders(controller: str, mount: Path, membership: Path) -> Iterator[Path]:
    """Yield the folders of the group of this process and of the groups around it, innermost first.

    A container may not see the host's path of its own group: then only the root of the mount is there.
    """
    for line in _text(membership).splitlines():
        _, controllers, inside = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        for root in (mount / controllers, mount / controller) if controllers else (mount, mount / "unified"):
            folder = root / inside.lstrip("/")
            yield from (found for found in (folder, *folder.parents) if found.is_relative_to(root) and found.is_dir())


def _quota_and_period(folder: Path) -> tuple[int | None, int | None]:
    """Read microseconds of processor time per period: `cpu.max` is "max 100000" or "150000 100000"."""
    fields = _text(folder / "cpu.max").split()
    if len(fields) == 2:
        return _integer(fields[0]), _integer(fields[1])
    return _number(folder / "cpu.cfs_quota_us"), _number(folder / "cpu.cfs_period_us")


def _inactive_file_bytes(path: Path) -> int:
    for line in _text(path).splitlines():
        if line.startswith(("inactive_file ", "total_inactive_file ")):
            return int(line.split()[1])
    return 0


def _number(path: Path) -> int | None:
    return _integer(_text(path).strip())


def _integer(text: str) -> int | None:
    return int(text) if text.lstrip("-").isdigit() else None


def _text(path: Path) -> str:
    """Read a small kernel file; one that is not there or not ours to read holds nothing."""
    try:
        return path.read_text()
    except OSError:
        return ""
