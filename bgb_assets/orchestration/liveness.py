"""Runs whose process died: found by a file lock, and told to Dagster, which would think for ever that they run.

Dagster's default launcher does not look after its processes (1.13.27): a run whose process was killed stays
"started", and automation waits for it. So a run holds a lock while it works; the system releases it with the process.
Belongs here: that lock, and reporting. Does not belong here: asking again (`sensors`).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg

from bgb_assets.storage.layout import Layout
from bgb_assets.storage.leases import lease


@contextmanager
def at_work(layout: Layout, run_id: str) -> Iterator[None]:
    """Hold the lock of a run while its step works; a step that ends, however it ends, takes the file away."""
    path = _lock_path(layout, run_id)
    with lease(path):
        try:
            yield
        finally:
            # Before it is released: a file that nobody holds means a process that was killed.
            path.unlink(missing_ok=True)


def report_dead_runs(instance: dg.DagsterInstance, layout: Layout) -> list[str]:
    """Report as failed the runs whose process was killed while it worked; return their ids.

    A run without a lock file is left alone: it has not begun or has just ended, or works on another machine.
    """
    dead = []
    for run in instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])):
        path = _lock_path(layout, run.run_id)
        if path.exists() and not _is_held(path):
            instance.report_run_failed(run, "the run's process was killed; what it had committed is kept")
            path.unlink(missing_ok=True)
            dead.append(run.run_id)
    return dead


def _is_held(path: Path) -> bool:
    with lease(path, wait=False) as free:
        return not free


def _lock_path(layout: Layout, run_id: str) -> Path:
    return layout.state / "runs" / f"{run_id}.lock"
