"""`bgb experiment`: the runs of an experiment conducted and told one by one, for any modality.

Belongs here: the limit on time, printing. Does not belong here: which runs there are
(each modality's command), conducting them (`engine.experiment`).
"""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict

import typer

from bgb_assets.commands.context import print_json
from bgb_assets.engine.experiment import RunState
from bgb_assets.runtime.errors import TrainingError, UsageError


def seconds_of(limit_hours: float | None) -> float:
    """Return a limit in seconds, infinite where there is none.

    Raises:
        UsageError: It is no length of time.
    """
    if limit_hours is None:
        return math.inf
    if not limit_hours > 0:
        raise UsageError(f"--limit-hours takes a number above 0, got {limit_hours!r}")
    return limit_hours * 3600


def tell(runs: Iterable[RunState], count: int, again: str, *, as_json: bool) -> list[RunState]:
    """Print what becomes of each run as it is known, and what is left to do.

    Args:
        runs: The runs, being conducted.
        count: How many there are.
        again: The command that goes on.
        as_json: Print JSON, at the end.

    Raises:
        TrainingError: A run failed; raised after all others were tried.
    """
    found = []
    for number, run in enumerate(runs, 1):
        found.append(run)
        if not as_json:
            typer.echo(f"{number}/{count} {_line(run)}")
    counts = Counter(run.state for run in found)
    if as_json:
        print_json({"runs": [asdict(run) for run in found], "counts": counts})
    elif counts["stopped"] + counts["waiting"]:
        typer.echo(f"{counts['stopped'] + counts['waiting']} of {count} runs are left; `{again}` goes on from here")
    failed = [run for run in found if run.state == "failed"]
    if failed:
        raise TrainingError(f"{len(failed)} of {count} runs failed, first {failed[0].run}: {failed[0].problem}")
    return found


def _line(run: RunState) -> str:
    told = {
        "trained": f"trained in {run.seconds:.0f} s: {run.directory}",
        "current": f"is there: {run.directory}",
        "stopped": "stopped by the limit; its checkpoints are kept",
        "failed": f"failed: {run.problem}",
        "waiting": "waits: the limit came before it",
    }
    return f"{run.run} ({run.identity[:12]}) {told[run.state]}"
