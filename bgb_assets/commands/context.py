"""What every verb needs: settings, modalities, a chain; and how results are printed.

Belongs here: opening things for a command, and printing. Does not belong here: any verb.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import orjson
import typer

from bgb_assets.chain import Chain
from bgb_assets.engine.wanted import configured
from bgb_assets.modalities.contract import STAGE_NAMES
from bgb_assets.modalities.registry import NAMES, modalities, modality
from bgb_assets.modalities.source_registry import require_known_sources
from bgb_assets.runtime.errors import UsageError
from bgb_assets.runtime.executor_local import executor_for
from bgb_assets.runtime.settings import (
    AutomationSettings,
    FreshnessSettings,
    InboxSettings,
    RunSettings,
    Settings,
    load_settings,
)
from bgb_assets.storage.uploads import PRESENT

SECTIONS = {
    "run": RunSettings,
    "inbox": InboxSettings,
    "freshness": FreshnessSettings,
    "automation": AutomationSettings,
}
"""Table of `config.toml` -> what it may hold."""


@contextmanager
def opened_chain(name: str, *, workers: int | None = None) -> Iterator[Chain]:
    """Give the chain of a modality; its workers are stopped at the end.

    Args:
        workers: Processes, 0 for this one; as configured where None.
    """
    settings = known_settings()
    limits = settings.section(RunSettings(), "run")
    executor = executor_for(limits.workers if workers is None else workers, limits.max_bytes_in_flight)
    try:
        yield Chain(modality(name), settings, executor)
    finally:
        executor.close()


def known_settings() -> Settings:
    """Return the settings, all of them checked: a typing error in `config.toml` would change nothing without a word.

    Raises:
        ConfigError: A table or a key does not exist, or a value has the wrong type.
    """
    settings = load_settings()
    settings.require_known(NAMES)
    require_known_sources(settings, NAMES)
    for name, kind in SECTIONS.items():
        settings.section(kind(), name)
    for known in modalities():
        configured(known, settings)
    return settings


def sync(chain: Chain) -> int:
    """Make a modality's partitions those of the uploads that are present; return how many there are."""
    from bgb_assets.orchestration.home import open_instance
    from bgb_assets.orchestration.partitions import sync_partitions

    present = [record.key for record in chain.uploads.all() if record.state == PRESENT]
    with open_instance(load_settings()) as instance:
        sync_partitions(instance, chain.modality.name, present)
    return len(present)


def chosen(name: str | None) -> tuple[str, ...]:
    """Return the modality that was named, or all."""
    if name is None:
        return NAMES
    return (modality(name).name,)


def split_asset(asset: str) -> tuple[str, str]:
    """Return (modality, stage) of `beatmap/features`.

    Raises:
        UsageError: It is not of that form, or there is no such stage.
    """
    name, slash, stage = asset.partition("/")
    if not slash:
        raise UsageError(f"{asset!r} is no asset; write MODALITY/STAGE, for example beatmap/features")
    known = modality(name)
    if stage not in STAGE_NAMES:
        raise UsageError(f"{known.name}: no stage {stage!r}; there are {', '.join(STAGE_NAMES)}")
    return name, stage


def print_json(value: Any) -> None:
    """Print JSON with sorted keys."""
    typer.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS, default=str).decode())


def human_bytes(n: int) -> str:
    """Return a size for people: `1.5 GiB`."""
    value = float(n)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"
