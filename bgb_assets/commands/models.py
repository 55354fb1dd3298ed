"""`bgb generate`: what a trained model does for a person.

Belongs here: finding a model and calling its inference. Does not belong here: inference itself (modalities).
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from bgb_assets.engine.experiment import RUN_MARK
from bgb_assets.modalities.contract import FAN_IN_STAGES
from bgb_assets.runtime.errors import UsageError
from bgb_assets.runtime.settings import load_settings
from bgb_assets.storage.heads import heads_of
from bgb_assets.storage.layout import Layout

if TYPE_CHECKING:
    from bgb_assets.modalities.beatmap.generation.generate import Wish


def newest_model(name: str, variant: str | None = None) -> Path:
    """Return the directory of the newest trained model of a modality, or of one variant.

    A run of an experiment is only taken where it is named, `<variant>@<run>`: it may be a control.

    Raises:
        UsageError: None has been trained.
    """
    layout = Layout(load_settings().data_root)
    stage = FAN_IN_STAGES[-1]
    models = {head.partition("/")[2]: held for head, held in heads_of(layout, name).all().items() if "/" in head}
    heads = [held for of, held in models.items() if of == variant or (variant is None and RUN_MARK not in of)]
    if not heads:
        runs = sorted(of for of in models if RUN_MARK in of)
        hint = f"; or name a run of an experiment as variant: {runs[0]}" if runs else ""
        raise UsageError(f"{name}: no model has been trained; `bgb train {name}` trains one{hint}")
    newest = max(heads, key=lambda head: head.moved_s)
    return layout.entry(stage, name, newest.identity)


@dataclass(frozen=True)
class MapOptions:
    """What `bgb generate` was told, as it was typed.

    Attributes:
        difficulty: Names with commas between.
        characteristic: `Standard` and the like.
        nps: Notes per second.
        nps_curve: A file of bar,nps instead.
        bpm: A number, or `auto`.
        tempo_map: A file or a map instead.
        seed: Of all choices.
        temperature: See `pen.Sampling`, as the two that follow.
        top_p: See there.
        guidance: See there.
        repair: Turn notes that a hand could not play.
        version: `v2`, `v3` or `v4`.
        njs: Jump speed.
        lights: `none` or `simple`.
    """

    difficulty: str = "Expert"
    characteristic: str = "Standard"
    nps: float | None = None
    nps_curve: Path | None = None
    bpm: str = "auto"
    tempo_map: Path | None = None
    seed: int = 0
    temperature: float = 0.9
    top_p: float = 0.95
    guidance: float = 1.0
    repair: bool = True
    version: str = "v3"
    njs: float | None = None
    lights: str = "none"


def generate(song: Path, output: Path, model: Path | None, options: MapOptions, *, as_json: bool = False) -> None:
    """Write a map for a song."""
    if not song.is_file():
        raise UsageError(f"{song}: no such file; give an Ogg, WAV, FLAC or MP3 file")
    if options.nps is not None and options.nps_curve is not None:
        raise UsageError("--nps and --nps-curve exclude each other; give one of them")
    if options.bpm != "auto" and options.tempo_map is not None:
        raise UsageError("--bpm and --tempo-map exclude each other; give one of them")
    model = model or newest_model("beatmap")
    # Only now: it takes seconds to import.
    from bgb_assets.modalities.beatmap.generation.generate import generate as write_map

    report = write_map(song, model, _wish(options), output)
    if as_json:
        typer.echo(json.dumps(report.as_json(), indent=1))
        return
    for line in report.lines():
        typer.echo(line)


def _wish(options: MapOptions) -> "Wish":
    """Return what is asked of the map, its files read."""
    from bgb_assets.modalities.beatmap.generation.generate import Wish
    from bgb_assets.modalities.beatmap.generation.pace_file import read_pace_curve
    from bgb_assets.modalities.beatmap.generation.pen import Sampling
    from bgb_assets.modalities.beatmap.generation.tempo_file import read_tempo_file

    return Wish(
        difficulties=[name.strip() for name in options.difficulty.split(",") if name.strip()],
        characteristic=options.characteristic,
        nps=read_pace_curve(options.nps_curve) if options.nps_curve else options.nps,
        bpm=options.bpm,
        tempo=read_tempo_file(options.tempo_map) if options.tempo_map else None,
        seed=options.seed,
        sampling=Sampling(options.temperature, options.top_p, options.guidance),
        repair=options.repair,
        version=options.version,
        njs=options.njs,
        lights=options.lights,
    )
