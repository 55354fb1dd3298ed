"""`bgb export mri --onnx` on a run of an experiment: files, verdicts, and what cannot be exported."""

import json
from contextlib import nullcontext

import pytest

from bgb_assets.commands import mri_export
from bgb_assets.modalities.mri.export import judging
from bgb_assets_tests.modalities.mri.trained_runs import SCANS, ingested, small_chain, trained
from bgb_assets_tests.test_cli import bgb

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
RUN = "meshnet-5@fold-0_restart-0"


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    root = ingested(tmp_path_factory.mktemp("scans") / "data")
    trained(small_chain(root), folds=1, restarts=1)
    return root


@pytest.fixture
def root(built, monkeypatch):
    monkeypatch.setenv("BGB_DATA_ROOT", str(built))
    monkeypatch.setattr(mri_export, "opened_chain", lambda name, workers: nullcontext(small_chain(built)))
    return built


def test_files_lie_beside_what_they_are_worth(root, tmp_path):
    said = bgb("export", "mri", tmp_path, "--onnx", "--variant", RUN, "--forms", "float16", "--json").json()
    assert {path.name for path in tmp_path.iterdir()} == {"model.float32.onnx", "model.float16.onnx", "export.json"}
    told = json.loads((tmp_path / "export.json").read_bytes())
    assert told.items() <= said.items()
    assert len(told["test"]["scans"]) == SCANS // 3
    assert told["upstream"]["grid"]["shape"] == [24, 24, 24]
    assert told["calibration"]["scans"] == []


def test_a_form_that_is_not_good_enough_is_kept_and_said_so(root, tmp_path, monkeypatch):
    monkeypatch.setattr(judging, "DICE_LOSS_LIMIT", {"float32": -1.0})
    said = bgb("export", "mri", tmp_path, "--onnx", "--variant", RUN, "--forms", "float32")
    assert said.code == 0
    assert "REFUSED: may lose -1" in said.out
    assert "not good enough to be used: model.float32.onnx; kept, with `accepted: false`" in said.out
    assert (tmp_path / "model.float32.onnx").is_file()


def test_what_cannot_be_exported_is_said(root, tmp_path):
    said = bgb("export", "mri", tmp_path)
    assert (said.code, "writes ONNX files: give --onnx" in said.err) == (2, True)
    said = bgb("export", "mri", tmp_path, "--onnx")
    assert (said.code, f"name a run of an experiment as variant: {RUN}" in said.err) == (2, True)
