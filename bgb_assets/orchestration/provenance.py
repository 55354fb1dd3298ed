"""The tags that say what a materialization was made from, as Dagster's own step output would set them.

The UI's staleness view and the automation compare them with what is current: the code version, and for each
upstream asset its data version and a pointer to the event that carried it. Belongs here: reading the upstream
events and composing the tags. Does not belong here: writing events (`reporting.py`, next in the flow).

Where upstream and downstream share their partitions, the tags name the upstream's *same partition*. Dagster's
own output handling names the newest event of any partition and a hash over all of the run's partitions.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import dagster as dg
from dagster._core.definitions.assets.graph.asset_graph import AssetNode
from dagster._core.definitions.data_version import (
    CODE_VERSION_TAG,
    DATA_VERSION_IS_USER_PROVIDED_TAG,
    DATA_VERSION_TAG,
    DEFAULT_DATA_VERSION,
    NULL_EVENT_POINTER,
    DataVersion,
    compute_logical_data_version,
    get_input_data_version_tag,
    get_input_event_pointer_tag,
)
from dagster._core.execution.context.system import StepExecutionContext


@dataclass(frozen=True)
class UpstreamEvent:
    """The newest event of one upstream asset (or of one partition of it).

    Attributes:
        data_version: What it said its content is.
        storage_id: Its id in the index; `None` where there is no event yet.
    """

    data_version: str
    storage_id: int | None


NEVER_MATERIALIZED = UpstreamEvent(DEFAULT_DATA_VERSION.value, None)


def with_provenance(
    step: StepExecutionContext, materializations: Sequence[dg.AssetMaterialization]
) -> list[dg.AssetMaterialization]:
    """Add provenance tags to materializations of one asset, with one look-up per upstream asset for all of them.

    Tags that a materialization has already are kept. An asset that is none of the job's is left as it is.
    """
    asset_key = materializations[0].asset_key
    if not step.job_def.asset_layer.has(asset_key):
        return list(materializations)
    node = step.job_def.asset_layer.get(asset_key)
    partitions = sorted({each.partition for each in materializations if each.partition is not None})
    upstream = {key: _upstream_events(step, node, key, partitions) for key in sorted(node.parent_keys)}
    code_version = node.code_version or step.dagster_run.run_id
    return [_tagged(each, code_version, upstream) for each in materializations]


def _tagged(
    materialization: dg.AssetMaterialization,
    code_version: str,
    upstream: Mapping[dg.AssetKey, Mapping[str | None, UpstreamEvent]],
) -> dg.AssetMaterialization:
    inputs = {
        key: events.get(materialization.partition, events.get(None, NEVER_MATERIALIZED))
        for key, events in upstream.items()
    }
    given = materialization.tags or {}
    tags = {CODE_VERSION_TAG: code_version}
    for key, event in inputs.items():
        tags[get_input_data_version_tag(key)] = event.data_version
        tags[get_input_event_pointer_tag(key)] = (
            NULL_EVENT_POINTER if event.storage_id is None else str(event.storage_id)
        )
    if DATA_VERSION_TAG in given:
        tags[DATA_VERSION_IS_USER_PROVIDED_TAG] = "true"
    else:
        versions = {key: DataVersion(event.data_version) for key, event in inputs.items()}
        tags[DATA_VERSION_TAG] = compute_logical_data_version(code_version, versions).value
    return materialization._replace(tags={**tags, **given})


def _upstream_events(
    step: StepExecutionContext, node: AssetNode, key: dg.AssetKey, partitions: Sequence[str]
) -> dict[str | None, UpstreamEvent]:
    """Return the newest upstream event per partition, or under `None` where the partitions are not shared."""
    parent = step.job_def.asset_layer.get(key)
    if node.partitions_def is None or parent.partitions_def != node.partitions_def or key == node.key:
        return {None: _newest_event(step, key)}
    events = step.instance.event_log_storage
    wanted = list(partitions)
    made = dg.DagsterEventType.ASSET_MATERIALIZATION
    tags = events.get_latest_tags_by_partition(key, made, [DATA_VERSION_TAG], asset_partitions=wanted)
    ids = events.get_latest_storage_id_by_partition(key, made, set(wanted)) if wanted else {}
    return {
        partition: UpstreamEvent(tags.get(partition, {}).get(DATA_VERSION_TAG, DEFAULT_DATA_VERSION.value), storage_id)
        for partition, storage_id in ids.items()
    }


def _newest_event(step: StepExecutionContext, key: dg.AssetKey) -> UpstreamEvent:
    info = step.maybe_fetch_and_get_input_asset_version_info(key)
    if info is None:
        return NEVER_MATERIALIZED
    version = info.data_version or DEFAULT_DATA_VERSION
    return UpstreamEvent(version.value, info.storage_id)
