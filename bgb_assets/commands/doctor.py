"""`bgb doctor`: checks the machine and the installation and says what to do.

Belongs here: checks that end in a remedy. Does not belong here: checks of data (`bgb status`, `bgb cache verify`).
"""

import importlib.metadata
import os
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import typer

from bgb_assets.commands.context import human_bytes, known_settings, print_json
from bgb_assets.runtime.errors import BgbError, StoreError
from bgb_assets.runtime.settings import RunSettings, Settings

PACKAGES = ("dagster", "dagster-webserver", "torch", "lightning", "pyarrow", "librosa", "soundfile", "numba", "nibabel")
MIN_WATCHES = 8192


@dataclass(frozen=True)
class Finding:
    """One check: what was found, and what to do where it is not right."""

    name: str
    ok: bool
    found: str
    remedy: str = ""


def doctor(*, as_json: bool) -> None:
    """Run all checks.

    Raises:
        StoreError: One of them failed.
    """
    findings = [finding for check in _CHECKS for finding in check()]
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            mark = "ok  " if finding.ok else "BAD "
            typer.echo(f"{mark}{finding.name}: {finding.found}" + ("" if finding.ok else f"; {finding.remedy}"))
    if not all(finding.ok for finding in findings):
        raise StoreError("mend what is marked BAD and run `bgb doctor` again")


def _python() -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    ok = (3, 11) <= sys.version_info[:2] < (3, 13)
    yield Finding("python", ok, version, "make a virtual environment with Python 3.11 or 3.12")
    yield Finding("system", sys.platform in ("linux", "darwin"), sys.platform, "use Linux or macOS (WSL on Windows)")


def _packages() -> Iterator[Finding]:
    for name in PACKAGES:
        try:
            yield Finding(name, True, importlib.metadata.version(name))
        except importlib.metadata.PackageNotFoundError:
            yield Finding(name, False, "not installed", "`pip install -e .` in the project's folder")


def _device() -> Iterator[Finding]:
    import torch

    if torch.cuda.is_available():
        yield Finding("device", True, torch.cuda.get_device_name(0))
    else:
        yield Finding("device", True, "CPU only: training works, slowly")


def _data() -> Iterator[Finding]:
    try:
        settings = known_settings()
        limits = settings.section(RunSettings(), "run")
    except BgbError as error:
        yield Finding("configuration", False, str(error), "mend it as it says")
        return
    yield Finding("data root", True, f"{settings.data_root} ({settings.root_source})")
    yield from _disk(settings, limits)
    home = Path(os.environ.get("DAGSTER_HOME") or settings.data_root / "dagster_home")
    ours = (home / "dagster.yaml").is_file() and "bgb_assets.orchestration.event_log" in (
        home / "dagster.yaml"
    ).read_text()
    remedy = f"copy the event_log_storage block of the project's dagster.yaml into {home / 'dagster.yaml'}"
    missing = not (home / "dagster.yaml").exists()
    yield Finding(
        "event log",
        ours or missing,
        "batched" if ours else "written at the first run" if missing else "stock: right, but slow",
        remedy,
    )


def _disk(settings: Settings, limits: RunSettings) -> Iterator[Finding]:
    settings.data_root.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(settings.data_root).free
    remedy = "`bgb cache prune --budget SIZE` or a larger disk"
    yield Finding("free disk", free >= limits.min_free_bytes, human_bytes(free), remedy)
    try:
        with tempfile.TemporaryDirectory(dir=settings.data_root) as folder:
            with sqlite3.connect(Path(folder) / "probe.sqlite") as connection:
                mode = connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
            connection.close()
        yield Finding(
            "catalog disk", mode == "wal", f"SQLite journal {mode}", "put the data root on a local disk, not NFS"
        )
    except OSError as error:
        yield Finding("catalog disk", False, str(error), f"make {settings.data_root} writable")


def _watches() -> Iterator[Finding]:
    path = Path("/proc/sys/fs/inotify/max_user_watches")
    if path.is_file():
        count = int(path.read_text())
        yield Finding(
            "inotify", count >= MIN_WATCHES, f"{count} watches", "raise fs.inotify.max_user_watches with sysctl"
        )


_CHECKS: tuple[Callable[[], Iterator[Finding]], ...] = (_python, _packages, _device, _data, _watches)
