"""Which entry a stage wants: params from code, file and overrides, facets from what it reads, one digest.

Belongs here: from a stage and its inputs to an identity. Does not belong here: whether that entry exists.
"""

import dataclasses
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import yaml

from bgb_assets.modalities.contract import UPLOAD, Modality, Stage, matches
from bgb_assets.runtime.errors import ConfigError, ContractError
from bgb_assets.runtime.settings import Settings, overlay
from bgb_assets.storage.identity import IdentityParts
from bgb_assets.storage.records import Record
from bgb_assets.storage.uploads import DELIVERED, UploadRecord

Overrides = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""Upload key -> stage -> param -> value."""


def configured(modality: Modality, settings: Settings) -> Modality:
    """Return the modality with the params of `config.toml` laid over its stages and variants.

    Raises:
        ConfigError: The file names a stage, variant or param that does not exist.
    """
    _require_tables(settings, (modality.name,), "stage", [stage.name for stage in modality.stages])
    _require_tables(settings, (modality.name, "model"), "variant", modality.variants)
    stages = tuple(
        dataclasses.replace(stage, params=settings.section(stage.params, modality.name, stage.name))
        if stage.name != "model"  # its table holds one table per variant
        else stage
        for stage in modality.stages
    )
    variants = {
        name: settings.section(params, modality.name, "model", name) for name, params in modality.variants.items()
    }
    return dataclasses.replace(modality, stages=stages, variants=variants)


def _require_tables(settings: Settings, path: tuple[str, ...], noun: str, known: Collection[str]) -> None:
    where = f"{settings.config_path}: [{'.'.join(path)}]"
    table: Any = settings.tables
    for name in path:
        table = table.get(name, {})
        if not isinstance(table, Mapping):
            raise ConfigError(f"{where}: must be a table, got {table!r}")
    if unknown := sorted(set(table) - set(known)):
        raise ConfigError(f"{where} has no {noun} {unknown!r}; it has {sorted(known)}")


def read_overrides(path: Path, modality: Modality) -> Overrides:
    """Read the per-upload settings of a modality; a missing file means none.

    Raises:
        ConfigError: The file is no mapping of upload -> stage -> param -> value, or a name or value is wrong.
    """
    if not path.is_file():
        return {}
    try:
        value = yaml.safe_load(path.read_text("utf-8")) or {}
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not valid YAML: {error}; mend the line") from error
    names = {stage.name for stage in modality.per_upload}
    for key, stages in value.items() if isinstance(value, dict) else [("", None)]:
        if not isinstance(stages, dict) or not set(stages) <= names:
            raise ConfigError(f"{path}: {key!r} must map stages of {sorted(names)} to params, got {stages!r}")
        for name, table in stages.items():
            if not isinstance(table, dict):
                raise ConfigError(f"{path}: {key!r}, {name}: must map params to values, got {table!r}")
            overlay(modality.stage(name).params, table, f"{path}: {key!r}, {name}")
    return {str(key): stages for key, stages in value.items()}


def for_upload(stage: Stage, key: str, overrides: Overrides) -> Stage:
    """Return the stage with one upload's own settings laid over its params."""
    table = overrides.get(key, {}).get(stage.name)
    if not table:
        return stage
    return dataclasses.replace(stage, params=overlay(stage.params, table, f"override of {key!r}, {stage.name}"))


def facets_read(stage: Stage, upload: UploadRecord, records: Mapping[str, Record]) -> dict[str, str]:
    """Return the facets that a per-upload stage declares, by name.

    Raises:
        ContractError: Two sources give one name different digests.
    """
    facets: dict[str, str] = {}
    for read in stage.reads:
        source = upload.all_facets if read.source == UPLOAD else records[read.source].facets
        for name, digest in source.items():
            # The bytes of an upload that nobody could read are all that tells it from another.
            read_here = matches(name, read.facets) or (read.source == UPLOAD and name == DELIVERED)
            if read_here and facets.setdefault(name, digest) != digest:
                raise ContractError(f"stage {stage.name!r} reads facet {name!r} from two sources that differ")
    return facets


def wanted(modality: str, stage: Stage, facets: Mapping[str, str]) -> IdentityParts:
    """Return the identity's parts of the entry a stage wants."""
    return IdentityParts(f"{stage.name}/{modality}", stage.code_version, stage.params, facets)
