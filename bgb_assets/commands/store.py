"""Verbs about the store: status, show, why, remove, cache, quarantine, config.

Belongs here: printing what the engine found. Does not belong here: finding it.
"""

import dataclasses
import re
import shutil
from collections.abc import Mapping
from typing import Any

import typer

from bgb_assets.chain import Chain
from bgb_assets.commands.context import (
    SECTIONS,
    chosen,
    human_bytes,
    known_settings,
    opened_chain,
    print_json,
    split_asset,
)
from bgb_assets.engine.explain import Explanation, why_fan_in, why_upload
from bgb_assets.engine.refusals import REMOVED, refusal_rows
from bgb_assets.engine.removal import remove_upload
from bgb_assets.engine.space import live_identities, orphaned_blobs, prune, verify
from bgb_assets.engine.status import status_of
from bgb_assets.modalities.contract import PER_UPLOAD_STAGES, STAGE_NAMES
from bgb_assets.modalities.registry import NAMES, modality
from bgb_assets.runtime.errors import StoreError, UsageError
from bgb_assets.runtime.settings import Settings, sources
from bgb_assets.storage.blobs import Blobs
from bgb_assets.storage.catalog import Catalog
from bgb_assets.storage.store import StageStore
from bgb_assets.storage.uploads import file_of

_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(?:([KMGT])(i?))?B?\s*", re.IGNORECASE)


def status(name: str | None, *, as_json: bool) -> None:
    """Print what is current, to do, rejected or held back."""
    found = {}
    for each in chosen(name):
        with opened_chain(each, workers=0) as chain:
            found[each] = status_of(chain)
    if as_json:
        print_json(found)
        return
    for value in found.values():
        _print_status(value)


def _print_status(value: Mapping[str, Any]) -> None:
    uploads = value["uploads"]
    typer.echo(
        f"{value['modality']}: {uploads['present']} uploads, {uploads['vanished']} gone; data in {value['data_root']}"
    )
    for stage in PER_UPLOAD_STAGES:
        counts = value["stages"][stage]
        typer.echo(
            f"  {stage:<10}{counts['current']:>7} current {counts['to_do']:>6} to do "
            f"{counts['quarantined']:>5} quarantined"
        )
    for stage, state in value["stages"].items():
        if "head" in state:
            typer.echo(f"  {stage:<18}{state['head'][:12]}")
    for row in value["quarantine"]:
        typer.echo(f"  quarantined: {row['key']}: {row['reason']}; {row['remedy']}")
    if value["held"]:
        typer.echo(f"  deletions held back: {value['held']}")
    for stage, counts in value["last_run"].items():
        shown = ", ".join(
            f"{counts[word]} {word}" for word in ("built", "hit", "absent", "quarantined") if counts[word]
        )
        typer.echo(f"  last run of {stage}: {shown}; {counts['called']} stage calls")


def show(name: str, key: str | None, *, as_json: bool) -> None:
    """Print one upload and the places of its entries; without a key, which uploads there are."""
    with opened_chain(name, workers=0) as chain:
        if key is None:
            _print_uploads(chain, as_json=as_json)
            return
        upload = chain.uploads.require(key)
        records = chain.records_of(upload)
        value: dict[str, Any] = {
            "key": upload.key,
            "state": upload.state,
            "source": upload.source,
            "origin": upload.origin,
            "files": [str(file_of(upload, file, chain.store.root)) for file in upload.files],
            "facets": dict(upload.facets),
            "problem": dataclasses.asdict(upload.problem) if upload.problem else None,
            "entries": {
                stage: {
                    "directory": str(chain.store.directory(record)),
                    "identity": record.identity,
                    "data_version": record.data_version,
                    "files": {file: output.bytes for file, output in record.outputs.items()},
                    "absent": record.absent,
                    "metadata": dict(record.metadata),
                    "warnings": list(record.warnings),
                }
                for stage, record in records.items()
            },
        }
    if as_json:
        print_json(value)
        return
    typer.echo(f"{name} {key}: {upload.state}, from {upload.source}" + (f", {upload.origin}" * bool(upload.origin)))
    if upload.problem is not None:
        typer.echo(f"  not recognised: {upload.problem.reason}; {upload.problem.remedy}")
    for stage, entry in value["entries"].items():
        typer.echo(f"  {stage:<9} {entry['directory']}" + (f"  (absent: {entry['absent']})" if entry["absent"] else ""))
        for warning in entry["warnings"]:
            typer.echo(f"            warning: {warning}")


def _print_uploads(chain: Chain, *, as_json: bool) -> None:
    rows = [{"key": upload.key, "state": upload.state, "source": upload.source} for upload in chain.uploads.all()]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        typer.echo(f"{row['key']}: {row['state']}, from {row['source']}")
    if not rows:
        typer.echo("none")


def why(asset: str, key: str | None, *, as_json: bool) -> None:
    """Print why an asset is stale, or what made its last change."""
    name, stage = split_asset(asset)
    with opened_chain(name, workers=0) as chain:
        if stage in PER_UPLOAD_STAGES:
            if key is None:
                raise UsageError(f"{asset} has one entry per {chain.modality.upload_noun}: `bgb why {asset} KEY`")
            found = why_upload(chain, stage, key)
        else:
            found = why_fan_in(chain, stage, key)
    if as_json:
        print_json(dataclasses.asdict(found))
    else:
        _print_explanation(found)


def _print_explanation(found: Explanation) -> None:
    typer.echo(f"{found.asset} {found.key}: {found.state}".replace(" :", ":"))
    for line in found.lines:
        typer.echo(f"  {line}")
    for line in found.details:
        typer.echo(f"    {line}")


def remove(name: str, key: str, *, purge: bool, yes: bool) -> None:
    """Take an upload out of the inbox and the records; with purge, erase all that was made from it."""
    with opened_chain(name, workers=0) as chain:
        upload = chain.uploads.require(key)
        if not yes:
            files = _what_goes(upload.source, fetched=upload.fetched)
            made = ", every entry made from it, and the compacted files that hold it" if purge else ""
            typer.confirm(f"Remove {name} {upload.key} ({files}{made})?", abort=True)
        report = remove_upload(chain, key, purge=purge)
    typer.echo(f"removed {name} {key}: {report.files} files, {report.entries} entries")
    if report.remade:
        typer.echo(f"  made again without it: {', '.join(report.remade)}")


def _what_goes(source: str, *, fetched: bool) -> str:
    if fetched:
        return f"its record; it is not fetched from {source} again"
    return "its files in the inbox" if source == "inbox" else "its record; the files stay where they lie"


def cache_status(*, as_json: bool) -> None:
    """Print what each stage takes, and how much of it is live."""
    settings = known_settings()
    store = StageStore(settings.data_root)
    catalog = Catalog(store.layout.catalog)
    live = live_identities(store, catalog, NAMES)
    orphans = [held.record for held in catalog.entries() if held.record.identity not in live]
    blobs = Blobs(store.layout).sizes()
    unheld = orphaned_blobs(store)
    value: dict[str, Any] = {
        "stages": {
            f"{name}/{stage}": {"entries": count, "bytes": size}
            for (name, stage), (count, size) in sorted(catalog.totals().items())
        },
        "orphans": {"entries": len(orphans), "bytes": sum(r.size_bytes for r in orphans if not r.evicted)},
        "blobs": {"files": len(blobs), "bytes": sum(blobs.values())},
        "orphaned_blobs": {"files": len(unheld), "bytes": sum(unheld.values())},
        "free_bytes": shutil.disk_usage(settings.data_root).free,
    }
    if as_json:
        print_json(value)
        return
    for stage, totals in value["stages"].items():
        typer.echo(f"{stage:<20}{totals['entries']:>8} entries {human_bytes(totals['bytes']):>12}")
    typer.echo(f"nothing needs {len(orphans)} of them: {human_bytes(value['orphans']['bytes'])}")
    if blobs:
        typer.echo(f"{'fetched':<20}{len(blobs):>8} files   {human_bytes(value['blobs']['bytes']):>12}")
        typer.echo(f"nothing needs {len(unheld)} of them: {human_bytes(value['orphaned_blobs']['bytes'])}")
    typer.echo(f"free: {human_bytes(value['free_bytes'])}")


def cache_verify(name: str | None, *, as_json: bool) -> None:
    """Compare every byte with the records.

    Raises:
        StoreError: Something differs.
    """
    report = verify(StageStore(known_settings().data_root), chosen(name))
    if as_json:
        print_json({"checked": report.checked, "problems": report.problems})
    else:
        typer.echo(f"{report.checked} entries, {len(report.problems)} with problems")
        for location, problems in report.problems.items():
            typer.echo(f"  {location}: {'; '.join(problems)}")
    if report.problems:
        raise StoreError(
            "delete the directories that are named and run again: they are made anew; "
            "files in raw/blobs are fetched again by the next ingest from their source"
        )


def cache_prune(budget: str, *, as_json: bool) -> None:
    """Make room within a budget.

    Raises:
        StoreError: The budget cannot be reached.
    """
    store = StageStore(known_settings().data_root)
    report = prune(store, Catalog(store.layout.catalog), NAMES, parse_bytes(budget))
    if as_json:
        print_json({**dataclasses.asdict(report), "reached": report.reached})
    else:
        typer.echo(
            f"{human_bytes(report.before_bytes)} -> {human_bytes(report.after_bytes)}: "
            f"{len(report.removed)} entries removed, {len(report.evicted)} emptied"
            + (f", {len(report.blobs)} fetched files removed" if report.blobs else "")
        )
    if not report.reached:
        raise StoreError(
            f"the budget of {human_bytes(report.budget_bytes)} cannot be reached: what is left is live; "
            "remove uploads or models, or raise the budget"
        )


def parse_bytes(text: str) -> int:
    """Return the bytes in `50GiB`, `800MB` or `1000`.

    Raises:
        UsageError: It is not a size.
    """
    match = _SIZE.fullmatch(text)
    if match is None:
        raise UsageError(f"{text!r} is no size; write 50GiB, 800MB or a number of bytes")
    number, prefix, binary = match.groups()
    power = "KMGT".index(prefix.upper()) + 1 if prefix else 0
    return int(float(number) * (1024 if binary else 1000) ** power)


def cache_rebuild() -> None:
    """Make the catalog anew."""
    store = StageStore(known_settings().data_root)
    count = Catalog(store.layout.catalog).rebuild(store, NAMES, STAGE_NAMES)
    typer.echo(f"{count} entries in the catalog")


def quarantine_list(name: str | None, *, as_json: bool) -> None:
    """Print the rejections."""
    rows = []
    for each in chosen(name):
        with opened_chain(each, workers=0) as chain:
            rows += [dataclasses.asdict(row) for row in (*chain.rejections(), *refusal_rows(chain.quarantine))]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        typer.echo(
            f"{row['modality']} {row['key']} ({row['kind']}, tried {row['attempts']}x): "
            f"{row['reason']}; {row['remedy']}"
        )
    if not rows:
        typer.echo("none")


def quarantine_retry(name: str, keys: list[str] | None) -> None:
    """Forget rejections."""
    with opened_chain(name, workers=0) as chain:
        every = (*chain.rejections(), *refusal_rows(chain.quarantine))
        # Without names only what failed: what a person removed comes back by name.
        rows = [row for row in every if (row.key in keys if keys else row.kind != REMOVED)]
        if unknown := sorted(set(keys or ()) - {row.key for row in rows}):
            raise UsageError(f"{name}: not in quarantine: {unknown}; `bgb quarantine list {name}` names what is")
        for row in rows:
            chain.quarantine.remove(row.identity)
        for key in {row.key for row in rows}:
            upload = chain.uploads.get(key)
            if upload is not None and upload.problem is not None:
                # Without facets the next run reads its files anew.
                chain.uploads.put(dataclasses.replace(upload, facets={}, problem=None))
    typer.echo(f"{len(rows)} forgotten; `bgb materialize {name}`, or the next ingest from their source, tries again")


def config_show(name: str | None, *, as_json: bool) -> None:
    """Print every setting with its source."""
    settings = known_settings()
    rows = [("data_root", str(settings.data_root), settings.root_source)]
    for section, kind in SECTIONS.items():
        rows += _rows(settings, kind(), section)
    for each in chosen(name):
        known = modality(each)
        for stage in known.stages:
            rows += _rows(settings, stage.params, each, stage.name)
        for variant, params in known.variants.items():
            rows += _rows(settings, params, each, "model", variant)
    if as_json:
        print_json([{"name": name, "value": value, "source": source} for name, value, source in rows])
        return
    for row in rows:
        typer.echo(f"{row[0]} = {row[1]!r}  ({row[2]})")


def _rows(settings: Settings, defaults: Any, *path: str) -> list[tuple[str, Any, str]]:
    if defaults is None:  # a stage without params; that of a model holds one table per variant
        return []
    table: Any = settings.tables
    for part in path:
        table = table.get(part, {})
    where = f"{settings.config_path}: [{'.'.join(path)}]"
    rows = []
    for field, value, source in sources(defaults, table, where):
        if dataclasses.is_dataclass(value):
            rows += _rows(settings, getattr(defaults, field), *path, field)
        else:
            rows.append((f"{'.'.join(path)}.{field}", value, source))
    return rows
