"""Windows, ratios, draws and bytes of a folder, against known figures and against what the manifest makes."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from bgb_assets.modalities.eeg.manifest_params import ManifestParams
from bgb_assets.modalities.eeg.planning.outlook import OutlookParams, outlook
from bgb_assets.modalities.eeg.planning.seen import look
from bgb_assets.modalities.eeg.raw import RawParams
from bgb_assets.modalities.eeg.signal.params import FeatureParams
from bgb_assets_tests.fixtures import shared_data
from bgb_assets_tests.modalities.eeg.annotations.annotation_files import csv_event, csv_rows, write
from bgb_assets_tests.modalities.eeg.uploads import write_upload


def told(folder: Path, **params):
    return outlook(look(folder, RawParams()), OutlookParams(**params)).to_json()


def test_44_real_label_files_give_the_known_windows() -> None:
    found = outlook(look(shared_data("eeg") / "seizeit2", RawParams()))
    said = found.to_json()
    whole = said["windows"]["all"]
    assert (said["recordings"], said["patients"], round(said["hours"], 2)) == (44, 19, 408.53)
    assert (said["seizures"], said["recordings_with_seizure"]) == (68, 25)
    assert [whole[name] for name in ("windows", "none", "partial", "full")] == [146_831, 145_997, 587, 247]
    assert whole["positive_samples"] == 6_714_624
    assert whole["epoch"] == {
        "windows": 2_230, "none": 1_467, "partial": 587, "full": 176, "seizure_ratio": 763 / 2_230
    }  # fmt: skip
    digest = hashlib.sha256(found.drawn().astype("<i8").tobytes()).hexdigest()
    assert digest == "5c1b938e5cc57c29adf14ff81daf1be6df6b411d9f32dde10e8928f478bb4e3f"
    assert sum(said["windows"][split]["windows"] for split in ("train", "val", "test")) == 146_831


def test_bytes_are_those_of_the_stages(tmp_path: Path) -> None:
    write_upload(tmp_path, "p1_a", seconds=4, rates_hz=200)
    sizes = told(tmp_path)["bytes"]
    assert sizes["cache"] == 4 * 200 * 19 * 2
    assert sizes["features"] == 4 * 256 * 19 * 2
    assert told(tmp_path, features=FeatureParams(montage="bipolar18"))["bytes"]["features"] == 4 * 256 * 18 * 2
    write(tmp_path / "p2_a.csv_bi", csv_rows())
    assert told(tmp_path)["bytes"]["cache"] is None


def test_splits_of_the_source_win_and_a_torn_patient_is_told(tmp_path: Path) -> None:
    for folder in ("train", "dev", "eval"):
        (tmp_path / folder).mkdir()
    write(tmp_path / "train" / "aaaaaaaa_s001_t000.csv_bi", csv_rows(csv_event(10, 30)))
    write(tmp_path / "dev" / "bbbbbbbb_s001_t000.csv_bi", csv_rows())
    write(tmp_path / "eval" / "cccccccc_s001_t000.csv_bi", csv_rows())
    said = told(tmp_path)
    assert [said["windows"][name]["windows"] for name in ("train", "val", "test")] == [122, 122, 122]
    assert said["windows"]["val"]["epoch"]["windows"] == 0
    assert said["windows"]["val"]["pos_weight"] is None
    assert said["problems"] == []
    write(tmp_path / "eval" / "aaaaaaaa_s002_t000.csv_bi", csv_rows())
    assert told(tmp_path)["problems"] == [
        "patient 'aaaaaaaa' is in train and test: move all recordings of one patient into one split"
    ]


def test_params_decide_windows(tmp_path: Path) -> None:
    write(tmp_path / "p1_a.csv_bi", csv_rows(csv_event(10, 30)))
    found = told(tmp_path, manifest=ManifestParams(window_s=10.0, stride_s=5.0))
    # 10 to 30 s: full from 10, 15 and 20 s on; part of it from 5 and 25 s on.
    assert [found["windows"]["all"][name] for name in ("windows", "partial", "full")] == [254, 2, 3]


def test_unlabelled_recordings_make_no_window(tmp_path: Path) -> None:
    write_upload(tmp_path, "p1_a", seconds=4)
    (tmp_path / "p1_a.csv_bi").unlink()
    found = outlook(look(tmp_path, RawParams(unlabelled="inference_only")))
    assert found.to_json()["unlabelled"] == 1
    assert found.windows.start.tolist() == []
    assert found.drawn().dtype == np.int64


def test_short_recording_has_one_padded_window(tmp_path: Path) -> None:
    write_upload(tmp_path, "p1_a", seconds=4)
    whole = told(tmp_path)["windows"]["all"]
    assert (whole["windows"], whole["valid_samples"], whole["positive_samples"]) == (1, 1_024, 256)
    assert whole["positive_sample_ratio"] == pytest.approx(0.25)
