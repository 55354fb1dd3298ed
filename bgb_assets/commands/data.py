"""`bgb ingest`, `materialize`, `train`, `synth`: bringing data in and assets up to date.

Belongs here: these verbs. Does not belong here: looking at the store (`store`), using models (`models`).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from bgb_assets.chain import Chain
from bgb_assets.commands.context import opened_chain, print_json, sync
from bgb_assets.commands.sources import ingest_from, options_of, source_named
from bgb_assets.engine.ingest import Ingest, IngestReport
from bgb_assets.engine.summary import OUTCOMES, read_summary, summary_path
from bgb_assets.modalities.contract import STAGE_NAMES, Modality
from bgb_assets.modalities.registry import modality
from bgb_assets.runtime.errors import BgbError, ConfigError, TooManyQuarantined, UsageError
from bgb_assets.runtime.imports import resolve
from bgb_assets.storage.uploads import PRESENT

if TYPE_CHECKING:
    from bgb_assets.orchestration.runs import Request, RunDone

Counts = dict[str, dict[str, Any]]
"""Stage -> what the runs of one request did there."""

_OURS = re.compile(r"^bgb_assets\.runtime\.errors\.(\w+): (.*)$", re.MULTILINE)
_EXIT_KINDS = {kind.__name__: kind for kind in (TooManyQuarantined, UsageError, ConfigError)}
_PLANNED = {"to_copy": "to be copied", "to_watch": "to be watched where they lie"}


def ingest(
    name: str,
    source: str | None,
    words: Sequence[str] = (),
    *,
    in_place: bool,
    dry_run: bool,
    confirm: bool,
    limit: int | None = None,
    workers: int = -1,
    as_json: bool,
) -> None:
    """Take uploads in, from a source, a path or the inbox, and make their partitions.

    Args:
        words: What the command line does not know: options of a source.
    """
    if source is not None and source.startswith("-"):
        raise UsageError(f"no option {source!r}; `bgb ingest --help` names those there are, a source's own follow it")
    named = None if source is None else source_named(name, source, is_path=Path(source).exists())
    if named is None:
        if words or limit is not None:
            raise UsageError(f"{' '.join(words) or '--limit'}: only where a source is fetched from; a path takes none")
        path = None if source is None else Path(source)
        _ingest_path(name, path, in_place=in_place, dry_run=dry_run, confirm=confirm, workers=workers, as_json=as_json)
        return
    if in_place or confirm:
        raise UsageError(f"{'--in-place' if in_place else '--confirm-deletions'} is about folders, not about {source}")
    ingest_from(name, named, options_of(words), limit=limit, workers=workers, dry_run=dry_run, as_json=as_json)


def _ingest_path(
    name: str, path: Path | None, *, in_place: bool, dry_run: bool, confirm: bool, workers: int, as_json: bool
) -> None:
    with opened_chain(name, workers=None if workers < 0 else workers) as chain:
        work = Ingest(chain)
        if dry_run:
            _print_plan(work, path, in_place=in_place, as_json=as_json)
            return
        if path is not None and in_place:
            work.register_in_place(path)
        elif path is not None:
            copied = work.copy_in(path)
            if path.is_file() and len(copied) > 1 and not as_json:
                typer.echo(f"taken in together: {', '.join(copied)}")
        report = work.wait_and_apply(confirm_deletions=confirm)
        present = sync(chain)
    if as_json:
        print_json(report.as_json())
    else:
        _print_report(name, report, present)


def _print_plan(work: Ingest, source: Path | None, *, in_place: bool, as_json: bool) -> None:
    paths = work.would_copy(source) if source is not None else []
    plan = work.plan()
    value = {
        "to_watch" if in_place else "to_copy": paths,
        "new": [sighting.key for sighting in plan.new],
        "changed": [sighting.key for sighting in plan.changed],
        "vanished": list(plan.vanished),
        "unsettled": list(plan.unsettled),
        "collided": plan.collided,
        "refused": plan.refused,
        "held": plan.held,
    }
    if as_json:
        print_json(value)
        return
    for word, found in value.items():
        if found:
            typer.echo(f"{_PLANNED.get(word, word)}: {found if isinstance(found, str) else ', '.join(found)}")
    if not any(value.values()):
        typer.echo("nothing to do")


def _print_report(name: str, report: IngestReport, present: int) -> None:
    typer.echo(
        f"{name}: {present} uploads; {len(report.new)} new, {len(report.changed)} changed, "
        f"{len(report.touched)} touched without a change, {len(report.vanished)} gone"
    )
    for key, reason in sorted(report.unrecognised.items()):
        typer.echo(f"  not recognised, will be quarantined: {key}: {reason}")
    for path, reason in sorted(report.refused.items()):
        typer.echo(f"  refused: {path}: {reason}")
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
) -> None:
    """Issue the runs that bring a modality's assets up to date, through a stage.

    Raises:
        UsageError: There is no such stage, variant or upload.
        TooManyQuarantined: More uploads were rejected than allowed.
        BgbError: A run failed for another reason.
    """
    from bgb_assets.orchestration.runs import Request, stages_through

    _check_request(modality(name), through, variant)
    request = Request(stages_through(through), keys or None, variant, force, workers)
    counts: Counts = {}
    failed: BgbError | None = None
    with opened_chain(name, workers=0) as chain:
        before = _last_run(chain)
        for done in _runs(chain, _present(chain, keys), request):
            after = _last_run(chain)
            _add_counts(counts, {stage: run for stage, run in after.items() if run != before.get(stage)})
            before = after
            failed = None if done.success else error_of(done)
    if as_json:
        print_json(counts)
    else:
        _print_counts(name, counts, request.stages)
    if failed is not None:
        raise failed


def _check_request(known: Modality, through: str, variant: str | None) -> None:
    if through not in STAGE_NAMES:
        raise UsageError(f"no stage {through!r}; there are {', '.join(STAGE_NAMES)}")
    if variant is not None and variant not in known.variants:
        raise UsageError(f"{known.name}: no variant {variant!r}; there are {', '.join(known.variants)}")
    if variant is not None and through != "model":
        raise UsageError(f"--variant is of a model: add `--through model`, or use `bgb train {known.name}`")


def _present(chain: Chain, keys: Sequence[str] | None) -> list[str]:
    name = chain.modality.name
    present = [record.key for record in chain.uploads.all() if record.state == PRESENT]
    if not present:
        raise UsageError(f"{name}: there are no uploads; `bgb ingest {name} SOURCE` takes some in")
    if unknown := sorted(set(keys or ()) - set(present)):
        raise UsageError(f"no uploads {unknown}; `bgb show {name}` lists them, `bgb ingest {name}` takes them in")
    return present


def _runs(chain: Chain, present: Sequence[str], request: "Request") -> Iterator["RunDone"]:
    from bgb_assets.orchestration.home import open_instance
    from bgb_assets.orchestration.runs import materialize

    with open_instance(chain.settings) as instance:
        yield from materialize(instance, chain.modality, present, request)


def _last_run(chain: Chain) -> Mapping[str, Mapping[str, Any]]:
    return read_summary(summary_path(chain.store.layout, chain.modality.name))


def _add_counts(counts: Counts, run: Mapping[str, Mapping[str, Any]]) -> None:
    """Add what a run did to what the runs before it did: one request may need several ranges."""
    for stage, done in run.items():
        held = counts.setdefault(stage, dict.fromkeys((*OUTCOMES, "called", "seconds"), 0))
        counts[stage] = {word: held[word] + done[word] for word in held}


def error_of(done: "RunDone") -> BgbError:
    """Return the error of this project that failed a run, or one that quotes the first line of another."""
    ours = _OURS.search(done.error)
    if ours is not None:
        return _EXIT_KINDS.get(ours[1], BgbError)(f"{ours[2]} (run {done.run_id})")
    # Each exception's text, then its stack: the cause is the last line before the first stack.
    lines = [line.strip() for line in done.error.partition("Stack Trace:")[0].splitlines() if line.strip()]
    said = lines[-1] if lines else "no step failed"
    return BgbError(f"run {done.run_id} failed: {said}; `bgb ui` shows its log")


def _print_counts(name: str, counts: Counts, stages: Sequence[str]) -> None:
    for stage in stages:
        if stage in counts:
            shown = ", ".join(f"{counts[stage][word]} {word}" for word in OUTCOMES if counts[stage][word])
            typer.echo(f"{name}/{stage}: {shown or 'nothing to do'}")


def train(name: str, variant: str | None, *, force: bool) -> None:
    """Train a model variant on what the uploads hold; prints where it lies."""
    materialize(name, None, through="model", variant=variant, force=force, workers=-1)
    from bgb_assets.commands.models import newest_model

    typer.echo(f"model: {newest_model(name, variant)}")


def synth(name: str, output: Path, count: int, seed: int) -> None:
    """Make synthetic uploads."""
    resolve(modality(name).synth)(output, count, seed)
    typer.echo(f"{count} synthetic {modality(name).upload_noun}s in {output}")
