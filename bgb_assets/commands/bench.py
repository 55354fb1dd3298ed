"""`bgb bench`: runs the benchmarks that hold a modality to its gates, and keeps what they found.

Belongs here: choosing scripts by gate, running them, storing results with machine and date. Does not belong here:
measuring (`bgb_assets_tests.benchmarks`, which lies beside the package in a checkout).
"""

import importlib
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import typer

from bgb_assets.commands.context import print_json
from bgb_assets.runtime.errors import BgbError, UsageError
from bgb_assets.runtime.settings import load_settings
from bgb_assets.storage.atomic import write_json

BENCHMARKS = "bgb_assets_tests.benchmarks"
RESULTS_VARIABLE = "BGB_BENCH_RESULTS"
PACKAGES = ("bgb-assets", "dagster", "librosa", "numpy", "pandas", "pyarrow", "scipy", "torch")


def bench(name: str, gates: Sequence[int], *, small: bool, as_json: bool) -> None:
    """Run the scripts of some gates of a modality, or of all, and store the results under `data/logs/bench/`.

    Raises:
        UsageError: There is no such gate, or this is no checkout with the benchmarks.
        BgbError: A gate was missed, or a script failed.
    """
    scripts = _scripts(name, gates)
    found: list[dict[str, Any]] = []
    failed: list[str] = []
    for script in scripts:
        typer.echo(f"{script}:", err=as_json)
        lines, ok = _run(script, small=small, quiet=as_json)
        found += lines
        failed += [] if ok else [script]
    wanted = [line for line in found if not gates or line["gate"] in gates]
    report = {"modality": name, "small": small, "machine": _machine(), "results": wanted, "failed": failed}
    if not small:
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        path = load_settings().data_root / "logs" / "bench" / f"{name}-{stamp}.json"
        write_json(path, report)
        typer.echo(f"stored: {path}", err=as_json)
    if as_json:
        print_json(report)
    if failed:
        raise BgbError(f"benchmarks failed: {', '.join(failed)}; run one alone: python -m {BENCHMARKS}.{failed[0]}")
    if missed := sorted({line["gate"] for line in wanted if line["holds"] is False}):
        raise BgbError(f"{name}: gates missed: {', '.join(map(str, missed))}; was the machine quiet?")


def _scripts(name: str, gates: Sequence[int]) -> list[str]:
    """Return the scripts to run, each once, in the order of their gates."""
    try:
        known: Mapping[str, Mapping[int, str | tuple[str, ...]]] = importlib.import_module(BENCHMARKS).GATES
    except ModuleNotFoundError as error:
        raise UsageError(f"{BENCHMARKS} is not here ({error}); run this in a checkout of the project") from error
    of_modality = known.get(name, {})
    if not of_modality:
        raise UsageError(f"no benchmarks of {name!r}; there are some of {', '.join(known)}")
    if unknown := sorted(set(gates) - set(of_modality)):
        raise UsageError(f"{name}: no gates {unknown}; there are {', '.join(map(str, of_modality))}")
    wanted = [scripts for gate, scripts in of_modality.items() if not gates or gate in gates]
    listed = [(scripts,) if isinstance(scripts, str) else scripts for scripts in wanted]
    return list(dict.fromkeys(script for scripts in listed for script in scripts))


def _run(script: str, *, small: bool, quiet: bool) -> tuple[list[dict[str, Any]], bool]:
    """Return what a script found, and whether it came to its end."""
    with tempfile.TemporaryDirectory(prefix="bgb_bench_") as folder:
        results = Path(folder) / "results"
        results.touch()
        command = [sys.executable, "-m", f"{BENCHMARKS}.{script}", *(["--small"] if small else [])]
        environment = {**os.environ, RESULTS_VARIABLE: str(results)}
        # 2: standard error, so that standard output holds the JSON alone.
        done = subprocess.run(command, env=environment, stdout=2 if quiet else None, check=False)
        lines = [json.loads(line) for line in results.read_text("utf-8").splitlines()]
        return [{**line, "script": script} for line in lines], done.returncode == 0


def _machine() -> dict[str, Any]:
    """Return what a result depends on besides the code."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "system": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "packages": {name: importlib.metadata.version(name) for name in PACKAGES},
    }


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text("utf-8").splitlines() if path.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
