import pytest

from bgb_assets.modalities.mri.conform.params import ConformParams
from bgb_assets.runtime.errors import ConfigError


@pytest.mark.parametrize(
    "wrong",
    [
        {"shape": (256, 256)},
        {"shape": (256, 0, 256)},
        {"shape": (256, 2048, 256)},
        {"zoom_mm": 0.0},
        {"zoom_mm": float("nan")},
        {"interpolation": "cubic"},
        {"normalise": "max"},
        {"store": "f32"},
    ],
)
def test_what_makes_no_volume_is_refused_with_its_name(wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        ConformParams(**wrong)


def test_the_defaults_are_one_millimetre_of_256():
    params = ConformParams()
    assert (params.shape, params.zoom_mm, params.store, params.normalise) == ((256,) * 3, 1.0, "f16", "minmax")
