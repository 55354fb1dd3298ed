"""Settings: where the data lie and what `config.toml` says, each value with its source.

Params come from code and one file, `<data root>/config.toml`. The environment is read here and nowhere
else. Belongs here: finding the data root, reading the file, laying a table over a frozen dataclass.
Does not belong here: the params themselves (beside their stages).
"""

import dataclasses
import math
import os
import tomllib
import types
import typing
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from bgb_assets.runtime.errors import ConfigError

CONFIG_NAME = "config.toml"
ROOT_VARIABLE = "BGB_DATA_ROOT"
FORCE_VARIABLE = "BGB_FORCE"
REBUILD_VARIABLE = "BGB_FORCE_{stage}_REBUILD"
_YES, _NO = ("1", "true", "yes"), ("", "0", "false", "no")
WORKSPACE_NAME = "workspace.yaml"
OWN_TABLES = ("run", "inbox", "freshness", "automation")
SOURCES_TABLE = "sources"
"""Holds a table per modality and source, of options that only the source knows: `[sources.beatmap.beatsaver]`."""

Params = TypeVar("Params")


@dataclass(frozen=True)
class RunSettings:
    """How work is run; never part of an identity. Table `[run]`.

    Attributes:
        workers: Processes; 0 means in this process, -1 means as many as there are usable cores.
        max_bytes_in_flight: Bound on the memory of uploads in work; 0 means half of what is free.
        quarantine_count: A run fails when more uploads than this are rejected ...
        quarantine_share: ... and more than this share of the run's uploads.
        min_free_bytes: A run does not start with less free disk.
    """

    workers: int = -1
    max_bytes_in_flight: int = 0
    quarantine_count: int = 10
    quarantine_share: float = 0.05
    min_free_bytes: int = 256 << 20


@dataclass(frozen=True)
class InboxSettings:
    """How inboxes are watched. Table `[inbox]`.

    Attributes:
        settle_s: A file that changed less than this many seconds ago is still growing.
        interval_s: Seconds between two looks of the sensor.
        max_ranges: Most runs that one look may ask for, per modality.
        vanish_count: More than this many uploads gone at once, and ...
        vanish_share: ... more than this share of them: nothing is deleted until confirmed.
    """

    settle_s: float = 2.0
    interval_s: int = 5
    max_ranges: int = 4
    vanish_count: int = 10
    vanish_share: float = 0.20


@dataclass(frozen=True)
class FreshnessSettings:
    """When assets count as overdue. Table `[freshness]`.

    Attributes:
        fail_window_s: Seconds after which an asset without a new confirmation fails; at least 60.
        warn_window_s: Seconds after which it warns; 0 for no warning.
    """

    fail_window_s: int = 7 * 24 * 3600
    warn_window_s: int = 0


@dataclass(frozen=True)
class AutomationSettings:
    """What runs without being asked for. Table `[automation]`.

    Attributes:
        enabled: Sensors and automation conditions run by default.
        auto_train: Models are trained too, not only asked for by hand.
    """

    enabled: bool = True
    auto_train: bool = False


@dataclass(frozen=True)
class Settings:
    """All that is configured.

    Attributes:
        data_root: Absolute path of the data root.
        root_source: Where the data root came from, in words.
        tables: `config.toml` as read.
        force: Rebuild although there is a hit (`BGB_FORCE=1`).
    """

    data_root: Path
    root_source: str
    tables: Mapping[str, Any] = field(default_factory=dict)
    force: bool = False

    @property
    def config_path(self) -> Path:
        """Return the path of the configuration file, which need not exist."""
        return self.data_root / CONFIG_NAME

    def section(self, defaults: Params, *path: str) -> Params:
        """Lay the table at `path` over a frozen dataclass.

        Raises:
            ConfigError: A key is unknown or a value has the wrong type.
        """
        table: Any = self.tables
        for name in path:
            table = table.get(name, {})
            if not isinstance(table, Mapping):
                raise ConfigError(f"{self.config_path}: [{'.'.join(path)}] must be a table, got {table!r}")
        return overlay(defaults, table, f"{self.config_path}: [{'.'.join(path)}]")

    def require_known(self, modalities: Collection[str]) -> None:
        """Check that every table of `config.toml` is of something that exists.

        Raises:
            ConfigError: One is not: a typing error would change nothing without a word.
        """
        known = sorted({*OWN_TABLES, SOURCES_TABLE, *modalities})
        if unknown := sorted(set(self.tables) - set(known)):
            raise ConfigError(f"{self.config_path}: unknown {unknown!r}; there are the tables {', '.join(known)}")


def load_settings(environ: Mapping[str, str] | None = None, start: Path | None = None) -> Settings:
    """Find the data root and read its configuration.

    The root is `BGB_DATA_ROOT`, else `data/` beside the nearest `workspace.yaml` upward from `start`.

    Raises:
        ConfigError: No root can be found, or the file is not TOML.
    """
    environ = os.environ if environ is None else environ
    root, source = _find_root(environ, start or Path.cwd())
    path = root / CONFIG_NAME
    tables: Mapping[str, Any] = {}
    if path.is_file():
        try:
            tables = tomllib.loads(path.read_text("utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path}: not valid TOML: {error}; mend the line") from error
    return Settings(root, source, tables, force=environ.get(FORCE_VARIABLE, "") not in ("", "0"))


def rebuild_asked(stage: str, environ: Mapping[str, str] | None = None) -> str:
    """Return what in the environment asks to rebuild one fan-in stage, `BGB_FORCE_MANIFEST_REBUILD=1`, or "".

    Looked up at each call: a process may live longer than the value it was started with.

    Raises:
        ConfigError: The value is neither yes nor no.
    """
    name = REBUILD_VARIABLE.format(stage=stage.upper())
    value = (os.environ if environ is None else environ).get(name, "")
    if value.lower() in _YES:
        return f"{name}={value}"
    if value.lower() not in _NO:
        raise ConfigError(f"{name}: expected one of {', '.join((*_YES, *_NO[1:]))}, got {value!r}")
    return ""


def _find_root(environ: Mapping[str, str], start: Path) -> tuple[Path, str]:
    if text := environ.get(ROOT_VARIABLE):
        return Path(text).absolute(), ROOT_VARIABLE
    for folder in (start.absolute(), *start.absolute().parents):
        if (folder / WORKSPACE_NAME).is_file():
            return folder / "data", f"beside {folder / WORKSPACE_NAME}"
    raise ConfigError(
        f"no data root: {ROOT_VARIABLE} is not set and no {WORKSPACE_NAME} lies in {start.absolute()} or above; "
        "change into the project's folder or set the variable"
    )


def overlay(defaults: Params, table: Mapping[str, Any], where: str) -> Params:
    """Return a frozen dataclass with the fields that `table` names replaced; nested dataclasses take nested tables.

    Raises:
        ConfigError: A key is unknown or a value has the wrong type.
    """
    if not table:
        return defaults
    if defaults is None:
        raise ConfigError(f"{where}: there is nothing to set here, got {sorted(table)!r}; remove them")
    hints = typing.get_type_hints(type(defaults))
    known = {item.name for item in dataclasses.fields(defaults)}  # type: ignore[arg-type]
    if unknown := sorted(set(table) - known):
        raise ConfigError(f"{where}: unknown {unknown!r}; it takes {', '.join(sorted(known))}")
    checked = {}
    for name, value in table.items():
        held = getattr(defaults, name)
        if dataclasses.is_dataclass(held) and isinstance(value, Mapping):
            checked[name] = overlay(held, value, f"{where} {name}")
        else:
            checked[name] = _checked(value, hints[name], f"{where} {name}")
    return dataclasses.replace(defaults, **checked)  # type: ignore[type-var]


def sources(defaults: Any, table: Mapping[str, Any], where: str) -> Iterator[tuple[str, Any, str]]:
    """Yield (field, value, where the value comes from) for `bgb config show`."""
    if defaults is None:
        return
    merged = overlay(defaults, table, where)
    for item in dataclasses.fields(defaults):
        yield item.name, getattr(merged, item.name), where if item.name in table else "default"


def _checked(value: Any, hint: Any, where: str) -> Any:
    origin = typing.get_origin(hint)
    if not _fits(value, hint):
        shown = hint.__name__ if isinstance(hint, type) and origin is None else hint
        raise ConfigError(f"{where}: must be {shown}, got {value!r}")
    if origin in (typing.Union, types.UnionType):
        return _checked(value, next(option for option in typing.get_args(hint) if _fits(value, option)), where)
    if origin is tuple:
        return tuple(_checked(item, inner, where) for item, inner in _items(value, hint))
    return float(value) if hint is float else value


def _fits(value: Any, hint: Any) -> bool:
    """Say whether a TOML or YAML value is of a type; whole numbers are floats, truth values are no numbers."""
    if hint is Any:
        return True
    origin, options = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return any(_fits(value, option) for option in options)
    if origin is typing.Literal:
        return any(type(value) is type(option) and value == option for option in options)
    if origin is tuple:
        whole = isinstance(value, list | tuple) and (options[-1] is ... or len(value) == len(options))
        return whole and all(_fits(item, inner) for item, inner in _items(value, hint))
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, origin or hint)


def _items(value: Sequence[Any], hint: Any) -> list[tuple[Any, Any]]:
    """Return (item, its type) for a tuple of one type or of a fixed length."""
    inner = typing.get_args(hint)
    return [(item, inner[0] if inner[-1] is ... else inner[i]) for i, item in enumerate(value)]
