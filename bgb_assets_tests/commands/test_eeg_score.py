"""`bgb score eeg`, as a person and as a script see it."""

import json
from pathlib import Path

import pytest

from bgb_assets.commands.eeg_score import score
from bgb_assets.runtime.errors import BadInput, UsageError
from bgb_assets_tests.fixtures import shared_data
from bgb_assets_tests.modalities.eeg.scoring.test_folders import write_csv_bi
from bgb_assets_tests.test_cli import bgb


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    for patient, (true, detected) in enumerate([([(100, 150)], [(110, 140), (250, 260)]), ([(30, 60)], [])]):
        write_csv_bi(tmp_path / "ref" / f"p{patient}_1.csv_bi", true, 600.0)
        write_csv_bi(tmp_path / "hyp" / f"p{patient}_1.csv_bi", detected, 600.0)
    return tmp_path / "ref", tmp_path / "hyp"


def test_a_person_reads_counts_and_figures(folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    score(*folders, missing="error", resamples=50, seed=0, as_json=False)
    lines = {line.split()[0]: line.split()[1:] for line in capsys.readouterr().out.splitlines() if line.split()}
    assert lines["2"][:5] == ["recordings", "of", "2", "patients,", "0.33"]
    assert lines["szcore_event"] == ["1", "1", "2", "1200"]
    assert lines["szcore_event_sensitivity"] == ["0.5000", "0", "to", "1"]
    assert lines["nedc_overlap_fa_per_24h"][0] == "72"


def test_a_script_reads_json(folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    score(*folders, missing="error", resamples=50, seed=0, as_json=True)
    found = json.loads(capsys.readouterr().out)
    assert found["counts"]["szcore_event"] == {"duration_s": 1200.0, "fp": 1.0, "reference": 2.0, "tp": 1.0}
    assert found["scores"]["szcore_event_sensitivity"]["value"] == 0.5
    assert found["by_patient"]["p1"]["nedc_overlap"]["tp"] == 0.0
    assert found["missing"] == []


def test_a_missing_file_counts_as_no_event_only_when_told(
    folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    (folders[1] / "p1_1.csv_bi").unlink()
    with pytest.raises(BadInput, match="1 of 2 recordings are missing"):
        score(*folders, missing="error", resamples=50, seed=0, as_json=False)
    score(*folders, missing="empty", resamples=50, seed=0, as_json=False)
    assert "no hypothesis, counted as no event: p1_1" in capsys.readouterr().out


def test_options_that_mean_nothing_are_refused(folders: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--missing takes error or empty, got 'skip'"):
        score(*folders, missing="skip", resamples=50, seed=0, as_json=False)
    with pytest.raises(UsageError, match="--resamples takes a number above 0"):
        score(*folders, missing="error", resamples=0, seed=0, as_json=False)
    with pytest.raises(UsageError, match=r"--hyp .*: no such folder"):
        score(folders[0], tmp_path / "none", missing="error", resamples=50, seed=0, as_json=False)


def test_real_labels_against_themselves_are_perfect(capsys: pytest.CaptureFixture[str]) -> None:
    folder = shared_data("eeg") / "seizeit2"
    score(folder, folder, missing="error", resamples=20, seed=0, as_json=True)
    found = json.loads(capsys.readouterr().out)
    assert (found["recordings"], found["patients"]) == (44, 19)
    assert found["scores"]["nedc_taes_f1"]["value"] == 1.0


def test_the_verb_as_typed(folders: tuple[Path, Path]) -> None:
    said = bgb("score", "eeg", "--ref", folders[0], "--hyp", folders[1], "--resamples", "20", "--json")
    assert (said.code, said.json()["recordings"]) == (0, 2)
    (folders[1] / "p0_1.csv_bi").unlink()
    said = bgb("score", "eeg", "--ref", folders[0], "--hyp", folders[1])
    assert said.code == 1
    assert "1 of 2 recordings are missing, the first is 'p0_1'" in said.err
    assert bgb("score", "eeg", "--ref", folders[0], "--hyp", folders[0] / "none").code == 2
