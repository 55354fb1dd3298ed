"""`bgb ingest MODALITY PREFIX:REST`: fetching uploads from a source.

Belongs here: reading the source's own options, printing what was fetched. Does not belong here: fetching
(`bgb_assets.engine.sources`), ingest from folders (`data`).
"""

from collections.abc import Iterator, Mapping, Sequence

import typer

from bgb_assets.commands.context import opened_chain, print_json, sync
from bgb_assets.engine.landing import SourceReport
from bgb_assets.engine.sources import SourceIngest
from bgb_assets.modalities.registry import modality
from bgb_assets.modalities.source_registry import configured_options, open_source, prefixes, split_source
from bgb_assets.runtime.errors import SourceError, UsageError
from bgb_assets.runtime.logs import heard

_STATES = (
    ("new", "new"),
    ("changed", "new version"),
    ("touched", "said otherwise"),
    ("returned", "back again"),
    ("gone", "gone"),
    ("held", "held"),
)
"""Field of a report and what people call it."""


def source_named(name: str, text: str, *, is_path: bool) -> tuple[str, str] | None:
    """Return (prefix, rest) if a SOURCE argument is to be fetched from, None if it is a path.

    Args:
        is_path: There is a file of that name, colon and all.

    Raises:
        UsageError: It has the form of a source, and there is neither that source nor that file.
    """
    parts = split_source(text)
    if parts is None:
        return None
    known = prefixes(modality(name).name)
    if parts[0] in known:
        return parts
    if is_path:
        return None
    listed = ", ".join(f"{prefix}:" for prefix in known) or "none"
    raise UsageError(f"{name}: no source {parts[0] + ':'!r} and no file {text!r}; the sources are: {listed}")


def options_of(words: Sequence[str]) -> dict[str, str]:
    """Return `{"max_maps": "10"}` for `--max-maps 10` and `--max-maps=10`.

    An option without a value, such as `--full`, is `true`.

    Raises:
        UsageError: A word is no option, or an option stands there twice.
    """
    options: dict[str, str] = {}
    for word, value in _pairs(words):
        name = word.removeprefix("--").replace("-", "_")
        if name in options:
            raise UsageError(f"{word} stands there twice; once is enough")
        options[name] = value
    return options


def _pairs(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    left = list(reversed(words))
    while left:
        word = left.pop()
        if not word.startswith("--") or word == "--":
            raise UsageError(f"unexpected {word!r}; a source's options are written --NAME VALUE, after the source")
        name, equals, value = word.partition("=")
        if not equals:
            value = "true" if not left or left[-1].startswith("--") else left.pop()
        yield name, value


def ingest_from(
    name: str,
    source: tuple[str, str],
    options: Mapping[str, str],
    *,
    limit: int | None,
    workers: int,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Fetch what a source has and is not held, and make the partitions.

    Raises:
        SourceError: The source could not be asked, or not to the end; what was fetched is kept.
    """
    prefix, rest = source
    if limit is not None and limit < 0:
        raise UsageError(f"--limit must be 0 or more, got {limit}")
    with opened_chain(name) as chain, heard("bgb_assets.modalities"):
        asked = {**configured_options(chain.settings, name, prefix), **options}
        work = SourceIngest(chain, prefix, open_source(name, prefix, rest, asked), workers=workers)
        if dry_run:
            report = work.preview(limit=limit)
        else:
            report = work.run(limit=limit, log=lambda line: typer.echo(line, err=True))
            sync(chain)
    if as_json:
        print_json(report.as_json())
    else:
        _print_report(f"{name}: from {prefix}{' (dry run)' if dry_run else ''}", report, each=dry_run)
    if report.incomplete is not None:
        raise SourceError(f"{name}: {report.incomplete}; what was fetched is kept, ingest again for the rest")


def _print_report(title: str, report: SourceReport, *, each: bool) -> None:
    counts = ", ".join(f"{len(getattr(report, field))} {word}" for field, word in _STATES if getattr(report, field))
    typer.echo(f"{title}: {counts or 'nothing'}")
    if each:
        for field, word in _STATES:
            for key in getattr(report, field):
                typer.echo(f"  {word}: {key}")
    for key, reason in sorted(report.refused.items()):
        typer.echo(f"  refused: {key}: {reason}")
    for key, reason in sorted(report.failed.items()):
        typer.echo(f"  not now, ingest again: {key}: {reason}")
    for key, reason in sorted(report.unrecognised.items()):
        typer.echo(f"  not recognised, will be quarantined: {key}: {reason}")
    if report.limited:
        typer.echo("  there is more: --limit was reached")
