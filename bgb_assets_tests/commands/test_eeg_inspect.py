"""`bgb inspect eeg`, as a person and as a script see it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bgb_assets_tests.fixtures import shared_data
from bgb_assets_tests.modalities.eeg.uploads import write_upload
from bgb_assets_tests.test_cli import bgb, configure, root_in_use


@pytest.fixture(autouse=True)
def root(tmp_path: Path) -> Iterator[Path]:
    with root_in_use(tmp_path / "data") as held:
        held.mkdir(parents=True, exist_ok=True)
        yield held


def test_a_person_reads_windows_ratio_and_bytes() -> None:
    said = bgb("inspect", "eeg", shared_data("eeg") / "seizeit2")
    assert (said.code, said.err) == (0, "")
    lines = said.out.splitlines()
    assert lines[0] == "44 recordings of 19 patients, 408.53 h; 68 seizures in 25 of them"
    whole = next(line.split() for line in lines if line.startswith("all "))
    assert whole[1:] == ["146831", "145997", "587", "247", "0.57%", "2230", "34.22%", "1.3866"]
    assert "features: 13.3 GiB" in lines
    assert "cache: not known without the recordings" in lines


def test_a_script_reads_json_and_nothing_is_written(tmp_path: Path, root: Path) -> None:
    write_upload(tmp_path / "uploads", "p1_a")
    write_upload(tmp_path / "uploads", "p2_a", rows="TERM,1.0000,2.0000,what,1.0000\n")
    found = bgb("inspect", "eeg", tmp_path / "uploads", "--json").json()
    assert found["recordings"] == 1
    assert found["windows"]["all"]["partial"] == 1
    assert list(found["refused"]) == ["p2_a"]
    assert found["signals_opened_before_first_batch"] == 0
    assert [path.name for path in root.iterdir()] == ["config.toml"]


def test_params_are_those_of_the_configuration(tmp_path: Path, root: Path) -> None:
    write_upload(tmp_path / "uploads", "p1_a", seconds=4)
    configure(root, "\n[eeg.manifest]\nwindow_s = 2.0\nstride_s = 1.0\n")
    assert bgb("inspect", "eeg", tmp_path / "uploads", "--json").json()["windows"]["all"]["windows"] == 3


def test_what_cannot_be_looked_at_is_said(tmp_path: Path) -> None:
    said = bgb("inspect", "eeg", tmp_path / "none")
    assert (said.code, "no such file or folder" in said.err) == (2, True)
    write_upload(tmp_path / "uploads", "p1_a")
    said = bgb("inspect", "eeg", tmp_path / "uploads", "--variant", "huge")
    assert (said.code, "no variant 'huge'" in said.err) == (2, True)
