"""Model directories: what is taken, and what is refused with what was got and expected."""

import json

import pytest

from bgb_assets.modalities.mri.conform.params import ConformParams
from bgb_assets.modalities.mri.learning.variants import Shape
from bgb_assets.modalities.mri.segmentation.trained import (
    FEATURES_VERSIONS,
    load_models,
    require_conformed,
    volume_fields,
)
from bgb_assets.modalities.registry import modalities
from bgb_assets.runtime.errors import TrainingError, UsageError
from bgb_assets_tests.modalities.mri.segmentation.models import SMALL, random_network, write_model


@pytest.fixture
def model(tmp_path):
    return write_model(tmp_path / "model", random_network(0))


def changed(directory, **config):
    path = directory / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | config))
    return directory


def test_a_model_says_how_its_volumes_were_made(model):
    models = load_models([model])
    assert (models.conform, models.variant, len(models.networks)) == (SMALL, "meshnet-5", 1)
    assert not models.networks[0].training
    assert models.said_as[0]["seed"] == 42


def test_what_single_uploads_changed_counts_more_than_the_settings(tmp_path):
    grid = volume_fields(ConformParams(shape=(32, 32, 32), store="u16"))
    model = write_model(tmp_path / "model", random_network(0), upstream={"grid": grid})
    assert load_models([model]).conform == ConformParams(shape=(32, 32, 32), store="u16")


def test_another_variant_is_refused(model, tmp_path):
    other = write_model(tmp_path / "other", random_network(0, Shape(3, (1,), 2, 0.0)), variant="meshnet-16")
    with pytest.raises(UsageError, match="other: variant must be 'meshnet-5', got 'meshnet-16'"):
        load_models([model, other])
    with pytest.raises(UsageError, match="model: variant must be 'meshnet-26', got 'meshnet-5'"):
        load_models([model], "meshnet-26")
    assert load_models([model], "meshnet-5").variant == "meshnet-5"


def test_volumes_made_otherwise_are_refused(model, tmp_path):
    other = write_model(tmp_path / "other", random_network(0), ConformParams(shape=(96, 96, 80), normalise="p99"))
    with pytest.raises(UsageError, match=r"zoom_mm 1.0, expected 2.5; normalise 'p99', expected 'minmax'"):
        load_models([model, other])
    own = volume_fields(SMALL)
    require_conformed(own, own, "the manifest", "the model")
    with pytest.raises(
        UsageError, match=r"^the manifest: .* the model were: got shape \[8, 8, 8\], expected \[96, 96, 80\];"
    ):
        require_conformed(own | {"shape": [8, 8, 8]}, own, "the manifest", "the model")


def test_other_code_made_its_volumes(tmp_path):
    for number, version in enumerate(("999", None)):
        model = write_model(tmp_path / str(number), random_network(0), version=version)
        with pytest.raises(TrainingError, match=rf"in code version {version!r}, this bgb_assets makes them in '1'"):
            load_models([model])


def test_the_versions_that_are_known_are_those_of_the_stage():
    assert {one.stage("features").code_version for one in modalities() if one.name == "mri"} <= FEATURES_VERSIONS


def test_what_is_no_model_of_lesions_is_refused(model, tmp_path):
    with pytest.raises(UsageError, match="at least one"):
        load_models([])
    with pytest.raises(TrainingError, match=r"config.json: cannot be read"):
        load_models([tmp_path])
    with pytest.raises(TrainingError, match=r"params.shape must hold .*'dilations'.* got None"):
        load_models([changed(model, params={"windows": 3})])


def test_a_model_that_does_not_know_its_grid_is_refused(model):
    with pytest.raises(TrainingError, match=r"upstream.grid must hold .*'zoom_mm'.* got \{'shape': \[1\]\}"):
        load_models([changed(model, upstream={"grid": {"shape": [1]}})])


def test_weights_of_another_shape_are_refused(model):
    params = json.loads((model / "config.json").read_text())["params"]
    params["shape"]["channels"] = 3
    with pytest.raises(TrainingError, match=r"tensor .* must be"):
        load_models([changed(model, params=params)])
