"""`bgb splits mri`: the folds of all subjects, pinned, so that more scans move none of them.

Belongs here: bringing the manifest up to date, pinning, printing. Does not belong here: dealing
(`storage.nested_splits`), the files (`storage.split_files`).
"""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from bgb_assets.chain import Chain
from bgb_assets.commands.context import opened_chain, print_json
from bgb_assets.commands.tables import print_table
from bgb_assets.engine.fan_in import FanInRun
from bgb_assets.runtime.errors import UsageError
from bgb_assets.storage.heads import heads_of

if TYPE_CHECKING:
    from bgb_assets.storage.split_files import SplitFile

MODALITY = "mri"


def splits(redeal: str | None, *, as_json: bool) -> None:
    """Pin every subject to its folds and print them by stratum.

    Args:
        redeal: Name of a new split that deals all subjects afresh; None keeps the one in use.
        as_json: Print JSON.

    Raises:
        UsageError: The new name is taken, or no scan trains.
        ConfigError: Pinned folds were dealt with other params.
    """
    with opened_chain(MODALITY, workers=0) as chain:
        told = pin(chain, redeal)
    if as_json:
        print_json(told)
    else:
        _show(told)


def pin(chain: Chain, redeal: str | None = None) -> dict[str, Any]:
    """Bring the manifest up to date, pin its split, and return what it holds.

    Raises:
        UsageError: The new name is taken, or no scan trains.
        ConfigError: Pinned folds were dealt with other params.
    """
    from bgb_assets.storage.split_files import FOLDER, pin_split, read_split, start_new

    pins = chain.store.layout.pins(chain.modality.name)
    if redeal is not None:
        start_new(pins, redeal)
    made = _split_of(chain)
    if not read_split(made).groups:
        raise UsageError(f"{chain.modality.name}: no scan trains, so that there is nothing to deal; ingest scans first")
    lock = chain.store.layout.state / "pins" / f"{chain.modality.name}.splits.lock"
    changed = pin_split(made, pins, lock)
    # The pins are an input of the manifest: it has to know them.
    split = read_split(_split_of(chain))
    return {
        "name": split.name,
        "digest": split.digest,
        "file": str(pins / FOLDER / f"{split.name}.json"),
        "changed": changed,
        "done": list(split.notes),
        "folds": _folds(split),
    }


def _split_of(chain: Chain) -> Path:
    """Bring the manifest up to date and return its split file."""
    from bgb_assets.storage.manifest import read_counts

    FanInRun(chain, "manifest").run()
    head = heads_of(chain.store.layout, chain.modality.name).all()["manifest"]
    directory = chain.store.layout.entry("manifest", chain.modality.name, head.identity)
    return directory / str(read_counts(directory)["split"]["file"])


def _folds(split: "SplitFile") -> dict[str, dict[str, int]]:
    """Return outer fold -> stratum -> subjects that are there now."""
    counts = Counter((group.folds.outer, group.stratum) for group in split.groups.values() if group.members)
    strata = sorted({stratum for _, stratum in counts})
    return {str(fold): {stratum: counts[fold, stratum] for stratum in strata} for fold in range(split.outer)}


def _show(told: Mapping[str, Any]) -> None:
    strata = list(next(iter(told["folds"].values())))
    rows = [[stratum, *(str(held[stratum]) for held in told["folds"].values())] for stratum in strata]
    rows.append(["all", *(str(sum(held.values())) for held in told["folds"].values())])
    print_table(["subjects by stratum", *(f"fold {fold}" for fold in told["folds"])], rows)
    for sentence in told["done"]:
        typer.echo(sentence)
    state = "pinned now; commit it" if told["changed"] else "pinned already"
    typer.echo(f"split {told['name']!r} {told['digest'][:12]}, {state}: {told['file']}")
