"""Which runs an experiment has: every outer fold with every restart.

Each run trains on its whole outer training set and is tested once, on the scans of its fold. The first restart of all
folds comes before the second of any, so that a limit on time leaves every scan tested.

Belongs here: names and params of runs. Does not belong here: conducting them (`bgb_assets.engine.experiment`), testing
(`scoring`).
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bgb_assets.modalities.mri.learning.variants import TrainParams, run_of
from bgb_assets.runtime.errors import UsageError

CONTROL = "shuffled-labels"
"""Ends the name of a run whose masks changed places among its training scans."""


def planned(
    params: TrainParams, folds: int, restarts: int, dealt: int, *, shuffled_labels: bool = False
) -> dict[str, TrainParams]:
    """Return the runs by name, in the order they are made.

    Args:
        params: Of the variant.
        folds: Outer folds to test.
        restarts: Runs of each.
        dealt: Outer folds that the scans were dealt to.
        shuffled_labels: Make the controls instead.

    Raises:
        UsageError: There are not so many folds, or nothing is asked for.
    """
    if restarts < 1 or not 1 <= folds <= dealt:
        raise UsageError(
            f"expected 1 to {dealt} folds, as many as the scans were dealt to, and at least 1 restart, "
            f"got {folds} and {restarts}"
        )
    given = replace(params, shuffled_labels=shuffled_labels)
    runs = [run_of(given, fold, restart) for restart in range(restarts) for fold in range(folds)]
    return {name_of(run): run for run in runs}


def name_of(run: TrainParams) -> str:
    """Return the name of a run: `fold-0_restart-3`."""
    return f"fold-{run.outer_fold}_restart-{run.restart}" + (f"_{CONTROL}" if run.shuffled_labels else "")


def asked_now(params: TrainParams, held: Mapping[str, Any]) -> TrainParams:
    """Return the params that the run of a record would be given now, by its fold, restart and whether it is a control.

    Args:
        params: Of the variant.
        held: The run's params as JSON holds them.
    """
    run = run_of(params, int(held["outer_fold"]), int(held["restart"]))
    return replace(run, shuffled_labels=bool(held["shuffled_labels"]))
