"""`bgb detect` and `bgb stream` as a person types them, with an untrained model whose thresholds settle the result."""

from pathlib import Path

import numpy as np
import pytest
from epilepsy2bids.annotations import Annotations

from bgb_assets.commands import eeg_detect
from bgb_assets.modalities.eeg.detection.postprocess import PostprocessParams
from bgb_assets.modalities.eeg.electrodes import CANONICAL
from bgb_assets_tests.modalities.eeg.detection.made_recordings import write_model, write_recording
from bgb_assets_tests.modalities.eeg.recordings.edf_files import write_edf
from bgb_assets_tests.test_cli import bgb

EVERYTHING = PostprocessParams(tau_on=0.02, tau_off=0.01)
NOTHING = PostprocessParams(tau_on=0.9999, tau_off=0.9998)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_recording(tmp_path_factory.mktemp("night") / "night.edf", 40)


@pytest.fixture(scope="module")
def eager(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("eager"), EVERYTHING)


def test_detect_says_and_writes_what_it_found(recording: Path, eager: Path, tmp_path: Path) -> None:
    said = bgb("detect", recording, "--model", eager, "-o", tmp_path)
    assert (said.code, said.err) == (0, "")
    warning, first, total, *written = said.out.splitlines()
    assert warning == "warning: the band ends at 98 Hz, not at 120 Hz: the recording has 200 Hz"
    assert first.startswith("seizure 0:00:00.0 to 0:00:40.0, 40.0 s, confidence 0.")
    assert total == "night: 1 seizures in 0:00:40.0"
    names = [Path(line.removeprefix("written: ")).name for line in written]
    assert sorted(names) == sorted(path.name for path in tmp_path.iterdir())
    assert "night.csv_bi" in names
    assert Annotations.loadTsv(str(tmp_path / "night_events.tsv")).getEvents() == [(0.0, 40.0)]
    assert np.load(tmp_path / "night_probabilities.npy").shape == (640,)


def test_detect_prints_json(recording: Path, eager: Path) -> None:
    found = bgb("detect", recording, "--model", eager, "--json").json()
    assert [(event["onset_s"], event["offset_s"]) for event in found["events"]] == [(0.0, 40.0)]
    assert found["files"] == {}
    assert found["made_with"]["model"]["variant"] == "sdpa-tiny"
    assert found["made_with"]["postprocess"]["tau_on"] == 0.02


def test_stream_and_like_stream_agree(recording: Path, eager: Path, tmp_path: Path) -> None:
    said = bgb("stream", recording, "--model", eager, "--speed", "0", "-o", tmp_path)
    assert said.code == 0
    told, *rest = said.out.splitlines()
    assert told.startswith("0:00:40.0  seizure 0:00:30.0 to 0:00:40.0, 10.0 s")
    assert "not evaluated: 0:00:00.0 to 0:00:30.0" in rest
    live = bgb("stream", recording, "--model", eager, "--speed", "0", "--json").json()
    whole = bgb("detect", recording, "--model", eager, "--like-stream", "--json").json()
    for first, second in zip(live["events"], whole["events"], strict=True):
        assert first == pytest.approx(second, abs=1e-5)
    assert (live["made_with"]["mode"], whole["made_with"]["mode"]) == ("stream", "like stream")


def test_a_stream_plays_no_faster_than_asked(recording: Path, eager: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(eeg_detect.time, "monotonic", lambda: 0.0)
    monkeypatch.setattr(eeg_detect.time, "sleep", slept.append)
    eeg_detect.stream(recording, eager, None, speed=20.0, as_json=True)
    assert slept[0] == pytest.approx(0.5 / 20)
    assert slept[-1] == pytest.approx(40 / 20)


def test_without_seizures_there_is_one_row_of_background(recording: Path, tmp_path: Path) -> None:
    calm = write_model(tmp_path / "calm", NOTHING)
    said = bgb("detect", recording, "--model", calm, "-o", tmp_path / "out")
    assert "night: 0 seizures in 0:00:40.0" in said.out
    _, row = (tmp_path / "out" / "night_events.tsv").read_text().splitlines()
    assert row.startswith("0.0000\t40.0000\tbckg\t")


def test_a_container_of_szcore(eager: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_recording(tmp_path / "data" / "sub-01" / "eeg" / "sub-01_run-00_eeg.edf", 40)
    monkeypatch.setattr(eeg_detect, "CONTAINER_INPUT", tmp_path / "data")
    monkeypatch.setattr(eeg_detect, "CONTAINER_OUTPUT", tmp_path / "output")
    monkeypatch.setenv("INPUT", "sub-01/eeg/sub-01_run-00_eeg.edf")
    monkeypatch.setenv("OUTPUT", "sub-01/eeg/sub-01_run-00_events.tsv")
    said = bgb("detect", "--model", eager)
    assert (said.code, said.err) == (0, "")
    written = tmp_path / "output" / "sub-01" / "eeg" / "sub-01_run-00_events.tsv"
    assert Annotations.loadTsv(str(written)).getEvents() == [(0.0, 40.0)]


def test_a_container_reads_recordings_against_the_average(
    eager: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Benchmarks re-reference what they hand over: `Fp1-Avg` and so on."""
    write_edf(tmp_path / "data" / "night.edf", [f"{name}-Avg" for name in CANONICAL], seconds=40)
    monkeypatch.setattr(eeg_detect, "CONTAINER_INPUT", tmp_path / "data")
    monkeypatch.setattr(eeg_detect, "CONTAINER_OUTPUT", tmp_path / "output")
    monkeypatch.setenv("INPUT", "night.edf")
    monkeypatch.setenv("OUTPUT", "night.tsv")
    said = bgb("detect", "--model", eager)
    assert (said.code, said.err) == (0, "")
    assert Annotations.loadTsv(str(tmp_path / "output" / "night.tsv")).getEvents() == [(0.0, 40.0)]


def test_a_model_of_another_code_version_is_refused(recording: Path, tmp_path: Path) -> None:
    later = write_model(tmp_path / "later", EVERYTHING, lineage={"cache": {"code_version": "9"}})
    said = bgb("detect", recording, "--model", later)
    assert (said.code, said.out) == (1, "")
    assert "stage cache in code version '9'" in said.err


def test_what_cannot_be_done_is_said(recording: Path, eager: Path, tmp_path: Path) -> None:
    assert "give a recording, or set INPUT and OUTPUT" in bgb("detect").err
    missing = bgb("detect", tmp_path / "none.edf", "--model", eager)
    assert (missing.code, "no such recording" in missing.err) == (2, True)
    slow = bgb("stream", recording, "--model", eager, "--speed", "-1")
    assert (slow.code, "--speed takes 0" in slow.err) == (2, True)
    (tmp_path / "notes.txt").write_text("nothing")
    refused = bgb("detect", tmp_path / "notes.txt", "--model", eager)
    assert (refused.code, "notes.txt is no recording" in refused.err) == (1, True)


@pytest.mark.parametrize(("seconds", "text"), [(0.0, "0:00:00.0"), (59.96, "0:01:00.0"), (3_754.5, "1:02:34.5")])
def test_times_for_people(seconds: float, text: str) -> None:
    assert eeg_detect.clock(seconds) == text
