import pytest

from bgb_assets.modalities.eeg.signal.params import FeatureParams
from bgb_assets.runtime.errors import ConfigError
from bgb_assets.runtime.settings import overlay


def test_what_is_stored_is_standard_deviations_or_microvolts():
    assert FeatureParams().step == 10 / 32_767
    assert FeatureParams(clip=5.0).step == 5 / 32_767
    assert FeatureParams(norm="none").step == 0.1


@pytest.mark.parametrize(
    ("params", "told"),
    [
        ({"bandpass_hz": (40.0, 1.0)}, "two rising positive numbers"),
        ({"bandpass_hz": (0.0, 40.0)}, "two rising positive numbers"),
        ({"notch_hz": -50.0}, "notch_hz must be positive"),
        ({"clip": 0.0}, "clip must be positive"),
        ({"max_interpolated": -1}, "max_interpolated must be 0 or more"),
    ],
)
def test_values_that_make_no_sense(params, told):
    with pytest.raises(ConfigError, match=told):
        FeatureParams(**params)


def test_they_can_be_set_in_a_file():
    written = {"notch_hz": 50, "bandpass_hz": [1, 40], "montage": "bipolar18", "norm": "running", "phase": "zero"}
    params = overlay(FeatureParams(), written, "eeg features")
    assert (params.notch_hz, params.bandpass_hz, params.montage) == (50.0, (1.0, 40.0), "bipolar18")
    assert overlay(FeatureParams(), {"notch_hz": "auto"}, "eeg features").notch_hz == "auto"
    with pytest.raises(ConfigError, match="notch_hz"):
        overlay(FeatureParams(), {"notch_hz": "both"}, "eeg features")
