"""The upload sensor: watches inboxes, keeps partitions in line, asks for a few ranged runs.

A look opens no file of an upload: new and changed ones are registered without facets, and the run that is
asked for fingerprints them in its workers. Belongs here: from an ingest's plan to run requests.
Does not belong here: comparing folders with records (`storage.inbox`).
"""

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from bgb_assets.chain import Chain
from bgb_assets.engine.ingest import Ingest
from bgb_assets.modalities.contract import PER_UPLOAD_STAGES, Modality
from bgb_assets.orchestration.assets import DATA_VERSION_TAG
from bgb_assets.orchestration.partitions import (
    RANGE_END_TAG,
    RANGE_START_TAG,
    asset_key,
    partition_changes,
    partitions_name,
    ranges,
    upload_partitions,
)
from bgb_assets.runtime.executor import InProcessExecutor
from bgb_assets.runtime.settings import AutomationSettings, InboxSettings, Settings, load_settings
from bgb_assets.storage.digests import sha256_json
from bgb_assets.storage.uploads import PRESENT, UploadRecord

MODALITY_TAG = "bgb/modality"
ASK_AGAIN_S = 900.0
"""An upload that was asked for and still has no outcome is asked for again, when no run is under way."""


def build_sensors(modality: Modality, settings: Settings) -> list[dg.SensorDefinition]:
    """Return a modality's upload sensor and the sensor that evaluates its automation conditions."""
    automation = settings.section(AutomationSettings(), "automation")
    status = dg.DefaultSensorStatus.RUNNING if automation.enabled else dg.DefaultSensorStatus.STOPPED
    return [
        _uploads_sensor(modality, settings, status),
        dg.AutomationConditionSensorDefinition(
            f"{modality.name}_automation",
            target=dg.AssetSelection.groups(modality.name),
            default_status=status,
            minimum_interval_seconds=settings.section(InboxSettings(), "inbox").interval_s,
            run_tags={MODALITY_TAG: modality.name},
        ),
    ]


def _uploads_sensor(modality: Modality, settings: Settings, status: dg.DefaultSensorStatus) -> dg.SensorDefinition:
    @dg.sensor(
        name=f"{modality.name}_uploads_sensor",
        description=f"Asks for runs for new and changed {modality.upload_noun}s; notes the ones that are gone.",
        minimum_interval_seconds=settings.section(InboxSettings(), "inbox").interval_s,
        default_status=status,
        asset_selection=dg.AssetSelection.assets(*(asset_key(modality.name, name) for name in PER_UPLOAD_STAGES)),
    )
    def uploads_sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        chain = Chain(modality, load_settings(), InProcessExecutor())
        ingest = Ingest(chain)
        report = ingest.apply(fingerprint=False)
        for key, paths in report.collided.items():
            context.log.warning(f"refused {key!r}: {paths} cannot be told apart; rename all but one")
        if report.held:
            context.log.warning(f"nothing is deleted: {report.held}")
        return _look(context, chain, ingest.settings)

    return uploads_sensor


def _look(context: dg.SensorEvaluationContext, chain: Chain, settings: InboxSettings) -> dg.SensorResult:
    name = chain.modality.name
    records = list(chain.uploads.all())
    present = [record.key for record in records if record.state == PRESENT]
    held = context.instance.get_dynamic_partitions(partitions_name(name))
    added, deleted = partition_changes(held, present)
    cursor = _read_cursor(context.cursor)
    wanted, asked = _to_ask(context.instance, name, records, cursor["asked"])
    gone = sha256_json(sorted(record.key for record in records if record.state != PRESENT))
    ordered = [key for key in held if key not in set(deleted)] + added
    partitions = upload_partitions(name)
    requests = [
        *([partitions.build_add_request(added)] if added else []),
        *([partitions.build_delete_request(deleted)] if deleted else []),
    ]
    return dg.SensorResult(
        run_requests=[_run_request(name, first, last) for first, last in ranges(ordered, wanted, settings.max_ranges)],
        dynamic_partitions_requests=requests,
        asset_events=[_inbox_event(name, gone)] if gone != cursor["gone"] and cursor["gone"] is not None else [],
        cursor=json.dumps({"asked": asked, "gone": gone}),
    )


def _to_ask(
    instance: dg.DagsterInstance, modality: str, records: Sequence[UploadRecord], asked: Mapping[str, Any]
) -> tuple[set[str], dict[str, Any]]:
    """Return the keys to ask for now, and what is asked for and still open: key -> [signatures, time]."""
    pending = {r.key: sha256_json(r.files)[:16] for r in records if r.state == PRESENT and r.pending}
    now = time.time()
    late = {key for key, (digest, at_s) in asked.items() if pending.get(key) == digest and now - at_s > ASK_AGAIN_S}
    if late and _under_way(instance, modality):
        late = set()
    fresh = {key for key, digest in pending.items() if key not in asked or asked[key][0] != digest}
    wanted = fresh | late
    still = {key: asked[key] for key in pending if key in asked and key not in wanted}
    return wanted, {**still, **{key: [pending[key], now] for key in wanted}}


def _under_way(instance: dg.DagsterInstance, modality: str) -> bool:
    active = [dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED]
    return bool(instance.get_run_ids(dg.RunsFilter(statuses=active, tags={MODALITY_TAG: modality}), limit=1))


def _run_request(modality: str, first: str, last: str) -> dg.RunRequest:
    return dg.RunRequest(
        asset_selection=[asset_key(modality, stage) for stage in PER_UPLOAD_STAGES],
        tags={RANGE_START_TAG: first, RANGE_END_TAG: last, MODALITY_TAG: modality},
    )


def _inbox_event(modality: str, digest: str) -> dg.AssetMaterialization:
    return dg.AssetMaterialization(asset_key(modality, "inbox"), tags={DATA_VERSION_TAG: digest})


def _read_cursor(text: str | None) -> dict[str, Any]:
    return json.loads(text) if text else {"asked": {}, "gone": None}
