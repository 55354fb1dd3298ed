"""`bgb ingest`, `materialize`, `train`, `synth`: bringing data in and assets up to date.

Belongs here: these verbs. Does not belong here: looking at the store (`store`), using models (`models`).
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import typer

from bgb_assets.commands.context import opened_chain, print_json
from bgb_assets.engine.ingest import Ingest, IngestReport
from bgb_assets.engine.summary import read_summary, summary_path
from bgb_assets.modalities.contract import STAGE_NAMES
from bgb_assets.modalities.registry import modality
from bgb_assets.runtime.errors import BgbError, TooManyQuarantined, UsageError
from bgb_assets.runtime.imports import resolve
from bgb_assets.runtime.settings import load_settings
from bgb_assets.storage.uploads import PRESENT


def ingest(name: str, source: Path | None, *, in_place: bool, dry_run: bool, confirm: bool, as_json: bool) -> None:
    """Take uploads in and make their partitions."""
    with opened_chain(name) as chain:
        work = Ingest(chain)
        if dry_run:
            _print_plan(work, source, as_json=as_json)
            return
        if source is not None and in_place:
            work.register_in_place(source)
        elif source is not None:
            work.copy_in(source)
        report = work.wait_and_apply(confirm_deletions=confirm)
        present = [record.key for record in chain.uploads.all() if record.state == PRESENT]
        _sync(name, present)
    if as_json:
        print_json(report.as_json())
    else:
        _print_report(name, report, len(present))


def _sync(name: str, present: Sequence[str]) -> None:
    from bgb_assets.orchestration.home import open_instance
    from bgb_assets.orchestration.partitions import sync_partitions

    with open_instance(load_settings()) as instance:
        sync_partitions(instance, name, present)


def _print_plan(work: Ingest, source: Path | None, *, as_json: bool) -> None:
    paths = work.would_copy(source) if source is not None else []
    plan = work.plan()
    value = {
        "copied": paths,
        "new": [sighting.key for sighting in plan.new],
        "changed": [sighting.key for sighting in plan.changed],
        "vanished": list(plan.vanished),
        "unsettled": list(plan.unsettled),
        "collided": plan.collided,
        "held": plan.held,
    }
    if as_json:
        print_json(value)
        return
    for word, found in value.items():
        if found:
            typer.echo(f"{word}: {found if isinstance(found, str) else ', '.join(found)}")


def _print_report(name: str, report: IngestReport, present: int) -> None:
    typer.echo(
        f"{name}: {present} uploads; {len(report.new)} new, {len(report.changed)} changed, "
        f"{len(report.touched)} touched without a change, {len(report.vanished)} gone"
    )
    for key, reason in sorted(report.unrecognised.items()):
        typer.echo(f"  not recognised, will be quarantined: {key}: {reason}")
    for key, paths in sorted(report.collided.items()):
        typer.echo(f"  refused: {key}: cannot be told apart: {', '.join(paths)}; rename all but one")
    for key in report.unsettled:
        typer.echo(f"  still growing, ingest again: {key}")
    if report.held:
        typer.echo(f"  nothing was deleted: {report.held}; `bgb ingest {name} --confirm-deletions` if that is meant")


def materialize(
    name: str,
    keys: list[str] | None,
    *,
    through: str,
    variant: str | None,
    force: bool,
    workers: int,
    as_json: bool = False,
    first: str = "raw",
) -> None:
    """Issue the runs that bring a modality's assets up to date, through a stage."""
    from bgb_assets.orchestration.home import open_instance
    from bgb_assets.orchestration.runs import Request, materialize, stages_through

    if through not in STAGE_NAMES:
        raise UsageError(f"no stage {through!r}; there are {', '.join(STAGE_NAMES)}")
    with opened_chain(name, workers=0) as chain:
        present = [record.key for record in chain.uploads.all() if record.state == PRESENT]
        if unknown := sorted(set(keys or ()) - set(present)):
            raise UsageError(
                f"no uploads {unknown}; `bgb status {name}` counts them, `bgb ingest {name}` takes them in"
            )
        if not present:
            raise UsageError(f"{name}: there are no uploads; `bgb ingest {name} SOURCE` takes some in")
        request = Request(stages_through(through, first), keys, variant, force, workers)
        with open_instance(chain.settings) as instance:
            for done in materialize(instance, chain.modality, present, request):
                if not done.success:
                    raise _error_of(done.error)
        last_run = dict(read_summary(summary_path(chain.store.layout, name)))
    if as_json:
        print_json(last_run)
    else:
        _print_last_run(name, last_run, request.stages)


def _error_of(text: str) -> BgbError:
    line = next((line.strip() for line in text.splitlines() if "errors." in line), text.strip().splitlines()[0])
    kind, _, message = line.partition(": ")
    return TooManyQuarantined(message) if kind.endswith("TooManyQuarantined") else BgbError(message or line)


def _print_last_run(name: str, last_run: dict[str, object], stages: Sequence[str]) -> None:
    for stage in stages:
        counts = last_run.get(stage)
        if isinstance(counts, dict):
            shown = ", ".join(
                f"{counts[word]} {word}" for word in ("built", "hit", "absent", "quarantined") if counts[word]
            )
            typer.echo(f"{name}/{stage}: {shown or 'nothing to do'}")


def train(name: str, variant: str | None, *, force: bool) -> None:
    """Train a model variant on what the uploads hold; prints where it lies."""
    materialize(name, None, through="model", variant=variant, force=force, workers=-1)
    from bgb_assets.commands.models import newest_model

    typer.echo(f"model: {newest_model(name, variant)}")


def synth(name: str, output: Path, count: int, seed: int) -> None:
    """Make synthetic uploads."""
    truth = resolve(modality(name).synth)(output, count, seed)
    sys.stdout.write(f"{len(truth)} synthetic {modality(name).upload_noun}s in {output}\n")
