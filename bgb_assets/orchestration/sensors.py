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
from dagster._core.execution.backfill import BulkActionsFilter, BulkActionStatus

from bgb_assets.chain import Chain
from bgb_assets.engine.ingest import Ingest
from bgb_assets.engine.landing import digest_of_said
from bgb_assets.modalities.contract import PER_UPLOAD_STAGES, Modality
from bgb_assets.orchestration.assets import DATA_VERSION_TAG
from bgb_assets.orchestration.checks import upload_check_evaluations
from bgb_assets.orchestration.liveness import report_dead_runs
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
ACTIVE = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
ASK_AGAIN_S = 30.0
"""An upload that was asked for and still has no outcome is asked for again, when no run is under way ..."""
LONGEST_PAUSE_S = 900.0
"""... after a pause that is four times as long each time, up to this: what fails for good must not fill the queue."""


Asked = list[Any]
"""The digest of the files that were asked for, when (seconds since 1970), and how many times."""


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
        for run_id in report_dead_runs(context.instance, chain.store.layout):
            context.log.warning(f"run {run_id}: its process was killed; its uploads are asked for again")
        for key, paths in report.collided.items():
            context.log.warning(f"refused {key!r}: {paths} cannot be told apart; rename all but one")
        for path, reason in report.refused.items():
            context.log.warning(f"refused {path!r}: {reason}")
        if report.held:
            context.log.warning(f"nothing is deleted: {report.held}")
        return look(context.instance, chain, context.cursor, ingest.settings.max_ranges, held_back=report.held)

    return uploads_sensor


def look(
    instance: dg.DagsterInstance, chain: Chain, cursor: str | None, max_ranges: int, held_back: str | None = None
) -> dg.SensorResult:
    """Return what the upload records ask for: partitions, ranged runs, and news of what is gone.

    Args:
        cursor: What the last look returned as its cursor.
        max_ranges: Most runs to ask for.
        held_back: Why nothing is deleted now, or None.
    """
    name = chain.modality.name
    records = list(chain.uploads.all())
    seen = _read_cursor(cursor)
    held = instance.get_dynamic_partitions(partitions_name(name))
    added, deleted = partition_changes(held, [record.key for record in records if record.state == PRESENT])
    if deleted and is_under_way(instance, name):
        deleted = []  # a run whose range begins or ends with a partition that is gone would fail
    wanted, asked = _to_ask(instance, name, records, seen["asked"])
    gone = _digest_of_gone(records, digest_of_said(chain.store.layout, name))
    news = (gone, held_back) != (seen["gone"], seen["held"])
    dropped = set(deleted)
    ordered = [*(key for key in held if key not in dropped), *added]
    requests = [_run_request(name, first, last) for first, last in ranges(ordered, wanted, max_ranges)]
    return dg.SensorResult(
        run_requests=requests,
        skip_reason=None if requests else f"nothing to ask for: {len(held)} {chain.modality.upload_noun}s are known",
        dynamic_partitions_requests=_partition_requests(name, added, deleted),
        asset_events=[
            *([inbox_event(name, gone)] if gone != seen["gone"] else []),
            *(upload_check_evaluations(chain) if news else []),
        ],
        cursor=json.dumps({"asked": asked, "gone": gone, "held": held_back}),
    )


def _to_ask(
    instance: dg.DagsterInstance, modality: str, records: Sequence[UploadRecord], asked: Mapping[str, Asked]
) -> tuple[set[str], dict[str, Asked]]:
    """Return the keys to ask for now, and what is asked for and still open."""
    pending = {r.key: sha256_json(r.files)[:16] for r in records if r.state == PRESENT and r.pending}
    now = time.time()
    still = {key: held for key, held in asked.items() if pending.get(key) == held[0]}
    late = {key for key, (_, at_s, times) in still.items() if now - at_s > pause_s(times)}
    if late and is_under_way(instance, modality):
        late = set()
    wanted = (set(pending) - set(still)) | late
    times_asked = {key: still[key][2] + 1 if key in still else 1 for key in wanted}
    return wanted, {**still, **{key: [pending[key], now, times_asked[key]] for key in wanted}}


def pause_s(times: int) -> float:
    """Return how long to wait before asking again for an upload that was asked for so many times."""
    return float(min(ASK_AGAIN_S * 4.0 ** min(times - 1, 8), LONGEST_PAUSE_S))


def is_under_way(instance: dg.DagsterInstance, modality: str) -> bool:
    """Say whether a run over a modality's uploads is queued or at work, or a backfill; whoever asked for it."""
    assets = {asset_key(modality, stage) for stage in PER_UPLOAD_STAGES}
    runs = instance.get_runs(dg.RunsFilter(statuses=ACTIVE))
    backfills = instance.get_backfills(BulkActionsFilter(statuses=[BulkActionStatus.REQUESTED]))
    return any(assets & set(run.asset_selection or ()) for run in runs) or any(
        assets & set(backfill.asset_selection or ()) for backfill in backfills
    )


def _digest_of_gone(records: Sequence[UploadRecord], said: str | None = None) -> str:
    """Return the digest of what a manifest cannot see in any stage: uploads that are gone, and what sources say."""
    gone = sorted(record.key for record in records if record.state != PRESENT)
    return sha256_json(gone if said is None else [gone, said])


def _partition_requests(
    modality: str, added: Sequence[str], deleted: Sequence[str]
) -> list[dg.AddDynamicPartitionsRequest | dg.DeleteDynamicPartitionsRequest]:
    partitions = upload_partitions(modality)
    requests: list[dg.AddDynamicPartitionsRequest | dg.DeleteDynamicPartitionsRequest] = []
    if added:
        requests.append(partitions.build_add_request(added))
    if deleted:
        requests.append(partitions.build_delete_request(deleted))
    return requests


def _run_request(modality: str, first: str, last: str) -> dg.RunRequest:
    return dg.RunRequest(
        asset_selection=[asset_key(modality, stage) for stage in PER_UPLOAD_STAGES],
        tags={RANGE_START_TAG: first, RANGE_END_TAG: last, MODALITY_TAG: modality},
    )


def inbox_event(modality: str, digest: str) -> dg.AssetMaterialization:
    """Return the event that tells a manifest that uploads are gone, or that sources say something else of them."""
    return dg.AssetMaterialization(asset_key(modality, "inbox"), tags={DATA_VERSION_TAG: digest})


def _read_cursor(text: str | None) -> dict[str, Any]:
    # What went before the first look counts as news too: it is compared with nothing gone.
    return {"asked": {}, "gone": _digest_of_gone(()), "held": None, **(json.loads(text) if text else {})}
