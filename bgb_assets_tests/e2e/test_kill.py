"""A run survives a kill at any instant: `BGB_KILL_SEED` chooses other instants than the default."""

import os
from pathlib import Path

import pytest

from bgb_assets_tests import toy
from bgb_assets_tests.conftest import SETTLE_AT_ONCE
from bgb_assets_tests.e2e.killing import (
    Driver,
    Instant,
    Reference,
    instants,
    reference_of,
    require_equal,
    require_harmless_race,
    require_survival,
    run_killed,
    run_whole,
)

SEED = int(os.environ.get("BGB_KILL_SEED", "20"))
DRIVER = Driver(f"{toy.MODULE}:MODALITY", "toy")
WITH_WORKERS = Driver(f"{toy.MODULE}:MODALITY", "toy", workers=2)
KINDS = ("publish", "time", "call")


def prepare(root: Path) -> None:
    root.mkdir()
    (root / "config.toml").write_text(SETTLE_AT_ONCE)
    toy.synth(root / "inbox" / "toy", 4, seed=9)


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Reference:
    return reference_of(DRIVER, prepare, tmp_path_factory.mktemp("reference") / "data")


def survive(driver: Driver, count: int, kinds: tuple[str, ...], reference: Reference, tmp_path: Path) -> None:
    print(f"kill seed {SEED}")
    for i, instant in enumerate(instants(SEED, count, reference, kinds)):
        print(f"kill {i}: {instant}")
        require_survival(driver, prepare, tmp_path / f"data_{i}", instant, reference)


def test_killed_run_is_ended_by_the_next(reference: Reference, tmp_path: Path) -> None:
    survive(DRIVER, 5, KINDS, reference, tmp_path)


def test_killed_run_with_workers_is_ended_by_the_next(reference: Reference, tmp_path: Path) -> None:
    survive(WITH_WORKERS, 1, ("time",), reference, tmp_path)


@pytest.mark.slow
def test_twenty_kills(reference: Reference, tmp_path: Path) -> None:
    survive(DRIVER, 20, KINDS, reference, tmp_path)


@pytest.mark.slow
def test_twenty_kills_with_workers(reference: Reference, tmp_path: Path) -> None:
    survive(WITH_WORKERS, 20, ("time",), reference, tmp_path)


def test_run_that_is_killed_again_and_again_comes_to_its_end(reference: Reference, tmp_path: Path) -> None:
    root = tmp_path / "data"
    prepare(root)
    for _ in range(3):
        assert run_killed(DRIVER, root, Instant("publish", 7), reference), "each gets seven commits further"
    run_whole(DRIVER, root)
    require_equal(DRIVER, root, reference)


def test_two_runs_at_once_race_harmlessly(reference: Reference, tmp_path: Path) -> None:
    require_harmless_race(DRIVER, prepare, tmp_path / "data", reference)
