"""The event log writes what the stock one writes, whole batches or nothing, beside other processes."""

import json
import os
import pickle
import subprocess
import sys
import threading
import time
from pathlib import Path

import dagster as dg
import pytest
import sqlalchemy as db
import yaml
from dagster._core.storage.event_log import SqliteEventLogStorage
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bgb_assets.orchestration.event_log import BatchedSqliteEventLogStorage, default_base_dir
from bgb_assets.runtime.errors import ConfigError
from bgb_assets_tests.fixtures import REPOSITORY
from bgb_assets_tests.orchestration import event_scenario
from bgb_assets_tests.orchestration.event_answers import MADE, overview, questions, table_rows, without_row_times
from bgb_assets_tests.orchestration.event_scenario import RAW, RecordingStorage

UPLOADS = [f"upload_{i:02}" for i in range(12)]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """All events of a home that ran everything, in order."""
    home = event_scenario.make_home(tmp_path_factory.mktemp("recorded"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_HOME", str(home))
        with dg.DagsterInstance.get() as instance:
            run_ids = event_scenario.run_everything(instance, UPLOADS)
            return event_scenario.read_events(instance, run_ids)


@pytest.fixture(scope="module")
def stock(recorded, tmp_path_factory):
    """The stock storage after the same events, one by one."""
    storage = SqliteEventLogStorage(str(tmp_path_factory.mktemp("stock")))
    for event in recorded:
        storage.store_event(event)
    yield storage
    storage.dispose()


@pytest.fixture
def ours(tmp_path):
    storage = BatchedSqliteEventLogStorage(str(tmp_path / "ours"))
    yield storage
    storage.dispose()


def store_in_batches(storage, events, cuts) -> None:
    for start, end in zip([0, *cuts], [*cuts, len(events)], strict=True):
        if start < end:
            storage.store_event_batch(events[start:end])


# The same rows and answers as the stock storage


@given(data=st.data())
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_batches_leave_the_rows_of_the_stock_storage(data, recorded, stock, tmp_path_factory):
    cuts = sorted(data.draw(st.sets(st.integers(1, len(recorded) - 1), max_size=12)))
    storage = BatchedSqliteEventLogStorage(str(tmp_path_factory.mktemp("batches")))
    store_in_batches(storage, recorded, cuts)
    storage.dispose()
    assert table_rows(storage) == table_rows(stock)


def test_single_events_leave_the_rows_of_the_stock_storage(recorded, stock, ours):
    for event in recorded:
        ours.store_event(event)
    ours.dispose()
    rows = table_rows(ours)
    assert rows == table_rows(stock)
    assert {name.split("/")[1] for name, found in rows.items() if found} >= {
        "event_logs", "asset_keys", "asset_event_tags", "asset_check_executions"
    }  # fmt: skip


def test_the_questions_of_the_ui_get_the_answers_of_the_stock_storage(recorded, stock, ours):
    ours.store_event_batch(recorded)
    for name, ask in questions(recorded, UPLOADS).items():
        expected, got = ask(stock), ask(ours)
        if name in ("asset records", "check history", "latest checks", "check summary"):
            expected, got = without_row_times(expected), without_row_times(got)
        assert got == expected, name
        assert expected, f"{name}: the scenario gives no answer to compare"


def test_a_run_on_both_instances_looks_the_same(tmp_path, monkeypatch):
    seen = []
    for name, storage in (("stock", None), ("ours", BatchedSqliteEventLogStorage)):
        home = event_scenario.make_home(tmp_path / name, storage)
        monkeypatch.setenv("DAGSTER_HOME", str(home))
        with dg.DagsterInstance.get() as instance:
            run_ids = event_scenario.run_everything(instance, UPLOADS)
            seen.append(overview(instance, run_ids, UPLOADS))
    assert seen[0] == seen[1]


def test_planned_events_of_a_ranged_run_are_one_batch(tmp_path, monkeypatch):
    batches = tmp_path / "batches.jsonl"
    monkeypatch.setenv(event_scenario.BATCHES_FILE, str(batches))
    monkeypatch.setenv("DAGSTER_HOME", str(event_scenario.make_home(tmp_path / "home", RecordingStorage)))
    with dg.DagsterInstance.get() as instance:
        event_scenario.run_everything(instance, UPLOADS)
    lines = [json.loads(line) for line in batches.read_text().splitlines()]
    planned = [line["count"] for line in lines if "DagsterEventType.ASSET_MATERIALIZATION_PLANNED" in line["types"]]
    assert planned == [2 * len(UPLOADS), len(UPLOADS), 2 * len(UPLOADS), 3]


# Whole batches or nothing


def test_a_batch_that_fails_at_its_last_statement_leaves_nothing(recorded, ours):
    ours.store_event_batch(recorded[:20])
    with ours.index_connection() as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER refuse BEFORE INSERT ON asset_check_executions BEGIN SELECT RAISE(ABORT, 'refused'); END"
        )
    before = table_rows(ours)
    new_run = next(i for i, e in enumerate(recorded) if "CHECK" in str(e.dagster_event_type))
    with pytest.raises(db.exc.IntegrityError, match="refused"):
        ours.store_event_batch(recorded[20 : new_run + 1])
    after = table_rows(ours)
    assert {name: after[name] for name in before} == before
    assert all(not rows for name, rows in after.items() if name not in before and name.endswith("/event_logs"))


def test_a_full_disk_is_an_error_and_leaves_nothing(recorded, ours):
    ours.store_event_batch(recorded[:20])
    before = table_rows(ours)
    engine = ours._shards._engine("index")
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1")
    with pytest.raises(db.exc.OperationalError, match="database or disk is full"):
        ours.store_event_batch([event for event in recorded[20:] for _ in range(20)])
    assert {name: rows for name, rows in table_rows(ours).items() if name in before} == before
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1000000")
    ours.store_event_batch(recorded[20:])
    assert len(table_rows(ours)["index.db/event_logs"]) > 0


CRASH_BETWEEN_COMMITS = """
import os, pickle, sys
import sqlalchemy as db
from bgb_assets.orchestration.event_log import BatchedSqliteEventLogStorage
storage = BatchedSqliteEventLogStorage(sys.argv[1])
events = pickle.load(open(sys.argv[2], "rb"))
storage.store_event_batch(events[:10])
commits = []
def die_at_the_second(connection):
    commits.append(connection)
    if len(commits) == 2:
        os._exit(9)
db.event.listen(db.engine.Engine, "commit", die_at_the_second)
storage.store_event_batch(events[10:20])
"""


def test_a_kill_between_the_two_commits_leaves_a_whole_index(recorded, ours, tmp_path):
    events = tmp_path / "events.pickle"
    events.write_bytes(pickle.dumps(recorded[:20]))
    command = [sys.executable, "-c", CRASH_BETWEEN_COMMITS, ours._base_dir, str(events)]
    assert subprocess.run(command, check=False).returncode == 9
    run_id = recorded[0].run_id
    indexed = ours.get_maximum_record_id()
    assert len(ours.get_records_for_run(run_id).records) == 20
    with ours.index_connection() as connection:
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
    ours.store_event_batch(recorded[20:30])
    with ours.index_connection() as connection:
        ids = [row[0] for row in connection.exec_driver_sql("SELECT id FROM event_logs ORDER BY id")]
    assert ids[:indexed] == list(range(1, indexed + 1))
    assert len(ids) > indexed


# Beside other threads and processes

WRITE = """
import pickle, sys
from dagster._core.storage.event_log import SqliteEventLogStorage
from bgb_assets.orchestration.event_log import BatchedSqliteEventLogStorage
kind, base_dir, pickled, run_id = sys.argv[1:]
events = [event._replace(run_id=run_id) for event in pickle.load(open(pickled, "rb"))]
storage = {"stock": SqliteEventLogStorage, "ours": BatchedSqliteEventLogStorage}[kind](base_dir)
print("ready", flush=True)
sys.stdin.readline()
for _ in range(15):
    if kind == "stock":
        for event in events[:10]:
            storage.store_event(event)
    else:
        storage.store_event_batch(events)
        storage.store_event(events[0])
    assert storage.get_materialized_partitions(events[0].dagster_event.asset_key)
storage.dispose()
"""


def test_processes_write_and_read_at_once(recorded, ours, tmp_path):
    made = [event for event in recorded if event.dagster_event_type == MADE][:40]
    pickled = tmp_path / "events.pickle"
    pickled.write_bytes(pickle.dumps(made))
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITE, kind, ours._base_dir, str(pickled), f"run-{i}"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for i, kind in enumerate(["ours", "ours", "stock"])
    ]  # fmt: skip
    for writer in writers:
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        writer.stdin.write("\n")
        writer.stdin.flush()
    while any(writer.poll() is None for writer in writers):
        ours.get_latest_storage_id_by_partition(made[0].dagster_event.asset_key, MADE)
        time.sleep(0.01)
    for writer in writers:
        _, errors = writer.communicate()
        assert writer.returncode == 0, errors
    expected = 15 * (len(made) + 1) * 2 + 15 * 10
    with ours.index_connection() as connection:
        ids = [row[0] for row in connection.exec_driver_sql("SELECT id FROM event_logs ORDER BY id")]
        assert connection.exec_driver_sql("SELECT count(DISTINCT event_id) FROM asset_event_tags").scalar() == expected
    assert ids == list(range(1, expected + 1))


def test_threads_write_at_once(recorded, ours):
    made = [event for event in recorded if event.dagster_event_type == MADE][:20]
    failures = []

    def write(run_id):
        try:
            for _ in range(10):
                ours.store_event_batch([event._replace(run_id=run_id) for event in made])
                ours.get_materialized_partitions(RAW)
        except Exception as error:  # noqa: BLE001 - shown by the assertion below
            failures.append(error)

    threads = [threading.Thread(target=write, args=(f"run-{i}",)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert ours.get_maximum_record_id() == 4 * 10 * 20


@pytest.mark.parametrize("kind", [BatchedSqliteEventLogStorage, SqliteEventLogStorage])
def test_live_log_sees_events_of_kept_connections(recorded, ours, kind):
    run_id = recorded[0].run_id
    ours.store_event_batch(recorded[:5])
    seen, arrived = [], threading.Event()

    def on_event(event, _cursor):
        seen.append(event)
        if len(seen) == 5:
            arrived.set()

    watcher = kind(ours._base_dir)
    last = watcher.get_records_for_run(run_id).cursor
    writer = BatchedSqliteEventLogStorage(ours._base_dir)
    writer.get_records_for_run(run_id)
    watcher.watch(run_id, last, on_event)
    writer.store_event_batch(recorded[5:10])
    assert arrived.wait(20)
    assert seen == recorded[5:10]
    watcher.end_watch(run_id, on_event)
    watcher.dispose()
    writer.dispose()


# How it is configured


def test_default_base_dir_is_that_of_the_stock_storage(tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", str(event_scenario.make_home(tmp_path / "home", None)))
    with dg.DagsterInstance.get() as instance:
        stock_dir = instance.event_log_storage._base_dir
    assert Path(default_base_dir()) == Path(stock_dir)


def test_without_home_or_base_dir_the_message_says_what_to_set(monkeypatch):
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    with pytest.raises(ConfigError, match="set DAGSTER_HOME to the directory of"):
        BatchedSqliteEventLogStorage.from_config_value(None, {})


def test_a_home_can_be_switched_from_the_stock_storage_and_back(tmp_path, monkeypatch):
    home = tmp_path / "home"
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    counts = []
    for storage in (None, BatchedSqliteEventLogStorage, None):
        event_scenario.make_home(home, storage)
        with dg.DagsterInstance.get() as instance:
            instance.report_runless_asset_event(dg.AssetMaterialization(RAW, partition=UPLOADS[len(counts)]))
            counts.append(len(instance.fetch_materializations(RAW, limit=10).records))
    assert counts == [1, 2, 3]


@pytest.mark.parametrize(("given", "expected"), [(None, "400"), ("25", "25"), ("0", "0")])
def test_import_turns_batches_on_unless_the_user_decided(given, expected):
    environment = {key: value for key, value in os.environ.items() if key != "DAGSTER_EVENT_BATCH_SIZE"}
    if given is not None:
        environment["DAGSTER_EVENT_BATCH_SIZE"] = given
    code = "import os, bgb_assets.orchestration.event_log; print(os.environ['DAGSTER_EVENT_BATCH_SIZE'])"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == expected


def test_the_tracked_dagster_yaml_loads(tmp_path, monkeypatch):
    tracked = (REPOSITORY / "data" / "dagster_home" / "dagster.yaml").read_text()
    (tmp_path / "dagster.yaml").write_text(tracked)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        assert isinstance(instance.event_log_storage, BatchedSqliteEventLogStorage)
        assert Path(instance.event_log_storage._base_dir) == tmp_path / "history" / "runs"
        assert type(instance.run_coordinator).__name__ == "QueuedRunCoordinator"
        assert instance.run_coordinator.dequeue_interval_seconds == 1
        assert instance.get_concurrency_config().pool_config.default_pool_limit is None
        assert instance.freshness_enabled
        assert instance.run_monitoring_enabled
        assert not instance.telemetry_enabled
    assert [text for text in _strings(yaml.safe_load(tracked)) if text.startswith(("/", "~"))] == []


def _strings(value: object):
    if isinstance(value, dict):
        for each in value.values():
            yield from _strings(each)
    elif isinstance(value, list):
        for each in value:
            yield from _strings(each)
    elif isinstance(value, str):
        yield value
