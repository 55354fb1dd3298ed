"""`bgb`: thin commands over the same functions that the assets call. One grammar: `bgb VERB [MODALITY] [ARGS]`.

Belongs here: verbs, arguments and their help. Does not belong here: what a verb does (`bgb_assets.commands`,
imported inside each verb, so that `bgb --help` starts at once).
"""

import sys
from pathlib import Path
from typing import Annotated

import typer

from bgb_assets.verbs import beatmap, eeg, mri
from bgb_assets.verbs.groups import GROUPS

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Raw uploads in, trained models out, and nothing is ever computed twice.\n\n"
    "A first look: `bgb demo`. Your own files: `bgb ingest beatmap FOLDER`, then `bgb materialize beatmap`. "
    "The web UI with sensors and automation: `bgb ui`.",
)
cache_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="The stage store: what it takes, whether it is whole, making room.",
)
quarantine_app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Rejected uploads: why, what to do, trying again."
)
config_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Settings, each with where it comes from.")
app.add_typer(cache_app, name="cache")
app.add_typer(quarantine_app, name="quarantine")
app.add_typer(config_app, name="config")
for group in (name for name, verbs in GROUPS.items() if verbs.registered_commands):
    app.add_typer(GROUPS[group], name=group)
app.add_typer(beatmap.app)
app.add_typer(eeg.app)
app.add_typer(mri.app)

ModalityArgument = Annotated[str, typer.Argument(metavar="MODALITY", help="beatmap or eeg")]
OptionalModality = Annotated[str | None, typer.Argument(metavar="[MODALITY]", help="One modality; all where left out.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]


@app.command()
def ui(
    port: Annotated[int, typer.Option(help="Port of the web UI on this machine.")] = 3000,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
) -> None:
    """Start the web UI and the daemon (sensors, automation, queue) on the project's own instance."""
    from bgb_assets.commands import ui as command

    command.ui(host, port)


@app.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
def ingest(
    context: typer.Context,
    modality: ModalityArgument,
    source: Annotated[
        str | None,
        typer.Argument(help="A file or folder to take in, or a source: beatsaver:, official:GAME; none: the inbox."),
    ] = None,
    in_place: Annotated[
        bool, typer.Option("--in-place", help="Watch SOURCE where it lies instead of copying.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done.")] = False,
    confirm_deletions: Annotated[
        bool, typer.Option("--confirm-deletions", help="Believe that the vanished uploads are meant to be gone.")
    ] = False,
    limit: Annotated[int | None, typer.Option(help="Fetch at most so many from a source.")] = None,
    workers: Annotated[int, typer.Option(help="Fetches or readers at a time; 0: in this process.")] = -1,
    json: JsonOption = False,
) -> None:
    """Take uploads in: copy or fetch them, fingerprint them, make their partitions.

    For example: `bgb ingest beatmap ~/Downloads/maps`. A source takes options of its own after its name:
    `bgb ingest beatmap beatsaver: --max-maps 100`.
    """
    from bgb_assets.commands import data

    data.ingest(
        modality,
        source,
        context.args,
        in_place=in_place,
        dry_run=dry_run,
        confirm=confirm_deletions,
        limit=limit,
        workers=workers,
        as_json=json,
    )


@app.command()
def materialize(
    modality: ModalityArgument,
    keys: Annotated[list[str] | None, typer.Argument(help="Uploads; all where left out.")] = None,
    through: Annotated[
        str, typer.Option(help="Last stage: raw, cache, features, notes, manifest, tokens, model.")
    ] = "tokens",
    variant: Annotated[str | None, typer.Option(help="Model variant, with --through model.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Rebuild although nothing changed.")] = False,
    workers: Annotated[int, typer.Option(help="Processes; 0: in this one, -1: as configured.")] = -1,
    json: JsonOption = False,
) -> None:
    """Bring assets up to date, as the web UI would: only what really changed is computed."""
    from bgb_assets.commands import data

    data.materialize(modality, keys, through=through, variant=variant, force=force, workers=workers, as_json=json)


@app.command()
def train(
    modality: ModalityArgument,
    variant: Annotated[str | None, typer.Option(help="Model variant.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Train again although nothing changed.")] = False,
) -> None:
    """Train a model: brings manifest and tokens up to date first. Killed and run again, it goes on."""
    from bgb_assets.commands import data

    data.train(modality, variant, force=force)


@app.command()
def synth(
    modality: ModalityArgument,
    output: Annotated[Path, typer.Argument(help="Folder to write to.")],
    count: Annotated[int, typer.Option("--count", "-n", help="How many uploads.")] = 8,
    seed: Annotated[int, typer.Option(help="Same seed, same bytes.")] = 0,
) -> None:
    """Make synthetic uploads, marked as such, to try things out."""
    from bgb_assets.commands import data

    data.synth(modality, output, count, seed)


@app.command()
def status(modality: OptionalModality = None, json: JsonOption = False) -> None:
    """Say what is current, to do, rejected or held back, and what the last run did."""
    from bgb_assets.commands import store

    store.status(modality, as_json=json)


@app.command()
def show(
    modality: ModalityArgument,
    key: Annotated[str | None, typer.Argument(help="An upload; where left out, all are listed.")] = None,
    json: JsonOption = False,
) -> None:
    """Show one upload: where it came from and the directory of its entry at each stage."""
    from bgb_assets.commands import store

    store.show(modality, key, as_json=json)


@app.command()
def why(
    asset: Annotated[str, typer.Argument(metavar="ASSET", help="For example beatmap/features.")],
    key: Annotated[str | None, typer.Argument(help="An upload; for a model, a variant.")] = None,
    json: JsonOption = False,
) -> None:
    """Say which part of an identity makes an asset stale, or made its last change."""
    from bgb_assets.commands import store

    store.why(asset, key, as_json=json)


@app.command()
def remove(
    modality: ModalityArgument,
    key: Annotated[str, typer.Argument(help="An upload.")],
    purge: Annotated[
        bool, typer.Option("--purge", help="Delete its files and everything made from it, for good.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Take an upload out; with --purge erase it, compacted files and shards included."""
    from bgb_assets.commands import store

    store.remove(modality, key, purge=purge, yes=yes)


@app.command()
def report(
    modality: ModalityArgument,
    keys: Annotated[
        list[str] | None, typer.Argument(help="Uploads; the corpus and the first of them where left out.")
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to write to.")] = Path("report"),
    everything: Annotated[bool, typer.Option("--all", help="Draw all uploads, however many.")] = False,
    file: Annotated[
        Path | None, typer.Option("--map", "--file", help="Draw this file or folder instead, which no store knows.")
    ] = None,
) -> None:
    """Draw the corpus and its uploads: PNG pictures, light and dark, and one page that holds them all.

    For example: `bgb report beatmap --map my_map.zip`.
    """
    from bgb_assets.commands import report as command

    command.report(modality, keys, output, everything=everything, file=file)


@app.command()
def bench(
    modality: ModalityArgument,
    gate: Annotated[list[int] | None, typer.Option(help="Number of a gate, more than once for several; all.")] = None,
    small: Annotated[bool, typer.Option("--small", help="Only see that it runs; nothing is judged or stored.")] = False,
    json: JsonOption = False,
) -> None:
    """Measure speed and memory against named peers, and hold the results to their gates. Needs a quiet machine."""
    from bgb_assets.commands import bench as command

    command.bench(modality, gate or [], small=small, as_json=json)


@app.command()
def doctor(json: JsonOption = False) -> None:
    """Check this machine and installation, and say what to do about what is wrong."""
    from bgb_assets.commands import doctor as command

    command.doctor(as_json=json)


@cache_app.command("status")
def cache_status(json: JsonOption = False) -> None:
    """Say what each stage takes on disk, and how much of it nothing needs any more."""
    from bgb_assets.commands import store

    store.cache_status(as_json=json)


@cache_app.command("verify")
def cache_verify(modality: OptionalModality = None, json: JsonOption = False) -> None:
    """Read every byte and compare it with the records."""
    from bgb_assets.commands import store

    store.cache_verify(modality, as_json=json)


@cache_app.command("prune")
def cache_prune(
    budget: Annotated[str, typer.Option(help="What the store may take: 50GiB, 800MB.")], json: JsonOption = False
) -> None:
    """Make room: first what nothing needs, then cache bytes that can be made again."""
    from bgb_assets.commands import store

    store.cache_prune(budget, as_json=json)


@cache_app.command("rebuild")
def cache_rebuild() -> None:
    """Make the catalog anew from the records."""
    from bgb_assets.commands import store

    store.cache_rebuild()


@quarantine_app.command("list")
def quarantine_list(modality: OptionalModality = None, json: JsonOption = False) -> None:
    """List rejected uploads with reason and remedy."""
    from bgb_assets.commands import store

    store.quarantine_list(modality, as_json=json)


@quarantine_app.command("retry")
def quarantine_retry(
    modality: ModalityArgument,
    keys: Annotated[list[str] | None, typer.Argument(help="Uploads; all where left out.")] = None,
) -> None:
    """Forget rejections, so that the next run tries these uploads again."""
    from bgb_assets.commands import store

    store.quarantine_retry(modality, keys)


@config_app.command("show")
def config_show(modality: OptionalModality = None, json: JsonOption = False) -> None:
    """Show every setting with its value and where the value comes from."""
    from bgb_assets.commands import store

    store.config_show(modality, as_json=json)


def main() -> None:
    """Run the command line; errors of this project end in one line and exit code 1, 2 or 3."""
    from bgb_assets.runtime.errors import BgbError, ConfigError, TooManyQuarantined, UsageError

    try:
        app(prog_name="bgb")
    except BgbError as error:
        typer.echo(f"error: {error}", err=True)
        wrong_use = isinstance(error, UsageError | ConfigError)
        sys.exit(3 if isinstance(error, TooManyQuarantined) else 2 if wrong_use else 1)


if __name__ == "__main__":
    main()
