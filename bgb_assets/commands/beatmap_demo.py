"""`bgb demo beatmap`: from the samples to a map that a model wrote.

Belongs here: the order of the steps and what is said. Does not belong here: the steps.
"""

from pathlib import Path

import typer

from bgb_assets.commands import data, models
from bgb_assets.commands.demo import GENERATED, learned, say_what_is_next
from bgb_assets.modalities.registry import modality
from bgb_assets.runtime.errors import UsageError
from bgb_assets.runtime.settings import load_settings

NAME = "beatmap"
MADE_SONGS = 12
NPS = 4.0
"""Notes per second asked for: what a human Expert map has; a short song ends before the pace settles."""


def demo() -> None:
    """Take the samples in, materialize everything, train, and use the model on a song."""
    data_root = load_settings().data_root
    samples = data_root / "samples" / NAME
    if not samples.is_dir():
        data.synth(NAME, samples, MADE_SONGS, 0)
    model = learned(NAME, samples, modality(NAME).default_variant)
    song = next((path for path in sorted(samples.rglob("*")) if path.suffix in (".egg", ".ogg", ".wav")), None)
    if song is None:
        raise UsageError(f"{samples}: no audio file to write a map for; restore the folder from the repository")
    output = data_root / GENERATED / song.parent.name
    typer.echo(f"writing a map for {song}")
    models.generate(song, output, model, models.MapOptions(nps=NPS, bpm=_bpm_of(song.parent)))
    typer.echo(f"map: {output}")
    say_what_is_next("song", NAME)


def _bpm_of(folder: Path) -> str:
    """Return the tempo that the sample states: a demo shows the map, not the tempo estimate."""
    import orjson

    info = next((path for path in folder.iterdir() if path.name.lower() == "info.dat"), None)
    if info is None:
        return "auto"
    return str(orjson.loads(info.read_bytes()).get("_beatsPerMinute", "auto"))
