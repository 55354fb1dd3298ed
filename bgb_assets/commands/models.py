"""`bgb generate`: what a trained model does for a person.

Belongs here: finding a model and calling its inference. Does not belong here: inference itself (modalities).
"""

from pathlib import Path

import typer

from bgb_assets.modalities.contract import FAN_IN_STAGES
from bgb_assets.runtime.errors import UsageError
from bgb_assets.runtime.settings import load_settings
from bgb_assets.storage.heads import heads_of
from bgb_assets.storage.layout import Layout


def newest_model(name: str, variant: str | None = None) -> Path:
    """Return the directory of the newest trained model of a modality, or of one variant.

    Raises:
        UsageError: None has been trained.
    """
    layout = Layout(load_settings().data_root)
    stage = FAN_IN_STAGES[-1]
    heads = {
        head_name: head
        for head_name, head in heads_of(layout, name).all().items()
        if head_name.startswith(f"{stage}/") and variant in (None, head_name.partition("/")[2])
    }
    if not heads:
        raise UsageError(f"{name}: no model has been trained; `bgb train {name}` trains one")
    newest = max(heads.values(), key=lambda head: head.moved_s)
    return layout.entry(stage, name, newest.identity)


def generate(
    song: Path,
    output: Path,
    difficulty: str,
    model: Path | None,
    *,
    nps: float | None,
    bpm: str,
    seed: int,
    version: str,
) -> None:
    """Write a map for a song."""
    if not song.is_file():
        raise UsageError(f"{song}: no such file; give an Ogg, WAV, FLAC or MP3 file")
    model = model or newest_model("beatmap")
    # Only now: it takes seconds to import.
    from bgb_assets.modalities.beatmap.generate import generate as write_map

    names = [name.strip() for name in difficulty.split(",") if name.strip()]
    report = write_map(song, model, names, out=output, bpm=bpm, nps=nps, seed=seed, version=version)
    for line in report.lines():
        typer.echo(line)
