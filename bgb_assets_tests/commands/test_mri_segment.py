"""`bgb segment` as a person types it, with a network that calls lesion what is bright."""

import json
from pathlib import Path

import nibabel
import numpy as np
import pytest

from bgb_assets_tests.modalities.mri.nifti_files import nifti, packed, put
from bgb_assets_tests.modalities.mri.segmentation.models import bright_voxels, random_network, write_model
from bgb_assets_tests.test_cli import bgb


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("model") / "bright", bright_voxels(0.6))


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    values = np.random.default_rng(0).integers(80, 120, (30, 36, 28)).astype(np.int16)
    values[8:16, 10:20, 12:18] = 400
    folder = tmp_path_factory.mktemp("scans")
    return put(folder / "sub-01_T2w.nii.gz", packed(nifti(values, np.diag([-2.5, 2.5, 2.5, 1]))))


def test_segment_says_and_writes_what_it_found(scan: Path, model: Path, tmp_path: Path) -> None:
    said = bgb("segment", scan, "--model", model, "-o", tmp_path)
    assert (said.code, said.err) == (0, "")
    found, how, *written = said.out.splitlines()
    assert found == "sub-01_T2w.nii.gz: 7.50 ml of lesion, 480 voxels in 1 pieces"
    assert how == "by 1 x meshnet-5, engine full on cpu"
    assert sorted(Path(line.removeprefix("written: ")).name for line in written) == [
        "sub-01_T2w_desc-lesion_mask.json",
        "sub-01_T2w_desc-lesion_mask.nii.gz",
        "sub-01_T2w_desc-lesion_montage.png",
    ]
    assert np.asarray(nibabel.load(tmp_path / "sub-01_T2w_desc-lesion_mask.nii.gz").dataobj).sum() == 480


def test_segment_prints_json_of_several_models_in_little_memory(scan: Path, model: Path, tmp_path: Path) -> None:
    models = ("--model", model, "--model", model)
    options = ("--max-memory", "14MB", "--device", "cpu", "--probabilities", "--min-component-mm3", "100")
    said = bgb("segment", scan, *models, *options, "-o", tmp_path, "--json").json()
    assert said["lesion"]["volume_ml"] == 7.5
    assert len(said["models"]) == 2
    assert said["engine"]["name"] == "streamed"
    assert sorted(said["files"]) == ["json", "mask", "montage", "probabilities"]
    held = json.loads(Path(said["files"]["json"]).read_text())
    assert held == {name: value for name, value in said.items() if name != "files"}


def test_what_is_wrong_is_told_and_nothing_is_written(scan: Path, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    other = write_model(tmp_path / "other", random_network(0), variant="meshnet-16")
    cases = {
        "no such file": (scan.with_name("gone.nii.gz"), "--model", model),
        "variant must be 'meshnet-5', got 'meshnet-16'": (scan, "--model", model, "--model", other),
        "variant must be 'meshnet-26', got 'meshnet-5'": (scan, "--model", model, "--variant", "meshnet-26"),
        "--device takes auto, cpu, cuda, got 'tpu'": (scan, "--model", model, "--device", "tpu"),
        "--assume-orientation takes": (scan, "--model", model, "--assume-orientation", "up"),
        "'much' is no size": (scan, "--model", model, "--max-memory", "much"),
        "threshold must be": (scan, "--model", model, "--threshold", "1.5"),
    }
    for message, arguments in cases.items():
        said = bgb("segment", *arguments, "-o", out)
        assert said.code == 2, message
        assert message in said.err
    bad = put(tmp_path / "bad.nii.gz", packed(nifti(sform_code=0)))
    said = bgb("segment", bad, "--model", model, "-o", out)
    assert said.code == 1
    assert said.err.startswith("error: no_orientation: bad.nii.gz: qform_code and sform_code are 0")
    assert not out.exists()


def test_without_a_model_it_says_how_to_get_one(scan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BGB_DATA_ROOT", str(tmp_path))
    said = bgb("segment", scan, "-o", tmp_path / "out")
    assert said.code == 2
    assert "no model has been trained; `bgb train mri` trains one" in said.err
