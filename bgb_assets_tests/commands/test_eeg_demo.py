"""`bgb demo eeg` as a person types it, small: four patients of a minute, training that only shows that it runs."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from bgb_assets.commands.eeg_demo import TRUTH_FILE, made_recordings
from bgb_assets_tests.test_cli import Said, bgb, configure, root_in_use

TRAINING = """
[eeg.model.sdpa-tiny.training]
steps = 2
batch = 2
validate_every_steps = 2
"""
SMALL = ("demo", "eeg", "--patients", 4, "--minutes", 1)


@dataclass(frozen=True)
class Shown:
    """A data root after the demo, what it said and what was logged."""

    root: Path
    said: Said
    logged: list[str]

    @property
    def generated(self) -> Path:
        return self.root / "generated" / "eeg"


@contextmanager
def logged_by(name: str) -> Iterator[list[str]]:
    """Collect what a logger says; pytest's own handlers are made anew for each test."""
    lines: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger(name)
    logger.addHandler(handler)
    yield lines
    logger.removeHandler(handler)


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    with root_in_use(tmp_path_factory.mktemp("shown") / "data") as root:
        configure(root, TRAINING)
        with logged_by("bgb_assets") as lines:
            said = bgb(*SMALL)
        yield Shown(root, said, lines)


def test_it_ends_with_a_model_scores_and_pictures(shown: Shown) -> None:
    assert (shown.said.code, shown.said.err) == (0, "")
    assert shown.logged == [
        "[DATASET] BalancedSeizureDataset: 2 windows from manifest",
        "[DATASET] Using BalancedSeizureDataset known distribution",
        "[DATASET] Seizure ratio: 100.0% (from manifest)",
        "[DATASET] Using pos_weight: 1.00 (sqrt scaling)",
    ]
    lines = shown.said.out.splitlines()
    model = Path(next(line for line in lines if line.startswith("model: ")).removeprefix("model: "))
    assert json.loads((model / "config.json").read_bytes())["variant"] == "sdpa-tiny"
    assert "1 recordings of 1 patients, 0.02 h" in lines
    assert any(line.startswith("szcore_event_f1 ") for line in lines)
    assert (shown.generated / "report" / "index.html").is_file()
    assert str(shown.generated / "report" / "index.html") in lines
    drawn = {path.name.split(".")[0] for path in (shown.generated / "report" / "corpus").iterdir()}
    assert drawn >= {"manifest-timeline", "model-sdpa-tiny-curves"}


def test_patients_are_dealt_and_the_unseen_one_is_listened_to(shown: Shown) -> None:
    truth = json.loads(next(shown.generated.glob("recordings_*/truth.json")).read_bytes())
    assert [one["path"].split("/")[0] for one in truth["recordings"]] == ["train", "train", "dev", "eval"]
    (found,) = shown.generated.glob("*_found")
    assert [path.stem for path in found.glob("*.csv_bi")] == ["sub-s7p003_task-synthetic_run-00_eeg"]


def test_what_was_made_is_not_made_again(shown: Shown) -> None:
    (recordings,) = shown.generated.glob("recordings_*")
    before = {path: path.stat().st_mtime_ns for path in recordings.rglob("*.edf")}
    assert len(before) == 4
    assert made_recordings(shown.generated, 4, 1.0, 7) == recordings
    assert {path: path.stat().st_mtime_ns for path in before} == before
    with root_in_use(shown.root):
        configure(shown.root, TRAINING)
        again = bgb("materialize", "eeg", "--through", "model").out.splitlines()
    assert again[-1] == "eeg/model: 1 hit"
    assert "eeg/features: 4 hit" in again


def test_recordings_of_an_interrupted_demo_are_made_again(tmp_path: Path) -> None:
    recordings = made_recordings(tmp_path, 4, 1.0, 7)
    content = {path: path.read_bytes() for path in recordings.rglob("*.edf")}
    (recordings / TRUTH_FILE).unlink()
    next(iter(content)).write_bytes(b"")
    assert made_recordings(tmp_path, 4, 1.0, 7) == recordings
    assert {path: path.read_bytes() for path in content} == content
