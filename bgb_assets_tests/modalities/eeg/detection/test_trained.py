import json
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
        ("lineage", {}, r"lineage\.features\.params must hold"),
        ("lineage", {"features": {"params": {"notch_hz": 50}}}, r"got \['notch_hz'\]"),
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
