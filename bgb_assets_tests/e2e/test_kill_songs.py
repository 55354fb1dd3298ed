"""The real chain over songs, from upload to trained model, killed at any instant: training goes on bit for bit."""

import os
import shutil
from pathlib import Path

import pytest

from bgb_assets_tests.e2e.killing import (
    Driver,
    Reference,
    instants,
    reference_of,
    require_harmless_race,
    require_survival,
)
from bgb_assets_tests.fixtures import REPOSITORY

SEED = int(os.environ.get("BGB_KILL_SEED", "20"))
SONGS = 5
STEPS = 12
DRIVER = Driver("bgb_assets.modalities.beatmap:MODALITY", "beatmap")
CONFIG = f"""
[inbox]
settle_s = 0.0
[beatmap.model.tiny.training]
steps = {STEPS}
batch = 2
validate_every_steps = 4
"""
KINDS = ("step", "publish", "call", "time")
"""In turn: in mid-training, between record and rename, inside a stage, anywhere."""


def prepare(root: Path) -> None:
    """Make a data root with songs of every split in its inbox."""
    root.mkdir()
    (root / "config.toml").write_text(CONFIG)
    samples = sorted((REPOSITORY / "data" / "samples" / "beatmap").glob("song_*"))
    # The first is a test song, the last one of validation; the others train.
    for song in [*samples[: SONGS - 3], *samples[-3:]]:
        shutil.copytree(song, root / "inbox" / "beatmap" / song.name)


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Reference:
    """What a run that nobody kills makes."""
    return reference_of(DRIVER, prepare, tmp_path_factory.mktemp("reference") / "data")


def survive(count: int, reference: Reference, tmp_path: Path) -> None:
    """Kill `count` runs, each once, and let another end each."""
    print(f"kill seed {SEED}")
    for i, instant in enumerate(instants(SEED, count, reference, KINDS, STEPS)):
        print(f"kill {i}: {instant}")
        require_survival(DRIVER, prepare, tmp_path / f"data_{i}", instant, reference)


def test_killed_chain_and_training_are_ended_by_the_next_run(reference: Reference, tmp_path: Path) -> None:
    survive(2, reference, tmp_path)


@pytest.mark.slow
def test_twenty_kills(reference: Reference, tmp_path: Path) -> None:
    survive(20, reference, tmp_path)


@pytest.mark.slow
def test_two_runs_at_once_make_what_one_makes(reference: Reference, tmp_path: Path) -> None:
    require_harmless_race(DRIVER, prepare, tmp_path / "data", reference)
