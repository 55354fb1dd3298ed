"""Verbs about songs and their maps.

Belongs here: arguments and their help. Does not belong here: what a verb does (`bgb_assets.commands`, imported inside
each verb).
"""

from pathlib import Path
from typing import Annotated

import typer

from bgb_assets.verbs import groups

app = typer.Typer()


@groups.demo.callback()
def demo(context: typer.Context) -> None:
    """Run the demo of beatmaps where no modality is named."""
    if context.invoked_subcommand is None:
        demo_beatmap()


@groups.demo.command("beatmap")
def demo_beatmap() -> None:
    """Run the whole chain on the samples that come with the project, to a trained model and a map that it wrote."""
    from bgb_assets.commands import beatmap_demo

    beatmap_demo.demo()


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
    characteristic: Annotated[str, typer.Option(help="Standard, OneSaber or NoArrows.")] = "Standard",
    nps: Annotated[float | None, typer.Option(help="Notes per second asked for.")] = None,
    nps_curve: Annotated[
        Path | None, typer.Option(help="CSV of bar,nps: notes per second from each bar on.", show_default=False)
    ] = None,
    bpm: Annotated[str, typer.Option(help="Beats per minute, or auto.")] = "auto",
    tempo_map: Annotated[
        Path | None,
        typer.Option(help="CSV of beat,bpm or of seconds,beat; JSON list of {beat, bpm}; or a map of the song."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Same seed, same map.")] = 0,
    temperature: Annotated[float, typer.Option(help="Below 1 prefers the likely, 0 takes the likeliest.")] = 0.9,
    top_p: Annotated[float, typer.Option(help="Only the likeliest tokens of so much probability.")] = 0.95,
    guidance: Annotated[
        float, typer.Option(help="Above 1 makes more of difficulty and pace, in twice the time.")
    ] = 1.0,
    repair: Annotated[bool, typer.Option(help="Turn notes that a hand could not play.")] = True,
    njs: Annotated[float | None, typer.Option(help="Jump speed; that of each difficulty where left out.")] = None,
    lights: Annotated[str, typer.Option(help="none, or simple: a show that follows beats and loudness.")] = "none",
    version: Annotated[str, typer.Option("--format", help="v2, v3 or v4.")] = "v3",
    json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
) -> None:
    """Write a Beat Saber map for a song with a trained model."""
    from bgb_assets.commands import models

    options = models.MapOptions(
        difficulty=difficulty,
        characteristic=characteristic,
        nps=nps,
        nps_curve=nps_curve,
        bpm=bpm,
        tempo_map=tempo_map,
        seed=seed,
        temperature=temperature,
        top_p=top_p,
        guidance=guidance,
        repair=repair,
        version=version,
        njs=njs,
        lights=lights,
    )
    models.generate(song, output, model, options, as_json=json)


@groups.evaluate.command("beatmap")
def evaluate_beatmap(
    map_path: Annotated[Path, typer.Argument(metavar="MAP", help="A map: its folder, or a zip.")],
    reference: Annotated[
        Path | None, typer.Option(help="Another map of the same song, compared difficulty by difficulty.")
    ] = None,
    audio: Annotated[Path | None, typer.Option(help="The song, where the map holds none, or another one.")] = None,
    nps: Annotated[float | None, typer.Option(help="Notes per second that were asked for.")] = None,
    seams: Annotated[
        str | None, typer.Option(help="Beats where the windows of a generated map meet, with commas: 40,80.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
) -> None:
    """Measure a map: pace, timing, playability, variety; alone, or against another map of its song."""
    from bgb_assets.commands import beatmap_evaluate

    beatmap_evaluate.evaluate(map_path, reference, audio, nps=nps, seams=seams, as_json=json)


@groups.inspect.command("beatmap")
def inspect_beatmap(
    map_path: Annotated[Path, typer.Argument(metavar="MAP", help="A map: its folder, or a zip.")],
    json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
) -> None:
    """Say what a map is: song, audio, tempo, files with their versions, difficulties; or why it cannot be read."""
    from bgb_assets.commands import beatmap_inspect

    beatmap_inspect.inspect(map_path, as_json=json)


@groups.convert.command("beatmap")
def convert_beatmap(
    map_path: Annotated[Path, typer.Argument(metavar="MAP", help="A map: its folder, or a zip.")],
    to: Annotated[str, typer.Option(help="v2, v3 or v4.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="A new folder, or a name ending in .zip.")],
    lossy: Annotated[
        bool, typer.Option("--lossy", help="Leave out what cannot be written, and count it, instead of refusing.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
) -> None:
    """Write a map in another version of the game's format; what does not come along is counted."""
    from bgb_assets.commands import beatmap_convert

    beatmap_convert.convert(map_path, to, output, lossy=lossy, as_json=json)


@groups.repair.command("beatmap")
def repair_beatmap(
    map_path: Annotated[Path, typer.Argument(metavar="MAP", help="A map: its folder, or a zip.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="A new folder, or a name ending in .zip.")],
    to: Annotated[
        str | None, typer.Option(help="v2, v3 or v4; where left out, all else stays as it is, file by file.")
    ] = None,
    lossy: Annotated[
        bool, typer.Option("--lossy", help="Leave out what cannot be written, and count it, instead of refusing.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
) -> None:
    """Write a map again, with the notes turned that no hand could cut; times, cells and colours stay."""
    from bgb_assets.commands import beatmap_convert

    beatmap_convert.repair(map_path, output, to, lossy=lossy, as_json=json)


@app.command()
def bpm(
    song: Annotated[Path, typer.Argument(help="An audio file: Ogg, WAV, FLAC or MP3.")],
    json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
) -> None:
    """Print the tempo of a song: beats per minute, how sure that is, the first beat, other candidates, and changes."""
    from bgb_assets.commands import beatmap_bpm

    beatmap_bpm.bpm(song, as_json=json)
