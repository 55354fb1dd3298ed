"""Runs from the command line: the same assets, events and partitions as from the web UI.

A partition range cannot include fan-in assets, nor two kinds of partitions in one run; so one request becomes
a few runs: ranges of uploads, then manifest and tokens, then one model variant.
Belongs here: issuing those runs in order. Does not belong here: what they do (`assets`).
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import dagster as dg

from bgb_assets.definitions import defs
from bgb_assets.modalities.contract import FAN_IN_STAGES, PER_UPLOAD_STAGES, STAGE_NAMES, Modality
from bgb_assets.orchestration.assets import FORCE_TAG
from bgb_assets.orchestration.home import is_batched
from bgb_assets.orchestration.partitions import (
    RANGE_END_TAG,
    RANGE_START_TAG,
    asset_key,
    partitions_name,
    ranges,
    sync_partitions,
)
from bgb_assets.orchestration.sensors import MODALITY_TAG

MAX_RANGES = 4
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Request:
    """What to materialize.

    Attributes:
        stages: The stages that are asked for, in order.
        keys: Some uploads, or None for all that are present.
        variant: Model variant.
    """

    stages: Sequence[str]
    keys: Sequence[str] | None = None
    variant: str | None = None
    force: bool = False
    workers: int = -1


@dataclass(frozen=True)
class RunDone:
    """One run that has ended."""

    run_id: str
    what: str
    success: bool
    error: str = ""


def stages_through(last: str, first: str = "raw") -> list[str]:
    """Return the stages from `first` through `last`."""
    return list(STAGE_NAMES[STAGE_NAMES.index(first) : STAGE_NAMES.index(last) + 1])


def materialize(
    instance: dg.DagsterInstance, modality: Modality, present: Sequence[str], request: Request
) -> Iterator[RunDone]:
    """Issue the runs that a request needs, one after the other; stops after the first that failed.

    Args:
        present: Keys of the uploads that exist: the instance's partitions are brought in line with them.
    """
    if not is_batched(instance):
        log.warning("this DAGSTER_HOME has a stock event log: everything is right, but slower; see the README")
    sync_partitions(instance, modality.name, present)
    for stages, tags, partition in _parts(instance, modality, present, request):
        done = _run(instance, modality, stages, {**tags, **_tags(modality, request)}, partition, request.workers)
        yield done
        if not done.success:
            return


def _parts(
    instance: dg.DagsterInstance, modality: Modality, present: Sequence[str], request: Request
) -> Iterator[tuple[list[str], Mapping[str, str], str | None]]:
    per_upload = [stage for stage in request.stages if stage in PER_UPLOAD_STAGES]
    if per_upload:
        ordered = instance.get_dynamic_partitions(partitions_name(modality.name))
        for first, last in ranges(ordered, request.keys or present, MAX_RANGES):
            yield per_upload, {RANGE_START_TAG: first, RANGE_END_TAG: last}, None
    fan_ins = [stage for stage in request.stages if stage in FAN_IN_STAGES and stage != "model"]
    if fan_ins:
        yield fan_ins, {}, None
    if "model" in request.stages:
        yield ["model"], {}, request.variant or modality.default_variant


def _tags(modality: Modality, request: Request) -> dict[str, str]:
    return {MODALITY_TAG: modality.name, **({FORCE_TAG: "1"} if request.force else {})}


def _run(
    instance: dg.DagsterInstance,
    modality: Modality,
    stages: Sequence[str],
    tags: Mapping[str, str],
    partition: str | None,
    workers: int,
) -> RunDone:
    keys = [asset_key(modality.name, stage) for stage in stages]
    job = defs.get_repository_def().get_implicit_job_def_for_assets(keys)
    assert job is not None  # for mypy: the keys of one part share their partitions
    result = job.execute_in_process(
        instance=instance,
        asset_selection=keys,
        tags=dict(tags),
        partition_key=partition,
        run_config={
            "resources": {"chain": {"config": {"workers": workers}}},
            "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
        },
        raise_on_error=False,
    )
    failures = [event for event in result.all_events if event.is_step_failure]
    error = failures[0].step_failure_data.error_display_string if failures else ""
    return RunDone(result.run_id, f"{modality.name}: {', '.join(stages)}", result.success, error)
