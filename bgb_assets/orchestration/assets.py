"""From a `Modality` to its seven assets.

The four per-upload stages are one subsettable multi-asset: its single step takes the run's partitions and
lets each upload flow through the selected stages. Fan-in stages are plain assets. Belongs here: specs and the
short bodies that call the chain. Does not belong here: stages, stores (`chain`), when assets run (`automation`).
"""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import dagster as dg

from bgb_assets.chain import Chain
from bgb_assets.engine.fan_in import FanInRun
from bgb_assets.engine.outcomes import StageOutcome
from bgb_assets.engine.wanted import configured
from bgb_assets.modalities.contract import UPLOAD, Modality, Stage
from bgb_assets.orchestration.automation import condition, freshness_policy
from bgb_assets.orchestration.checks import upload_check_results, upload_check_specs
from bgb_assets.orchestration.liveness import at_work
from bgb_assets.orchestration.partitions import asset_key, upload_partitions
from bgb_assets.orchestration.pictures import WARNING, picture_metadata
from bgb_assets.orchestration.reporting import BatchReporter
from bgb_assets.orchestration.resources import ChainResource
from bgb_assets.runtime.errors import TooManyQuarantined
from bgb_assets.runtime.monitoring import Progress
from bgb_assets.runtime.settings import AutomationSettings, FreshnessSettings, Settings
from bgb_assets.storage.digests import as_plain, sha256_json
from bgb_assets.storage.leases import lease

DATA_VERSION_TAG = "dagster/data_version"
FORCE_TAG = "bgb/force"
OWNERS = ("team:bgb-assets",)


def build_assets(modality: Modality, settings: Settings) -> list[dg.AssetsDefinition | dg.AssetSpec]:
    """Return a modality's assets: the inbox, the four stages of uploads, manifest, tokens and model."""
    modality = configured(modality, settings)
    fan_ins = [_fan_in_asset(modality, stage, settings) for stage in modality.stages if stage.fan_in]
    return [_inbox_spec(modality), _upload_assets(modality, settings), *fan_ins]


def _upload_assets(modality: Modality, settings: Settings) -> dg.AssetsDefinition:
    @dg.multi_asset(
        name=f"{modality.name}_uploads",
        specs=[_spec(modality, stage, settings, skippable=True) for stage in modality.per_upload],
        partitions_def=upload_partitions(modality.name),
        check_specs=upload_check_specs(modality),
        can_subset=True,
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def uploads(context: dg.AssetExecutionContext, chain: ChainResource) -> Iterator[dg.AssetCheckResult]:
        selected = {key.path[-1] for key in context.selected_asset_keys}
        stages = [stage.name for stage in modality.per_upload if stage.name in selected]
        keys = list(context.partition_keys)
        with chain.chain(modality) as walking, at_work(walking.store.layout, context.run.run_id):
            try:
                with BatchReporter(context) as reporter, _progress(context, stages, keys) as progress:
                    for outcome in walking.run(keys, stages, force=is_forced(context)):
                        for item in outcome.stages.values():
                            reporter.add(materialization(modality.name, outcome.key, item))
                        progress.advance("unstable" if outcome.unstable else _worst(outcome.stages.values()))
            except TooManyQuarantined:
                yield from upload_check_results(walking, context.selected_asset_check_keys)
                raise
            yield from upload_check_results(walking, context.selected_asset_check_keys)

    return uploads


def _fan_in_asset(modality: Modality, stage: Stage, settings: Settings) -> dg.AssetsDefinition:
    is_model = stage.name == "model"

    @dg.multi_asset(
        name=f"{modality.name}_{stage.name}",
        specs=[_spec(modality, stage, settings, skippable=False)],
        partitions_def=dg.StaticPartitionsDefinition(list(modality.variants)) if is_model else None,
    )
    def fan_in(context: dg.AssetExecutionContext, chain: ChainResource) -> Iterator[dg.MaterializeResult[None]]:
        variant = context.partition_key if is_model else None
        with chain.chain(modality) as walking, _alone(walking, context.run.run_id, training=is_model):
            why = f"run tag {FORCE_TAG}={context.run.tags.get(FORCE_TAG)}"
            force = is_forced(context, f"{modality.name}/{stage.name}")
            outcome = FanInRun(walking, stage.name, variant).run(force=force, why=why)
            pictures = picture_metadata(walking, stage.name, variant)
        for warning in (*outcome.warnings, *([pictures[WARNING]] if WARNING in pictures else [])):
            context.log.warning(warning)
        yield dg.MaterializeResult(
            asset_key=asset_key(modality.name, stage.name),
            metadata={**pictures, **metadata_of(outcome)},
            data_version=dg.DataVersion(outcome.data_version),
        )

    return fan_in


@contextmanager
def _alone(chain: Chain, run_id: str, *, training: bool) -> Iterator[None]:
    """Say that the run is at work; let one run train at a time on this machine, whoever started it.

    A file lock, not a pool of Dagster's: in 1.13.27 a killed run keeps its slot of a pool, and without a daemon the
    next `dagster asset materialize` waits for it for ever.
    """
    layout = chain.store.layout
    with at_work(layout, run_id), lease(layout.state / "training.lock") if training else nullcontext():
        yield


def _spec(modality: Modality, stage: Stage, settings: Settings, *, skippable: bool) -> dg.AssetSpec:
    automation = settings.section(AutomationSettings(), "automation")
    freshness = settings.section(FreshnessSettings(), "freshness")
    return dg.AssetSpec(
        key=asset_key(modality.name, stage.name),
        deps=_deps(modality, stage),
        group_name=modality.name,
        description=stage.description,
        kinds=set(stage.kinds),
        owners=list(OWNERS),
        code_version=dagster_code_version(modality, stage),
        skippable=skippable,
        automation_condition=condition(modality.name, stage.name, automation),
        freshness_policy=freshness_policy(stage.name, freshness),
        tags={"bgb/modality": modality.name, "bgb/stage": stage.name},
        metadata={"function": stage.run, "params": dg.MetadataValue.json(_plain_params(modality, stage))},
    )


def _deps(modality: Modality, stage: Stage) -> list[dg.AssetKey]:
    sources = dict.fromkeys(read.source for read in stage.reads)
    deps = [asset_key(modality.name, source) for source in sources if source != UPLOAD]
    # Only a manifest follows deletions: an external asset says that an upload left the inbox.
    return [*deps, asset_key(modality.name, "inbox")] if stage.name == "manifest" else deps


def _inbox_spec(modality: Modality) -> dg.AssetSpec:
    return dg.AssetSpec(
        key=asset_key(modality.name, "inbox"),
        group_name=modality.name,
        description=f"The folder that is watched for {modality.upload_noun}s; changes when one is taken away.",
        kinds={"file"},
        owners=list(OWNERS),
    )


def dagster_code_version(modality: Modality, stage: Stage) -> str:
    """Return what Dagster compares: the stage's code version and params, so that both count as a change."""
    return f"{stage.code_version}-{sha256_json(_plain_params(modality, stage))[:8]}"


def _plain_params(modality: Modality, stage: Stage) -> Any:
    return as_plain(modality.variants if stage.name == "model" else stage.params)


def materialization(modality: str, key: str, outcome: StageOutcome) -> dg.AssetMaterialization:
    """Return the event for one upload at one stage: its own metadata and its own data version."""
    return dg.AssetMaterialization(
        asset_key=asset_key(modality, outcome.stage),
        partition=key,
        metadata=metadata_of(outcome),
        tags={DATA_VERSION_TAG: outcome.data_version},
    )


def metadata_of(outcome: StageOutcome) -> dict[str, Any]:
    """Return an outcome's metadata for the UI; nested values as JSON."""
    size = outcome.record.size_bytes if outcome.record is not None else 0
    seconds = round(outcome.seconds, 3)
    own = {"outcome": outcome.outcome, "identity": outcome.identity, "bytes": size, "seconds": seconds}
    if outcome.warnings:
        own["warnings"] = dg.MetadataValue.json(list(outcome.warnings))
    return {**{name: _metadata_value(value) for name, value in outcome.metadata.items()}, **own}


def is_forced(context: dg.AssetExecutionContext, asset: str | None = None) -> bool:
    """Say whether the run is tagged to rebuild although there are entries: all that it selects, or `asset` by name."""
    tag = context.run.tags.get(FORCE_TAG, "")
    return tag in ("1", "true", "yes") or (asset is not None and asset in tag.split(","))


def _metadata_value(value: Any) -> Any:
    if isinstance(value, dict | list | tuple):
        return dg.MetadataValue.json(value if isinstance(value, dict) else list(value))
    return dg.MetadataValue.null() if value is None else value


def _progress(context: dg.AssetExecutionContext, stages: list[str], keys: list[str]) -> Progress:
    return Progress(total=len(keys), label=", ".join(stages), log=context.log.info)


def _worst(outcomes: Any) -> str:
    names = {item.outcome for item in outcomes}
    return next((name for name in ("quarantined", "built", "absent", "hit") if name in names), "hit")
