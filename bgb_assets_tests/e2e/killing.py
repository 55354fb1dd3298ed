"""Killing a chain at any instant, and what must hold afterwards, for any modality.

`prepare` makes a data root with uploads; a `Driver` runs the whole chain over it in a process (`drive`). Belongs here:
instants, running, killing, comparing. Does not belong here: which modality, how often (the tests).
"""

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bgb_assets.engine.space import verify
from bgb_assets.modalities.contract import STAGE_NAMES
from bgb_assets.storage.atomic import sweep
from bgb_assets.storage.records import RECORD_NAME
from bgb_assets.storage.store import StageStore
from bgb_assets_tests.driving import data_versions, outputs

TIMEOUT_S = 600.0
Prepare = Callable[[Path], None]


@dataclass(frozen=True)
class Driver:
    """How a chain is driven.

    Attributes:
        modality: Import string of the `Modality`.
        name: Its name.
        workers: Worker processes; 0 for none.
    """

    modality: str
    name: str
    workers: int = 0
    environment: Mapping[str, str] = field(default_factory=dict)

    def start(self, root: Path, hold: str = "") -> subprocess.Popen[str]:
        """Start the driver and return when it is ready to begin."""
        command = [sys.executable, "-m", "bgb_assets_tests.e2e.drive", self.modality, str(root)]
        command += ["--workers", str(self.workers), *(["--hold", hold] if hold else [])]
        process = subprocess.Popen(
            command,
            env={**os.environ, **self.environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            process_group=0,
        )
        assert _line(process) == "ready"
        return process


@dataclass(frozen=True)
class Instant:
    """When to kill: after a share of the time a whole run takes, or held at the Nth commit, call or training step."""

    kind: str
    value: float

    @property
    def hold(self) -> str:
        """The driver's `--hold`."""
        return "" if self.kind == "time" else f"{self.kind}:{int(self.value)}"


@dataclass(frozen=True)
class Reference:
    """What an uninterrupted run made, and how long it took."""

    outputs: Mapping[str, str]
    data_versions: Mapping[str, str]
    seconds: float


def run_whole(driver: Driver, root: Path) -> float:
    """Run to the end; return the seconds from ready to done."""
    process = driver.start(root)
    started = time.perf_counter()
    said, _ = process.communicate("go\n", timeout=TIMEOUT_S)
    assert (process.returncode, said) == (0, "done\n")
    return time.perf_counter() - started


def reference_of(driver: Driver, prepare: Prepare, root: Path) -> Reference:
    """Prepare a root and run over it without interruption."""
    prepare(root)
    seconds = run_whole(driver, root)
    return Reference(outputs(root, driver.name), data_versions(root, driver.name), seconds)


def instants(
    seed: int, count: int, reference: Reference, kinds: tuple[str, ...], training_steps: int = 0
) -> list[Instant]:
    """Draw instants: kinds in turn, each one's place by the seed."""
    dice = random.Random(seed)
    drawn = []
    for i in range(count):
        kind = kinds[i % len(kinds)]
        places = training_steps if kind == "step" else len(reference.data_versions)
        drawn.append(Instant(kind, dice.random() if kind == "time" else dice.randrange(places)))
    return drawn


def run_killed(driver: Driver, root: Path, instant: Instant, reference: Reference) -> bool:
    """Run until the instant, then SIGKILL; return whether there was anything left to kill."""
    process = driver.start(root, instant.hold)
    _begin(process)
    try:
        if instant.kind == "time":
            time.sleep(instant.value * reference.seconds)
        else:
            assert _line(process) in ("held", "done")
    finally:
        process.kill()
        said, _ = process.communicate(timeout=TIMEOUT_S)
    return "done" not in said and process.returncode == -9


def committed(driver: Driver, root: Path) -> dict[str, bytes]:
    """Return location -> record bytes of every entry: they hold the time at which it was made."""
    return {
        path.parent.relative_to(root).as_posix(): path.read_bytes()
        for stage in STAGE_NAMES
        for path in sorted((root / stage / driver.name).glob(f"*/*/{RECORD_NAME}"))
    }


def require_only_whole_entries(driver: Driver, root: Path) -> None:
    """Check that whatever lies where entries lie is one, byte for byte as its record says."""
    report = verify(StageStore(root), [driver.name])
    assert report.problems == {}, report.problems


def require_survival(driver: Driver, prepare: Prepare, root: Path, instant: Instant, reference: Reference) -> None:
    """Kill one run and let another end it: the same bytes, nothing partial, no committed work repeated."""
    prepare(root)
    run_killed(driver, root, instant, reference)
    require_only_whole_entries(driver, root)
    before = committed(driver, root)
    run_whole(driver, root)
    require_equal(driver, root, reference)
    after = committed(driver, root)
    repeated = [location for location, record in before.items() if after[location] != record]
    assert repeated == [], f"made again after {instant}: {repeated}"
    sweep(root / ".tmp")  # the last run did too, but a worker of the killed one may have died since
    assert list((root / ".tmp").iterdir()) == [], "what a dead process left is swept"


def require_equal(driver: Driver, root: Path, reference: Reference) -> None:
    """Check that a root holds exactly what the uninterrupted run made."""
    require_only_whole_entries(driver, root)
    assert outputs(root, driver.name) == reference.outputs
    assert data_versions(root, driver.name) == reference.data_versions
    for path in (root / "uploads" / driver.name).glob("*.json"):
        assert len(json.loads(path.read_text())["entries"]) == 4, path


def require_harmless_race(driver: Driver, prepare: Prepare, root: Path, reference: Reference) -> None:
    """Run two drivers at once over one root: both end well, with the same bytes as one."""
    prepare(root)
    racers = [driver.start(root) for _ in range(2)]
    for racer in racers:
        _begin(racer)
    said = [racer.communicate(timeout=TIMEOUT_S)[0] for racer in racers]
    assert [(racer.returncode, text) for racer, text in zip(racers, said, strict=True)] == [(0, "done\n")] * 2
    require_equal(driver, root, reference)


def _begin(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()
