"""Verbs about EEG recordings and their seizures.

Belongs here: arguments and their help. Does not belong here: what a verb does (`bgb_assets.commands`, imported inside
each verb).
"""

from pathlib import Path
from typing import Annotated

import typer

from bgb_assets.verbs import groups

app = typer.Typer()


@groups.score.command("eeg")
def score_eeg(
    reference: Annotated[Path, typer.Option("--ref", help="Folder with what is true: .csv_bi or _events.tsv files.")],
    hypothesis: Annotated[Path, typer.Option("--hyp", help="Folder with what a detector wrote, named alike.")],
    missing: Annotated[
        str, typer.Option(help="A recording without a hypothesis: error, or empty, that is 'no event'.")
    ] = "error",
    resamples: Annotated[int, typer.Option(help="Bootstrap resamples of patients for the intervals.")] = 2_000,
    seed: Annotated[int, typer.Option(help="Same seed, same intervals.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
) -> None:
    """Score seizure annotations against others by SzCORE's and NEDC's rules, with intervals over patients."""
    from bgb_assets.commands import eeg_score

    eeg_score.score(reference, hypothesis, missing=missing, resamples=resamples, seed=seed, as_json=json)
