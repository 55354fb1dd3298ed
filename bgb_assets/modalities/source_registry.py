"""Which sources of uploads are installed: entry points of the group `bgb_assets.sources`, `<modality>:<prefix>`.

Belongs here: finding a source and reading its options. Does not belong here: what a source is (`sources`), fetching
from it (`bgb_assets.engine.sources`).
"""

import re
from collections.abc import Collection, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from bgb_assets.modalities.sources import Source
from bgb_assets.runtime.errors import ConfigError, UsageError
from bgb_assets.runtime.settings import SOURCES_TABLE, Settings

GROUP = "bgb_assets.sources"

# At least two letters: `C:` is a disk elsewhere.
_NAME = re.compile(r"(?P<prefix>[a-z][a-z0-9_-]+):(?P<rest>.*)", re.DOTALL)


def prefixes(modality: str) -> list[str]:
    """Return the prefixes of a modality's sources, sorted."""
    return sorted(_found(modality))


def split_source(text: str) -> tuple[str, str] | None:
    """Return (prefix, rest) of `beatsaver:https://...`, None for what has no such form."""
    match = _NAME.fullmatch(text)
    return (match["prefix"], match["rest"]) if match else None


def open_source(modality: str, prefix: str, rest: str, options: Mapping[str, str]) -> Source:
    """Make a source; it asks nobody yet.

    Raises:
        UsageError: There is no such source, or its own words are wrong.
    """
    found = _found(modality)
    if prefix not in found:
        listed = ", ".join(f"{name}:" for name in sorted(found)) or "none"
        raise UsageError(
            f"{modality}: no source {prefix + ':'!r} and no file {prefix + ':' + rest!r}; the sources are: {listed}"
        )
    made: Source = found[prefix].load()(rest, dict(options))
    return made


def configured_options(settings: Settings, modality: str, prefix: str) -> dict[str, str]:
    """Return a source's options in `config.toml`, written as the command line would have them.

    Raises:
        ConfigError: A table is none, or a value is neither text, number, truth value nor a list of those.
    """
    table: Any = settings.tables
    where = f"{settings.config_path}: [{SOURCES_TABLE}.{modality}.{prefix}]"
    for name in (SOURCES_TABLE, modality, prefix):
        table = table.get(name, {})
        if not isinstance(table, Mapping):
            raise ConfigError(f"{where}: must be a table, got {name} = {table!r}")
    return {name: _text(value, f"{where} {name}") for name, value in table.items()}


def require_known_sources(settings: Settings, modalities: Collection[str]) -> None:
    """Check that `[sources]` of `config.toml` names modalities that exist.

    Raises:
        ConfigError: It does not.
    """
    table = settings.tables.get(SOURCES_TABLE, {})
    unknown = sorted(set(table) - set(modalities)) if isinstance(table, Mapping) else [table]
    if unknown:
        where = f"{settings.config_path}: [{SOURCES_TABLE}]"
        raise ConfigError(f"{where}: unknown {unknown!r}; it holds a table per modality: {', '.join(modalities)}")


def _text(value: Any, where: str) -> str:
    if isinstance(value, list):
        return ",".join(_text(item, where) for item in value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int | float):
        return str(value)
    raise ConfigError(f"{where}: must be text, a number, true, false or a list of them, got {value!r}")


def _found(modality: str) -> dict[str, EntryPoint]:
    own = f"{modality}:"
    return {point.name.removeprefix(own): point for point in entry_points(group=GROUP) if point.name.startswith(own)}
