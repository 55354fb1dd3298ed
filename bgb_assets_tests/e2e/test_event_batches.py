"""Event batches are on in every process that Dagster starts, with nothing set but `dagster.yaml`."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import dagster as dg
import pytest

from bgb_assets_tests.orchestration import event_scenario
from bgb_assets_tests.orchestration.event_scenario import NOTES, RAW, RecordingStorage

SCENARIO = event_scenario.__name__
UPLOADS = [f"upload_{i:02}" for i in range(20)]
PLANNED, MADE = "DagsterEventType.ASSET_MATERIALIZATION_PLANNED", "DagsterEventType.ASSET_MATERIALIZATION"
BIN = Path(sys.executable).parent


@pytest.fixture
def home(tmp_path, monkeypatch):
    coordinator = {
        "module": "dagster._core.run_coordinator",
        "class": "QueuedRunCoordinator",
        "config": {"dequeue_interval_seconds": 1},
    }
    home = event_scenario.make_home(tmp_path / "home", RecordingStorage, run_coordinator=coordinator)
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    monkeypatch.setenv(event_scenario.BATCHES_FILE, str(tmp_path / "batches.jsonl"))
    with dg.DagsterInstance.get() as instance:
        instance.add_dynamic_partitions(event_scenario.UPLOADS.name, UPLOADS)
    monkeypatch.delenv("DAGSTER_EVENT_BATCH_SIZE", raising=False)
    return home


def batches(home) -> list[dict]:
    return [json.loads(line) for line in (home.parent / "batches.jsonl").read_text().splitlines()]


def commands_of(lines, event_type, count) -> list[str]:
    """Return the command lines of the processes that stored a batch of that many events of that type."""
    return [line["command"] for line in lines if line["types"] == [event_type] and line["count"] == count]


def test_command_line(home):
    span = f"{UPLOADS[0]}...{UPLOADS[-1]}"
    command = [BIN / "dagster", "asset", "materialize", "-m", SCENARIO, "--select", 'key:"song/raw"']
    done = subprocess.run([*command, "--partition-range", span], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4_000:]
    lines = batches(home)
    assert len(commands_of(lines, PLANNED, 20)) == 1
    assert "asset materialize" in commands_of(lines, PLANNED, 20)[0]
    assert len(commands_of(lines, MADE, 7)) == 2
    assert len(lines) < 30


def reported(home) -> int:
    """Return how many materializations were stored so far."""
    return sum(line["count"] for line in batches(home) if line["types"] == [MADE])


LAUNCH = """
mutation ($runs: [ExecutionParams!]!) { launchMultipleRuns(executionParamsList: $runs) {
  ... on LaunchMultipleRunsResult { launchMultipleRunsResult { __typename } } ... on PythonError { message } } }
"""
BACKFILL = """
mutation ($backfill: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $backfill) {
  __typename ... on PythonError { message } } }
"""
REPOSITORY = {"repositoryLocationName": SCENARIO, "repositoryName": "__repository__"}


@pytest.mark.slow
def test_webserver_daemon_and_run_worker(home):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    started = [
        start(home, "webserver", [BIN / "dagster-webserver", "-m", SCENARIO, "-h", "127.0.0.1", "-p", str(port)]),
        start(home, "daemon", [BIN / "dagster-daemon", "run", "-m", SCENARIO]),
    ]
    try:
        wait_for(lambda: ask(port, "{ version }", {}), "the webserver to answer")
        keys = [{"path": RAW.path}, {"path": NOTES.path}]
        tags = [{"key": k, "value": v} for k, v in event_scenario.range_tags(UPLOADS[0], UPLOADS[-1]).items()]
        run = {
            "selector": {**REPOSITORY, "jobName": "__ASSET_JOB", "assetSelection": keys, "assetCheckSelection": []},
            "executionMetadata": {"tags": tags},
        }
        answer = ask(port, LAUNCH, {"runs": [run]})
        assert "LaunchRunSuccess" in json.dumps(answer), answer
        wait_for(lambda: reported(home) == 40, "the run to report")
        answer = ask(port, BACKFILL, {"backfill": {"assetSelection": keys, "allPartitions": True}})
        assert answer["data"]["launchPartitionBackfill"]["__typename"] == "LaunchBackfillSuccess", answer
        wait_for(lambda: reported(home) == 80, "the backfill to report")
    finally:
        for process in started:
            stop(process)
    planned = commands_of(batches(home), PLANNED, 40)
    assert ["dagster-webserver" in command for command in planned] == [True, False]
    assert "dagster-daemon" in planned[1]
    workers = commands_of(batches(home), MADE, 7)
    assert len(workers) == 6
    assert not any("dagster-webserver" in command or "dagster-daemon" in command for command in workers)


def start(home, name, command) -> subprocess.Popen:
    with (home.parent / f"{name}.log").open("w") as log:
        return subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)


def stop(process) -> None:
    """End a process and the code server that it started: they are a process group of their own."""
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)


def ask(port, query, variables) -> dict | None:
    body = json.dumps({"query": query, "variables": variables}).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}/graphql", body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.load(response)
    except ConnectionError:
        return None
    except urllib.error.URLError:
        return None


def wait_for(happened, what, limit_s=150) -> None:
    deadline = time.monotonic() + limit_s
    while not happened():
        assert time.monotonic() < deadline, f"waited {limit_s} s for {what}"
        time.sleep(0.5)
