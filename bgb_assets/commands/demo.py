"""`bgb demo`: the whole chain on the samples, so that a stranger with nothing but the clone sees it work.

Belongs here: the order of the steps and what is said. Does not belong here: the steps.
"""

from pathlib import Path

import typer

from bgb_assets.commands import data, models
from bgb_assets.commands.context import opened_chain
from bgb_assets.engine.ingest import Ingest
from bgb_assets.modalities.registry import modality
from bgb_assets.runtime.errors import UsageError
from bgb_assets.runtime.settings import load_settings

DEMO_NPS = 4.0
"""Notes per second asked for: what a human Expert map has; a short song ends before the pace settles."""


def demo(name: str) -> None:
    """Take the samples in, materialize everything, train, and use the model on a song."""
    known = modality(name)
    settings = load_settings()
    samples = settings.data_root / "samples" / name
    if not samples.is_dir():
        samples = _made_samples(name, settings.data_root / "samples" / name)
    typer.echo(f"samples: {samples}")
    with opened_chain(name) as chain:
        Ingest(chain).copy_in(samples)
    data.ingest(name, None, in_place=False, dry_run=False, confirm=False, as_json=False)
    typer.echo("now every stage, and training: a few minutes on two cores; what is done already is not done again")
    data.train(name, known.default_variant, force=False)
    song = next((path for path in sorted(samples.rglob("*")) if path.suffix in (".egg", ".ogg", ".wav")), None)
    if song is None:
        raise UsageError(f"{samples}: no audio file to write a map for; restore the folder from the repository")
    output = settings.data_root / "generated" / song.parent.name
    typer.echo(f"writing a map for {song}")
    models.generate(song, output, None, models.MapOptions(nps=DEMO_NPS, bpm=_bpm_of(song.parent)))
    typer.echo(f"map: {output}")
    typer.echo("next: `bgb status` says what is there, `bgb ui` shows it, `bgb ingest beatmap FOLDER` takes your songs")


def _made_samples(name: str, folder: Path) -> Path:
    data.synth(name, folder, 12, 0)
    return folder


def _bpm_of(folder: Path) -> str:
    """Return the tempo that the sample states: a demo shows the map, not the tempo estimate."""
    import orjson

    info = next((path for path in folder.iterdir() if path.name.lower() == "info.dat"), None)
    if info is None:
        return "auto"
    return str(orjson.loads(info.read_bytes()).get("_beatsPerMinute", "auto"))
