"""`bgb export eeg`, on a store that `bgb ingest` and `bgb materialize` filled."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from bgb_assets_tests.test_cli import bgb, root_in_use

COUNTS = {"full_seizure", "no_seizure", "partial_seizure"}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data root with two made-up recordings, up to date through tokens."""
    folder = tmp_path_factory.mktemp("made")
    with root_in_use(folder / "data") as root:
        assert bgb("synth", "eeg", folder / "recordings", "-n", 2, "--seed", 5).code == 0
        assert bgb("ingest", "eeg", folder / "recordings").code == 0
        assert bgb("materialize", "eeg").code == 0
    return root


@pytest.fixture
def root(built: Path) -> Iterator[Path]:
    with root_in_use(built) as held:
        yield held


def test_windows_by_class_name_signals_of_the_store(root: Path, tmp_path: Path) -> None:
    said = bgb("export", "eeg", tmp_path / "manifest.json", "--json").json()
    held = json.loads((tmp_path / "manifest.json").read_text())
    assert held.keys() == COUNTS
    assert said["windows"] == {name: len(items) for name, items in held.items()}
    # Two minutes of one-minute windows each ten seconds: seven of each recording.
    assert sum(said["windows"].values()) == 14
    assert all(item.keys() == {"cache_file", "window_idx"} for items in held.values() for item in items)
    assert all((Path(said["root"]) / item["cache_file"]).is_file() for items in held.values() for item in items)


def test_splits_add_up(root: Path, tmp_path: Path) -> None:
    counts = [
        sum(bgb("export", "eeg", tmp_path / f"{split}.json", "--split", split, "--json").json()["windows"].values())
        for split in ("train", "val", "test")
    ]
    assert sum(counts) == 14


def test_what_cannot_be_exported_is_said(root: Path, tmp_path: Path) -> None:
    said = bgb("export", "eeg", tmp_path / "manifest.json", "--split", "dev")
    assert (said.code, "split must be one of ('train', 'val', 'test'), got 'dev'" in said.err) == (2, True)
    said = bgb("export", "eeg", tmp_path / "none" / "manifest.json")
    assert (said.code, "must be a file in a folder that exists" in said.err) == (2, True)


def test_without_a_manifest_the_way_to_one_is_told(tmp_path: Path) -> None:
    with root_in_use(tmp_path / "data"):
        said = bgb("export", "eeg", tmp_path / "manifest.json")
    assert (said.code, "there is no manifest yet; `bgb materialize eeg` makes one" in said.err) == (2, True)
