"""A live system for tests: web UI and daemon over a data root of their own, asked through GraphQL.

Belongs here: starting, asking, stopping. Does not belong here: what a test expects.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bgb_assets.engine.summary import read_summary, summary_path
from bgb_assets.storage.heads import heads_of
from bgb_assets.storage.layout import Layout
from bgb_assets.storage.store import StageStore
from bgb_assets_tests.fixtures import REPOSITORY

START_LIMIT_S = 90.0


@dataclass(frozen=True)
class Event:
    """The newest materialization of one partition."""

    data_version: str
    run: str
    metadata: dict[str, str]


@dataclass
class Live:
    """A running web UI and daemon.

    Attributes:
        module: The name of the code location.
    """

    url: str
    data_root: Path
    log: Path
    process: subprocess.Popen[bytes]
    module: str

    @property
    def inbox(self) -> Path:
        """The folder that the sensor watches."""
        return self.data_root / "inbox" / "beatmap"

    @property
    def environment(self) -> dict[str, str]:
        """The variables that make a command work on the same data and instance."""
        return environment_of(self.data_root)

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """Run a GraphQL query; raises on errors."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(f"{self.url}/graphql", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as response:
            answer = json.load(response)
        if answer.get("errors"):
            raise RuntimeError(str(answer["errors"])[:2000])
        return answer["data"]

    def node(self, asset: str, fields: str) -> dict[str, Any]:
        """Return fields of an asset."""
        query = "query($key: AssetKeyInput!){assetNodeOrError(assetKey:$key){... on AssetNode{%s}}}" % fields  # noqa: UP031
        return self.ask(query, key={"path": asset.split("/")})["assetNodeOrError"]

    def runs(self) -> list[dict[str, Any]]:
        """Return all runs, newest first: status, assets and tags."""
        data = self.ask(
            "{runsOrError{... on Runs{results{runId status assetSelection{path} tags{key value} "
            "assetCheckSelection{name}}}}}"
        )
        return [
            {
                "id": run["runId"],
                "status": run["status"],
                "assets": sorted("/".join(key["path"]) for key in run["assetSelection"] or []),
                "tags": {tag["key"]: tag["value"] for tag in run["tags"]},
            }
            for run in data["runsOrError"]["results"]
        ]

    def partitions(self, asset: str) -> dict[str, set[str]]:
        """Return materialized, failed and missing partitions of an asset."""
        fields = "materializedPartitions failedPartitions unmaterializedPartitions"
        node = self.node(asset, f"assetPartitionStatuses{{... on DefaultPartitionStatuses{{{fields}}}}}")
        return {name.removesuffix("Partitions"): set(keys) for name, keys in node["assetPartitionStatuses"].items()}

    def events(self, asset: str, keys: Iterable[str]) -> dict[str, Event]:
        """Return the newest materialization of each partition that has one."""
        metadata = "metadataEntries{label ... on TextMetadataEntry{text}}"
        data = self.ask(
            "query($key: AssetKeyInput!, $keys: [String!]!){assetNodeOrError(assetKey:$key){... on AssetNode{"
            f"latestMaterializationByPartition(partitions:$keys){{partition runId tags{{key value}} {metadata}}}}}}}}}",
            key={"path": asset.split("/")},
            keys=sorted(keys),
        )
        found = data["assetNodeOrError"]["latestMaterializationByPartition"]
        return {event["partition"]: _event(event) for event in found if event is not None}

    def latest(self, asset: str) -> Event | None:
        """Return the newest materialization of an asset that has no partitions."""
        fields = "runId tags{key value} metadataEntries{label ... on TextMetadataEntry{text}}"
        found = self.node(asset, f"assetMaterializations(limit:1){{{fields}}}")["assetMaterializations"]
        return _event(found[0]) if found else None

    def check(self, asset: str, name: str) -> tuple[str, str]:
        """Return status and description of an asset check as the UI shows it; empty where it was never evaluated."""
        fields = "executionForLatestMaterialization{status evaluation{description}}"
        node = self.node(asset, f"assetChecksOrError{{... on AssetChecks{{checks{{name {fields}}}}}}}")
        (found,) = (check for check in node["assetChecksOrError"]["checks"] if check["name"] == name)
        execution = found["executionForLatestMaterialization"]
        if execution is None:
            return "", ""
        return execution["status"], (execution["evaluation"] or {}).get("description") or ""

    def freshness(self, asset: str) -> str:
        """Return the freshness badge of an asset: HEALTHY, DEGRADED, ..."""
        info = self.node(asset, "freshnessStatusInfo{freshnessStatus}")["freshnessStatusInfo"]
        return str(info["freshnessStatus"]) if info else "none"

    def backfill_all(self, assets: Iterable[str]) -> str:
        """Ask for all partitions of some assets as the UI's "Materialize all" does; return the backfill's id."""
        data = self.ask(
            "mutation($p: LaunchBackfillParams!){launchPartitionBackfill(backfillParams:$p){__typename "
            "... on LaunchBackfillSuccess{backfillId} ... on PythonError{message}}}",
            p={"assetSelection": [{"path": asset.split("/")} for asset in assets], "allPartitions": True},
        )
        return str(data["launchPartitionBackfill"]["backfillId"])

    def backfill_status(self, backfill: str) -> str:
        """Return the status of a backfill: REQUESTED, COMPLETED_SUCCESS, COMPLETED_FAILED, ..."""
        data = self.ask(
            "query($id:String!){partitionBackfillOrError(backfillId:$id){... on PartitionBackfill{status}}}",
            id=backfill,
        )
        return str(data["partitionBackfillOrError"]["status"])

    def failed_ticks(self) -> list[str]:
        """Return the errors of all sensors' newest ticks."""
        data = self.ask(
            "{repositoriesOrError{... on RepositoryConnection{nodes{sensors{sensorState{ticks(limit:100){"
            "error{message}}}}}}}}"
        )
        (node,) = data["repositoriesOrError"]["nodes"]
        ticks = [tick for sensor in node["sensors"] for tick in sensor["sensorState"]["ticks"]]
        return [tick["error"]["message"] for tick in ticks if tick["error"]]

    def calls(self) -> dict[str, int]:
        """Return stage -> calls of its function in the newest run that touched it."""
        summary = read_summary(summary_path(Layout(self.data_root), "beatmap"))
        return {stage: counts["called"] for stage, counts in summary.items()}

    def members(self) -> set[str]:
        """Return the uploads in the current manifest."""
        layout = Layout(self.data_root)
        head = heads_of(layout, "beatmap").get("manifest")
        if head is None:
            return set()
        record = StageStore(self.data_root).lookup("manifest", "beatmap", head.identity)
        return set(record.members) if record is not None else set()

    def reload(self) -> None:
        """Load the code location anew."""
        mutation = "mutation($n:String!){reloadRepositoryLocation(repositoryLocationName:$n){__typename}}"
        self.ask(mutation, n=self.module)

    def wait(self, what: str, ready: Callable[[], Any], limit_s: float) -> Any:
        """Wait until `ready()` is true; on a time-out the message holds the newest log lines."""
        deadline_s = time.monotonic() + limit_s
        while time.monotonic() < deadline_s:
            found = ready()
            if found:
                return found
            time.sleep(0.5)
        tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-40:])
        raise AssertionError(f"not within {limit_s} s: {what}\n{tail}")

    def settled(self) -> bool:
        """Say whether no run is queued or under way."""
        return all(run["status"] in ("SUCCESS", "FAILURE", "CANCELED") for run in self.runs())


def _event(found: dict[str, Any]) -> Event:
    tags = {tag["key"]: tag["value"] for tag in found["tags"]}
    metadata = {entry["label"]: entry["text"] for entry in found["metadataEntries"] if "text" in entry}
    return Event(tags["dagster/data_version"], found["runId"], metadata)


def environment_of(data_root: Path) -> dict[str, str]:
    """Return the variables that make a command work on a data root and the Dagster home in it."""
    return {**os.environ, "BGB_DATA_ROOT": str(data_root), "DAGSTER_HOME": str(data_root / "dagster_home")}


@contextmanager
def live(data_root: Path, module: Path | None = None) -> Iterator[Live]:
    """Start `bgb ui` (or `dagster dev -f module`) over a data root, and end it with all its children."""
    port = free_port()
    log = data_root.parent / "live.log"
    environment = environment_of(data_root)
    command = [sys.executable, "-m", "bgb_assets.cli", "ui", "--port", str(port)]
    if module is not None:
        prepare_home(environment)
        command = [sys.executable, "-m", "dagster", "dev", "-f", str(module), "--port", str(port)]
    with log.open("wb") as file:
        process = subprocess.Popen(
            command, env=environment, stdout=file, stderr=subprocess.STDOUT, start_new_session=True, cwd=REPOSITORY
        )
    name = "bgb_assets.definitions" if module is None else module.name
    system = Live(f"http://127.0.0.1:{port}", data_root, log, process, name)
    try:
        system.wait("the web UI answers", lambda: is_up(system), START_LIMIT_S)
        yield system
    finally:
        stop(process)


def prepare_home(environment: dict[str, str]) -> None:
    """Write the project's `dagster.yaml` into the home, as `bgb ui` does."""
    code = (
        "from bgb_assets.orchestration.home import prepare_home;"
        "from bgb_assets.runtime.settings import load_settings; prepare_home(load_settings())"
    )
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)


def is_up(system: Live) -> bool:
    """Say whether the web UI has loaded the code location."""
    if system.process.poll() is not None:
        raise AssertionError(f"ended early:\n{system.log.read_text(errors='replace')[-4000:]}")
    try:
        return bool(
            system.ask("{repositoriesOrError{... on RepositoryConnection{nodes{name}}}}")["repositoriesOrError"]
        )
    except (OSError, urllib.error.URLError, RuntimeError):
        return False


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a session of processes: asked first, then killed."""
    for sent, limit_s in ((signal.SIGINT, 20), (signal.SIGKILL, 10)):
        try:
            os.killpg(process.pid, sent)
            process.wait(limit_s)
        except ProcessLookupError:
            break
        except subprocess.TimeoutExpired:
            continue
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
