"""Materializations reported from inside a step: each its own, in batches, in time, and in the right order."""

import inspect
from importlib.metadata import version
from types import SimpleNamespace

import dagster as dg
import pytest
from dagster._core.events import DagsterEventBatchMetadata
from dagster._core.execution.context.system import StepExecutionContext
from dagster._core.instance.methods.event_methods import EventMethods
from dagster._core.storage.event_log import SqliteEventLogStorage

from bgb_assets.orchestration import reporting
from bgb_assets.orchestration.reporting import BatchReporter, report_materializations
from bgb_assets_tests.orchestration import event_scenario
from bgb_assets_tests.orchestration.event_scenario import NOTES, RAW, range_tags

UPLOADS = [f"upload_{i}" for i in range(5)]


@pytest.fixture
def instance(tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", str(event_scenario.make_home(tmp_path / "home")))
    with dg.DagsterInstance.get() as instance:
        instance.add_dynamic_partitions(event_scenario.UPLOADS.name, UPLOADS)
        yield instance


def run_body(instance, body, **options):
    """Execute `body(context)` as the step of raw and notes over all uploads."""

    @dg.multi_asset(
        specs=[
            dg.AssetSpec(RAW, skippable=True, partitions_def=event_scenario.UPLOADS),
            dg.AssetSpec(NOTES, deps=[RAW], skippable=True, partitions_def=event_scenario.UPLOADS),
        ],
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def songs(context: dg.AssetExecutionContext):
        body(context)
        yield from ()

    return dg.materialize([songs], instance=instance, tags=range_tags(UPLOADS[0], UPLOADS[-1]), **options)


def made(upload, key=RAW, **fields):
    return dg.AssetMaterialization(key, partition=upload, **fields)


def stored(instance, key=RAW):
    records = instance.fetch_materializations(key, limit=100, ascending=True).records
    return [record.asset_materialization for record in records]


def test_each_keeps_its_own_metadata_partition_and_version(instance):
    each = [
        made(upload, metadata={"rows": i}, description=f"song {i}", tags={"dagster/data_version": f"v{i}", "mine": "1"})
        for i, upload in enumerate(UPLOADS)
    ]
    result = run_body(instance, lambda context: report_materializations(context, each))
    assert result.success
    assert [
        (m.partition, m.metadata["rows"].value, m.description, m.tags["dagster/data_version"], m.tags["mine"])
        for m in stored(instance)
    ] == [(upload, i, f"song {i}", f"v{i}", "1") for i, upload in enumerate(UPLOADS)]


def test_reports_an_iterable_of_any_length_and_counts_it(instance):
    counts = []

    def body(context):
        counts.append(report_materializations(context, []))
        counts.append(report_materializations(context, (made(upload) for upload in UPLOADS), batch_size=2))

    assert run_body(instance, body).success
    assert counts == [0, 5]
    assert [m.partition for m in stored(instance)] == UPLOADS


def test_is_held_back_until_the_batch_is_full(instance):
    seen = []

    def body(context):
        with BatchReporter(context, batch_size=3, max_age_s=3_600) as reporter:
            for upload in UPLOADS:
                reporter.add(made(upload))
                seen.append(len(stored(instance)))

    assert run_body(instance, body).success
    assert seen == [0, 0, 3, 3, 3]
    assert len(stored(instance)) == 5


def test_shows_progress_when_the_batch_is_old(instance, monkeypatch):
    seen, now_s = [], [100.0]
    monkeypatch.setattr(reporting, "time", SimpleNamespace(monotonic=lambda: now_s[0]))

    def body(context):
        with BatchReporter(context, max_age_s=5.0) as reporter:
            now_s[0] += 4.9
            reporter.add(made(UPLOADS[0]))
            seen.append(len(stored(instance)))
            now_s[0] += 0.1
            reporter.flush_if_due()
            seen.append(len(stored(instance)))
            now_s[0] += 5.0
            reporter.add(made(UPLOADS[1]))
            seen.append(len(stored(instance)))

    assert run_body(instance, body).success
    assert seen == [0, 1, 2]


def test_upstream_is_stored_before_downstream_whatever_the_order_of_adding(instance):
    def body(context):
        with BatchReporter(context, max_age_s=3_600) as reporter:
            for upload in UPLOADS:
                reporter.add(made(upload, NOTES))
                reporter.add(made(upload, RAW, tags={"dagster/data_version": f"raw of {upload}"}))

    assert run_body(instance, body).success
    versions = [m.tags["dagster/input_data_version/song/raw"] for m in stored(instance, NOTES)]
    assert versions == [f"raw of {upload}" for upload in UPLOADS]


def test_what_was_made_is_reported_when_the_step_fails(instance):
    def body(context):
        with BatchReporter(context, max_age_s=3_600) as reporter:
            reporter.add(made(UPLOADS[0]))
            raise RuntimeError("disk on fire")

    result = run_body(instance, body, raise_on_error=False)
    assert not result.success
    assert [m.partition for m in stored(instance)] == UPLOADS[:1]


def test_an_asset_outside_the_job_is_reported_as_it_is(instance):
    other = dg.AssetMaterialization("elsewhere", tags={"dagster/data_version": "x"})
    assert run_body(instance, lambda context: report_materializations(context, [other])).success
    assert [m.tags for m in stored(instance, dg.AssetKey("elsewhere"))] == [{"dagster/data_version": "x"}]


def test_a_batch_size_below_one_is_refused(instance):
    result = run_body(instance, lambda context: BatchReporter(context, batch_size=0), raise_on_error=False)
    assert "batch_size must be at least 1, got 0" in str(result.failure_data_for_node("songs").error.cause)


def test_the_storage_receives_whole_batches(instance, monkeypatch):
    sizes = []
    store = type(instance.event_log_storage).store_event_batch

    def spy(storage, events):
        if events[0].dagster_event_type == dg.DagsterEventType.ASSET_MATERIALIZATION:
            sizes.append(len(events))
        store(storage, events)

    monkeypatch.setattr(type(instance.event_log_storage), "store_event_batch", spy)

    def body(context):
        with BatchReporter(context, batch_size=4, max_age_s=3_600) as reporter:
            for upload in UPLOADS:
                reporter.add(made(upload, RAW))
                reporter.add(made(upload, NOTES))

    assert run_body(instance, body).success
    assert sizes == [4, 3, 1, 2]


# What is used of Dagster without being documented: a failure here after an upgrade says what to look at


@pytest.mark.parametrize(
    ("function", "parameters"),
    [
        (dg.DagsterEvent.asset_materialization, ["step_context", "materialization", "batch_metadata"]),
        (EventMethods.handle_new_event, ["self", "event", "batch_metadata"]),
        (StepExecutionContext.maybe_fetch_and_get_input_asset_version_info, ["self", "key"]),
        (SqliteEventLogStorage.__init__, ["self", "base_dir", "inst_data"]),
        (SqliteEventLogStorage._connect, ["self", "shard"]),
        (SqliteEventLogStorage._initdb, ["self", "engine", "for_index_shard"]),
        (SqliteEventLogStorage._event_to_row, ["self", "event"]),
        (SqliteEventLogStorage._store_asset_event_tags, ["self", "conn", "events", "event_ids"]),
        (SqliteEventLogStorage._get_asset_entry_values, ["self", "event", "event_id", "has_asset_key_index_cols"]),
        (SqliteEventLogStorage._has_asset_key_col_on_connection, ["self", "conn", "column_name"]),
        (SqliteEventLogStorage.store_asset_check_event, ["self", "event", "event_id"]),
        (SqliteEventLogStorage.get_latest_storage_id_by_partition, ["self", "asset_key", "event_type", "partitions"]),
    ],
)
def test_contract_signature(function, parameters):
    found = list(inspect.signature(function).parameters)
    assert found[: len(parameters)] == parameters, (
        f"dagster {version('dagster')} changed {function.__qualname__}: parameters were {parameters!r}, are {found!r}; "
        "see bgb_assets/orchestration/reporting.py and event_log.py"
    )


def test_contract_batch_metadata():
    assert DagsterEventBatchMetadata._fields == ("id", "is_end")


def test_contract_batch_size_is_read_at_every_event(instance, monkeypatch):
    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "17")
    assert instance._get_event_batch_size() == 17, "dagster no longer reads DAGSTER_EVENT_BATCH_SIZE at call time"


def test_contract_store_event_writes_nothing_that_batches_do_not_know():
    source = inspect.getsource(SqliteEventLogStorage.store_event)
    known = ("ASSET_EVENTS", "ASSET_CHECK_EVENTS", "EVENT_TYPE_TO_PIPELINE_RUN_STATUS")
    assert all(name in source for name in known)
    assert source.count("with ") == 5, "dagster's store_event writes something new: mirror it in store_event_batch"
