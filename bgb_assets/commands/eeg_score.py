"""`bgb score eeg`: two folders of annotation files in, every scorer's figures out.

Belongs here: checking the arguments, and printing. Does not belong here: pairing (`modalities.eeg.scoring.folders`),
scoring (`modalities.eeg.scoring.evaluation`).
"""

from pathlib import Path
from typing import TYPE_CHECKING, get_args

import typer

from bgb_assets.commands.context import print_json
from bgb_assets.commands.tables import print_table
from bgb_assets.runtime.errors import UsageError

if TYPE_CHECKING:
    from bgb_assets.modalities.eeg.scoring.evaluation import Evaluation
    from bgb_assets.modalities.eeg.scoring.folders import Pairs


def score(reference: Path, hypothesis: Path, *, missing: str, resamples: int, seed: int, as_json: bool) -> None:
    """Print the figures of all recordings of two folders.

    Raises:
        UsageError: A folder does not exist, or an option cannot be read.
        BadInput: As `scoring.folders.pair_folders`.
    """
    from bgb_assets.modalities.eeg.scoring.evaluation import evaluate
    from bgb_assets.modalities.eeg.scoring.folders import Missing, pair_folders

    for option, folder in (("--ref", reference), ("--hyp", hypothesis)):
        if not folder.is_dir():
            raise UsageError(f"{option} {folder}: no such folder")
    if missing not in get_args(Missing):
        raise UsageError(f"--missing takes {' or '.join(get_args(Missing))}, got {missing!r}")
    if resamples < 1:
        raise UsageError(f"--resamples takes a number above 0, got {resamples!r}")
    pairs = pair_folders(reference, hypothesis, missing="empty" if missing == "empty" else "error")
    evaluation = evaluate(pairs.recordings, resamples=resamples, seed=seed)
    if as_json:
        lists = {"missing": pairs.missing, "unused": pairs.unused, "warnings": pairs.warnings}
        print_json({"reference": str(reference), "hypothesis": str(hypothesis), **evaluation.to_json(), **lists})
    else:
        _show(pairs, evaluation)


def _show(pairs: "Pairs", evaluation: "Evaluation") -> None:
    from bgb_assets.modalities.eeg.scoring.counts import COLUMNS

    hours = sum(one.duration_s for one in pairs.recordings) / 3600
    typer.echo(f"{evaluation.recordings} recordings of {len(evaluation.patients)} patients, {hours:.2f} h")
    counted = [[str(scorer), *map(_text, table.sum(0).tolist())] for scorer, table in evaluation.tables.items()]
    print_table(["counts", *COLUMNS], counted)
    found = [[metric.name, _text(one.value), _ends(one.low, one.high)] for metric, one in evaluation.scores.items()]
    print_table(["figure", "value", "95 % over patients"], found)
    for name in pairs.missing:
        typer.echo(f"no hypothesis, counted as no event: {name}")
    for name in pairs.unused:
        typer.echo(f"no reference, not scored: {name}")
    for warning in pairs.warnings:
        typer.echo(f"warning: {warning}")


def _ends(low: float | None, high: float | None) -> str:
    return "" if low is None else f"{_text(low)} to {_text(high)}"


def _text(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.0f}" if value == int(value) else f"{value:.4f}"
