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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bgb_assets_tests.fixtures import REPOSITORY

START_LIMIT_S = 90.0


@dataclass
class Live:
    """A running web UI and daemon."""

    url: str
    data_root: Path
    log: Path
    process: subprocess.Popen[bytes]

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """Run a GraphQL query; raises on errors."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(f"{self.url}/graphql", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as response:
            answer = json.load(response)
        if answer.get("errors"):
            raise RuntimeError(str(answer["errors"])[:2000])
        return answer["data"]

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
        path = asset.split("/")
        data = self.ask(
            "query($key: AssetKeyInput!){assetNodeOrError(assetKey:$key){... on AssetNode{"
            "assetPartitionStatuses{... on DefaultPartitionStatuses{materializedPartitions failedPartitions "
            "unmaterializedPartitions}}}}}",
            key={"path": path},
        )
        statuses = data["assetNodeOrError"]["assetPartitionStatuses"]
        return {name.removesuffix("Partitions"): set(keys) for name, keys in statuses.items()}

    def freshness(self, asset: str) -> str:
        """Return the freshness badge of an asset: HEALTHY, DEGRADED, ..."""
        data = self.ask(
            "query($key: AssetKeyInput!){assetNodeOrError(assetKey:$key){... on AssetNode{assetHealth{freshnessStatus}}}}",
            key={"path": asset.split("/")},
        )
        return str(data["assetNodeOrError"]["assetHealth"]["freshnessStatus"])

    def reload(self, name: str) -> None:
        """Load the code location anew."""
        self.ask("mutation($n:String!){reloadRepositoryLocation(repositoryLocationName:$n){__typename}}", n=name)

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


@contextmanager
def live(data_root: Path, module: Path | None = None) -> Iterator[Live]:
    """Start `bgb ui` (or `dagster dev -f module`) over a data root, and end it with all its children."""
    port = free_port()
    log = data_root.parent / "live.log"
    environment = {**os.environ, "BGB_DATA_ROOT": str(data_root), "DAGSTER_HOME": str(data_root / "dagster_home")}
    command = [sys.executable, "-m", "bgb_assets.cli", "ui", "--port", str(port)]
    if module is not None:
        prepare_home(environment)
        command = [sys.executable, "-m", "dagster", "dev", "-f", str(module), "--port", str(port)]
    with log.open("wb") as file:
        process = subprocess.Popen(
            command, env=environment, stdout=file, stderr=subprocess.STDOUT, start_new_session=True, cwd=REPOSITORY
        )
    system = Live(f"http://127.0.0.1:{port}", data_root, log, process)
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
        return bool(system.ask("{repositoriesOrError{... on RepositoryConnection{nodes{name}}}}")["repositoriesOrError"])
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
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
