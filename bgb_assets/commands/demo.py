"""`bgb demo`: the whole chain on samples, so that a stranger with nothing but the clone sees it work.

Belongs here: the steps that every demo takes. Does not belong here: where a modality's samples come from and what its
model is used for (`beatmap_demo`, `eeg_demo`), the steps themselves (`data`, `engine`).
"""

from pathlib import Path

import typer

from bgb_assets.commands import data
from bgb_assets.commands.context import opened_chain
from bgb_assets.commands.models import newest_model
from bgb_assets.engine.ingest import Ingest

GENERATED = "generated"
"""Folder in the data root for what demos make."""


def learned(name: str, samples: Path, variant: str) -> Path:
    """Take samples in, bring every stage up to date and train; return the model's directory."""
    typer.echo(f"samples: {samples}")
    with opened_chain(name) as chain:
        Ingest(chain).copy_in(samples)
    data.ingest(name, None, in_place=False, dry_run=False, confirm=False, as_json=False)
    typer.echo("now every stage, and training: a few minutes on two cores; what is done already is not done again")
    data.train(name, variant, force=False)
    return newest_model(name, variant)


def say_what_is_next(noun: str, name: str) -> None:
    """Name the commands that a person may want now."""
    typer.echo(
        f"next: `bgb status` says what is there, `bgb ui` shows it, `bgb ingest {name} FOLDER` takes your {noun}s"
    )
