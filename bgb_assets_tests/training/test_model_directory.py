"""Model directories: same bytes, same outputs, and a clear word where something does not fit."""

import json
import pickle

import pytest
import torch
from safetensors.torch import load_file, save_file

from bgb_assets.runtime.errors import ResourceError, TrainingError
from bgb_assets.training.model_directory import load_model_directory, unique_tensors, write_model_directory
from bgb_assets_tests.training.tiny import TinyModel

CONFIG = {"variant": "tiny", "params": {"width": 6}}


def build(config):
    return TinyModel(config["params"]["width"])


def write(out, seed=0):
    torch.manual_seed(seed)
    model = TinyModel(6)
    out.mkdir()
    write_model_directory(out, model, CONFIG, {"loss": 1.5}, "# Tiny\n\n", {"index": "ab"})
    return model


def test_what_is_loaded_computes_the_same(tmp_path):
    model = write(tmp_path / "m")
    loaded = load_model_directory(tmp_path / "m", build)
    tokens = torch.arange(12).reshape(2, 6)
    assert torch.equal(loaded.model(tokens), model.eval()(tokens))
    assert not loaded.model.training
    assert loaded.config == {"format": 1, **CONFIG}
    assert loaded.metrics == {"loss": 1.5}
    assert loaded.model.head.weight is loaded.model.embedding.weight


def test_bytes_are_a_function_of_the_arguments(tmp_path):
    write(tmp_path / "one")
    write(tmp_path / "two")
    names = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert names == ["config.json", "metrics.json", "model.safetensors", "model_card.md", "run.json"]
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    assert (tmp_path / "one" / "model_card.md").read_text() == "# Tiny\n"


def test_tied_weights_are_written_once(tmp_path):
    write(tmp_path / "m")
    assert sorted(load_file(tmp_path / "m" / "model.safetensors")) == [
        "body.0.bias",
        "body.0.weight",
        "embedding.weight",
    ]
    assert list(unique_tensors(TinyModel(6))) == ["embedding.weight", "body.0.weight", "body.0.bias"]


def test_missing_and_unknown_tensors_are_named(tmp_path):
    write(tmp_path / "m")
    path = tmp_path / "m" / "model.safetensors"
    tensors = load_file(path)
    tensors["extra"] = tensors.pop("body.0.bias").clone()
    save_file(tensors, path)
    with pytest.raises(TrainingError, match=r"missing \['body.0.bias'\], unknown \['extra'\]"):
        load_model_directory(tmp_path / "m", build)


def test_another_shape_is_named(tmp_path):
    write(tmp_path / "m")
    with pytest.raises(TrainingError, match=r"'embedding.weight' must be torch.float32 \(32, 7\), got .* \(32, 6\)"):
        load_model_directory(tmp_path / "m", lambda config: TinyModel(7))


@pytest.mark.parametrize("name", ["config.json", "metrics.json", "model.safetensors"])
def test_missing_and_torn_files_are_named(tmp_path, name):
    write(tmp_path / "m")
    path = tmp_path / "m" / name
    path.write_bytes(path.read_bytes()[:9])
    with pytest.raises(TrainingError, match=name):
        load_model_directory(tmp_path / "m", build)
    path.unlink()
    with pytest.raises(TrainingError, match=name):
        load_model_directory(tmp_path / "m", build)


def test_another_format_is_refused(tmp_path):
    write(tmp_path / "m")
    (tmp_path / "m" / "config.json").write_text(json.dumps({"format": 2, **CONFIG}))
    with pytest.raises(TrainingError, match="format must be 1, got 2"):
        load_model_directory(tmp_path / "m", build)


def test_a_pickle_in_place_of_the_weights_is_not_run(tmp_path):
    write(tmp_path / "m")
    marker = tmp_path / "ran"

    class Trap:
        def __reduce__(self):
            return (open, (str(marker), "w"))

    (tmp_path / "m" / "model.safetensors").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(TrainingError, match="weights cannot be read"):
        load_model_directory(tmp_path / "m", build)
    assert not marker.exists()


def test_metrics_that_are_no_numbers_are_refused(tmp_path):
    with pytest.raises(ValueError, match="finite"):
        write_model_directory(tmp_path, TinyModel(6), CONFIG, {"loss": float("nan")}, "", {})


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(ResourceError, match=r"gone/model\.safetensors: cannot be written"):
        write_model_directory(tmp_path / "gone", TinyModel(6), CONFIG, {}, "", {})
