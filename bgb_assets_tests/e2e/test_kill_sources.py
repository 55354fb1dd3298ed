"""An ingest from a source survives a kill at any instant: the next one ends with the same uploads, bytes and notes.

`BGB_KILL_SEED` chooses other instants than the default.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from bgb_assets.storage.atomic import sweep
from bgb_assets_tests.conftest import SETTLE_AT_ONCE
from bgb_assets_tests.toy_source import Shelf

SEED = int(os.environ.get("BGB_KILL_SEED", "20"))
COUNT = 8
TIMEOUT_S = 120.0
VARYING = {"files"}
"""Of an upload record: times and inodes of the blobs."""


def filled(folder: Path) -> Shelf:
    """Return a shelf of uploads, two of them with equal bytes and one that is rejected."""
    shelf = Shelf(folder)
    for i in range(COUNT):
        files = {"a.txt": f"{i} {i + 1}", "b.txt": f"word {i % 3}"}
        shelf.put(f"n{i}", files, document={"n": i}, popularity={"score": i / 10})
    shelf.put("twin", {"a.txt": "0 1", "b.txt": "word 0"})
    shelf.put("torn", {"a.txt": "1"})
    shelf.trouble("torn", "bad")
    return shelf


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    return filled(tmp_path_factory.mktemp("shelf") / "shelf")


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory, shelf: Shelf) -> Mapping[str, Any]:
    root = prepared(tmp_path_factory.mktemp("reference"))
    run_whole(root, shelf)
    return state(root)


def prepared(folder: Path) -> Path:
    root = folder / "data"
    root.mkdir(parents=True)
    (root / "config.toml").write_text(SETTLE_AT_ONCE)
    return root


def start(root: Path, shelf: Shelf, *more: str) -> subprocess.Popen[str]:
    """Start the driver and let it begin."""
    command = [sys.executable, "-m", "bgb_assets_tests.e2e.ingest_source", str(root), str(shelf.folder), *more]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdin is not None
    assert process.stdout.readline() == "ready\n"
    process.stdin.write("go\n")
    process.stdin.flush()
    return process


def run_whole(root: Path, shelf: Shelf, *more: str) -> None:
    process = start(root, shelf, *more)
    said, _ = process.communicate(timeout=TIMEOUT_S)
    assert (process.returncode, said) == (0, "done\n")


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == -signal.SIGKILL


def wait_until(happened: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + TIMEOUT_S
    while not happened():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


def registered(root: Path) -> set[str]:
    """Return the keys of the upload records."""
    return {path.stem for path in (root / "uploads" / "toy").glob("[!.]*.json")}


def state(root: Path) -> dict[str, Any]:
    """Return path -> content of all that an ingest leaves, without what differs from run to run."""
    found: dict[str, Any] = {}
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if not path.is_file() or name.endswith(".lock") or name.startswith(".catalog"):
            continue
        if name.startswith("uploads/"):
            value = json.loads(path.read_bytes())
            found[name] = {field: held for field, held in value.items() if field not in VARYING}
        elif name.startswith("quarantine/"):
            found[name] = {**json.loads(path.read_bytes()), "attempts": None}
        elif not name.startswith((".work/", ".tmp/")):
            found[name] = path.read_bytes()
    return found


def require_survival(root: Path, shelf: Shelf, reference: Mapping[str, Any], *more: str) -> None:
    """End what was killed; nothing may lie half done before or after."""
    for path in root.glob("raw/blobs/*/*"):
        assert path.relative_to(root).as_posix() in reference, f"{path} holds bytes that nobody offered"
    shelf.calls()
    held = registered(root)
    run_whole(root, shelf, *more)
    assert state(root) == reference
    assert not held & {f"shelf.{path}" for path in shelf.fetched()}, "what was registered is not fetched again"
    sweep(root / ".tmp")  # the last run did too, but a worker of the killed one may have died since
    assert list((root / ".tmp").iterdir()) == []


@pytest.mark.parametrize("kind", ["blob", "record", "taken", "json"])
def test_ingest_that_is_killed_before_a_write_is_ended_by_the_next(
    shelf: Shelf, reference: Mapping[str, Any], tmp_path: Path, kind: str
) -> None:
    number = random.Random(f"{SEED} {kind}").randrange(COUNT)
    print(f"kill seed {SEED}: {kind}:{number}")
    root = prepared(tmp_path)
    process = start(root, shelf, "--hold", f"{kind}:{number}")
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    kill(process)
    require_survival(root, shelf, reference)


@pytest.mark.parametrize("processes", [False, True])
def test_ingest_that_is_killed_in_the_middle_of_a_fetch(tmp_path: Path, processes: bool) -> None:
    more = ["--processes"] if processes else []
    shelf = filled(tmp_path / "shelf")
    run_whole(prepared(tmp_path / "whole"), shelf, *more)
    root = prepared(tmp_path / "killed")
    shelf.trouble("n3", "stall")
    process = start(root, shelf, *more)
    wait_until((shelf.folder / "stalled").exists)
    kill(process)
    shelf.trouble("n3", None)
    require_survival(root, shelf, state(tmp_path / "whole" / "data"), *more)


def test_ctrl_c_ends_at_once_and_keeps_what_was_fetched(tmp_path: Path) -> None:
    shelf = filled(tmp_path / "shelf")
    root = prepared(tmp_path)
    shelf.trouble("n5", "stall")
    process = start(root, shelf)
    # The threads that fetch do not wait for the driver, which lands what they fetched: n5 may stall before n3 landed.
    wait_until(lambda: (shelf.folder / "stalled").exists() and registered(root) >= {f"shelf.n{i}" for i in range(4)})
    before = registered(root)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=TIMEOUT_S)
    assert process.returncode != 0
    assert registered(root) >= before


@pytest.mark.slow
def test_kills_before_every_write(shelf: Shelf, reference: Mapping[str, Any], tmp_path: Path) -> None:
    for number in range(3 * COUNT):
        root = prepared(tmp_path / str(number))
        process = start(root, shelf, "--hold", f"json:{number}")
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        kill(process)
        require_survival(root, shelf, reference)
