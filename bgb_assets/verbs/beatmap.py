"""Verbs about songs and their maps.

Belongs here: arguments and their help. Does not belong here: what a verb does (`bgb_assets.commands`, imported inside
each verb).
"""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def generate(
    song: Annotated[Path, typer.Argument(help="An audio file: Ogg, WAV, FLAC or MP3.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder, or a name ending in .zip.")] = Path(
        "generated"
    ),
    difficulty: Annotated[
        str, typer.Option(help="One or more, with commas: Easy,Normal,Hard,Expert,ExpertPlus.")
    ] = "Expert",
    model: Annotated[Path | None, typer.Option(help="Model directory; the newest trained one where left out.")] = None,
    nps: Annotated[float | None, typer.Option(help="Notes per second asked for.")] = None,
    bpm: Annotated[str, typer.Option(help="Beats per minute, or auto.")] = "auto",
    seed: Annotated[int, typer.Option(help="Same seed, same map.")] = 0,
    version: Annotated[str, typer.Option("--format", help="v2, v3 or v4.")] = "v3",
) -> None:
    """Write a Beat Saber map for a song with a trained model."""
    from bgb_assets.commands import models

    models.generate(song, output, difficulty, model, nps=nps, bpm=bpm, seed=seed, version=version)
