import json
from dataclasses import asdict
from pathlib import Path

import pytest

from bgb_assets.modalities.eeg.detection.postprocess import PostprocessParams
from bgb_assets.modalities.eeg.detection.trained import load_detector
from bgb_assets.modalities.eeg.signal.params import FeatureParams
from bgb_assets.runtime.errors import TrainingError
from bgb_assets_tests.modalities.eeg.detection.made_recordings import write_model

POSTPROCESS = PostprocessParams(tau_on=0.4, tau_off=0.32)


def test_a_directory_tells_all_that_detection_needs(tmp_path: Path) -> None:
    trained = load_detector(write_model(tmp_path / "model", POSTPROCESS))
    assert trained.features == FeatureParams()
    assert trained.postprocess == POSTPROCESS
    assert trained.said_as["variant"] == "sdpa-tiny"
    assert len(trained.said_as["weights"]) == 64
    assert not trained.network.training


@pytest.mark.parametrize(
    ("field", "value", "where"),
    [
        ("lineage", {}, r"signals of stage cache in code version None, this bgb_assets makes them in version '1'"),
        (
            "lineage",
            {"cache": {"code_version": "1"}, "features": {"code_version": "99", "params": asdict(FeatureParams())}},
            r"stage features in code version '99', .* train the model again, or use the bgb_assets that made it",
        ),
        (
            "lineage",
            {"cache": {"code_version": "1"}, "features": {"code_version": "1"}},
            r"lineage\.features\.params must hold",
        ),
        (
            "lineage",
            {"cache": {"code_version": "1"}, "features": {"code_version": "1", "params": {"notch_hz": 50}}},
            r"got \['notch_hz'\]",
        ),
        ("postprocess", {"tau_on": 0.5}, r"postprocess must hold .* got \['tau_on'\]"),
    ],
)
def test_a_model_that_does_not_say_how_it_hears_is_refused(tmp_path: Path, field: str, value, where: str) -> None:
    directory = write_model(tmp_path / "model", POSTPROCESS, **{field: value})
    with pytest.raises(TrainingError, match=where):
        load_detector(directory)


def test_a_directory_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"config\.json"):
        load_detector(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"format": 7}))
    with pytest.raises(TrainingError, match="format must be"):
        load_detector(tmp_path)


def test_a_model_of_a_later_format_is_refused_with_both(tmp_path: Path) -> None:
    directory = write_model(tmp_path / "model", POSTPROCESS)
    held = json.loads((directory / "config.json").read_text())
    (directory / "config.json").write_text(json.dumps(held | {"format": 2}))
    with pytest.raises(TrainingError, match="format must be 1, got 2"):
        load_detector(directory)


def test_a_network_that_the_weights_do_not_fit_is_refused(tmp_path: Path) -> None:
    directory = write_model(tmp_path / "model", POSTPROCESS)
    held = json.loads((directory / "config.json").read_text())
    held["params"]["shape"]["electrodes"] = 18
    (directory / "config.json").write_text(json.dumps(held))
    with pytest.raises(TrainingError, match=r"model\.safetensors: "):
        load_detector(directory)
