import dataclasses
import json

import numpy as np
import pytest
import torch

from bgb_assets.loading.mapped import ShardStore
from bgb_assets.loading.randomness import Draw
from bgb_assets.modalities.beatmap import model
from bgb_assets.modalities.beatmap.learning.variants import SMALL, TINY, Shape, WindowParams
from bgb_assets.modalities.beatmap.manifest import ManifestParams
from bgb_assets.modalities.beatmap.sequences import vocabulary as v
from bgb_assets.modalities.beatmap.synth import synth
from bgb_assets.modalities.contract import FanIn
from bgb_assets.runtime.errors import TrainingError
from bgb_assets.storage.splits import SplitParams
from bgb_assets.training.fit import Machine, fit
from bgb_assets_tests.modalities.beatmap.songs_case import Store
from bgb_assets_tests.modalities.beatmap.tokens_case import TokenStore

PARAMS = dataclasses.replace(
    TINY,
    shape=Shape(width=32, heads=1, hidden=64, encoder_blocks=1, decoder_blocks=1, kernel=3),
    dropout=0.1,
    label_smoothing=0.05,
    window=WindowParams(bars=4, context_bars=1, redo_bars=1, max_tokens=256),
    training=dataclasses.replace(TINY.training, steps=24, batch=4, warmup_steps=2, validate_every_steps=12),
)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("model")
    synth(root / "inbox", 3, 1)
    songs = Store(root)
    for path in sorted((root / "inbox").iterdir()):
        if path.is_dir():
            songs.add(path.name, path)
    TokenStore(songs).tokens(root / "index", manifest=ManifestParams(split=SplitParams(val=0.5, test=0.0)))
    return root


def train(root, space, params=PARAMS):
    places = {name: space / name for name in ("work", "logs", "out")}
    for place in places.values():
        place.mkdir(parents=True)
    inputs = {"tokens": root / "index", "work": places["work"], "logs": places["logs"]}
    fan_in = FanIn([], inputs, {}, {}, root / "pins", root, {"features": {"params": {"n_mels": 80}}})
    return model.run(fan_in, params, places["out"]), places["out"]


@pytest.fixture(scope="module")
def trained(root, tmp_path_factory):
    return train(root, tmp_path_factory.mktemp("trained"))


def test_training_writes_a_model_that_loads(trained):
    result, out = trained
    assert set(result.facets) == {"weights"}
    assert {"model.safetensors", "config.json", "metrics.json", "model_card.md", "run.json"} <= {
        path.name for path in out.iterdir()
    }
    loaded = model.load(out)
    assert loaded.config["variant"] == "tiny"
    assert loaded.config["upstream"]["vocabulary"] == v.digest()
    assert not loaded.model.training
    confusion = json.loads((out / "confusion.json").read_bytes())
    assert confusion["windows"] > 0
    assert np.sum(confusion["counts"]) > 0
    assert "variant tiny" in (out / "model_card.md").read_text()
    measured = result.metadata["validation"]
    assert set(measured) == {
        *("loss", "unigram_loss", "bar_accuracy", "pos_accuracy", "note_accuracy", "rest_accuracy")
    }
    stored = json.loads((out / "metrics.json").read_bytes())["validation"]
    assert stored == measured
    assert f"| unigram_loss | {measured['unigram_loss']:.4g} |" in (out / "model_card.md").read_text()
    assert measured["unigram_loss"] < np.log(v.SIZE)


def test_training_lowers_the_loss(trained, root):
    batch = fixed_batch(root)
    torch.manual_seed(0)
    fresh, fitted = model.build(PARAMS).eval(), model.load(trained[1]).model
    with torch.inference_mode():
        before, after = (
            float(total / weight) for total, weight in (model.metrics(one, batch)["loss"] for one in (fresh, fitted))
        )
    assert before == pytest.approx(np.log(v.SIZE), abs=1.0)
    assert after < before - 1.0


def test_training_beats_guessing_by_frequency(root, tmp_path):
    training = dataclasses.replace(
        PARAMS.training, steps=80, learning_rate=4e-3, warmup_steps=10, validate_every_steps=40, cpu_threads=1
    )
    result, _ = train(root, tmp_path / "run", dataclasses.replace(PARAMS, dropout=0.0, training=training))
    measured = result.metadata["validation"]
    assert measured["loss"] < measured["unigram_loss"] - 0.2


def fixed_batch(root):
    store = ShardStore(root, root / "index")
    made = model.data(store, PARAMS)
    rows = made.validation.ids[:4]
    return made.collate([made.read_validation(int(row), Draw(0, 0, int(row), 0)) for row in rows])


def test_the_same_training_gives_the_same_bytes(trained, root, tmp_path):
    again, out = train(root, tmp_path)
    assert again.facets == trained[0].facets
    assert (out / "model.safetensors").read_bytes() == (trained[1] / "model.safetensors").read_bytes()


class Broken(Exception):
    """Stands for whatever ends a process."""


SMALL_PARAMS = dataclasses.replace(
    SMALL,
    window=PARAMS.window,
    training=dataclasses.replace(
        SMALL.training, steps=6, batch=4, micro_batch=2, warmup_steps=2, validate_every_steps=4, cpu_threads=1
    ),
)
"""The network of `small`, with its dropout and augmentation, on short windows."""


def fitted(root, work, break_before=None):
    """Return the weights and metrics of a run, which may break before a step."""
    calls = [0]

    def loss(network, batch):
        calls[0] += 1
        if break_before is not None and calls[0] > 2 * break_before:
            raise Broken
        return model.loss(network, batch)

    spec = dataclasses.replace(model.SPEC, loss=loss)
    samples = model.data(ShardStore(root, root / "index"), SMALL_PARAMS)
    machine = Machine(device="cpu", checkpoint_every_steps=1)
    done = fit(spec, SMALL_PARAMS, samples, work=work, logs=work / "logs", seed=3, machine=machine)
    return (
        done.observed["resumed_from_step"],
        done.metrics,
        {name: tensor.numpy().tobytes() for name, tensor in done.model.state_dict().items()},
    )


@pytest.fixture(scope="module")
def unbroken(root, tmp_path_factory):
    return fitted(root, tmp_path_factory.mktemp("unbroken"))


@pytest.mark.parametrize("step", [1, 2, 3, 4, 5])
def test_a_run_of_small_that_breaks_at_any_step_goes_on_bit_for_bit(root, unbroken, tmp_path, step):
    with pytest.raises(Broken):
        fitted(root, tmp_path, break_before=step)
    resumed_from, metrics, weights = fitted(root, tmp_path)
    assert resumed_from == step
    assert metrics == unbroken[1]
    assert weights == unbroken[2]


def test_only_targets_count_and_smoothing_is_no_measure(root):
    batch = fixed_batch(root)
    torch.manual_seed(0)
    network = model.build(PARAMS).eval()
    with torch.inference_mode():
        total, weight = model.loss(network, batch)
        measured = model.metrics(network, batch)
        assert int(weight) == int(batch["counted"].sum())
        assert total / weight != measured["loss"][0] / measured["loss"][1]
        classes = [f"{name}_accuracy" for name in ("bar", "pos", "note", "rest")]
        assert sum(int(measured[name][1]) for name in classes) == int(weight)
        batch["counted"][:] = False
        batch["counted"][:, 10] = True
        assert int(model.loss(network, batch)[1]) == len(batch["counted"])


def test_padding_changes_no_loss(root):
    batch = fixed_batch(root)
    torch.manual_seed(0)
    network = model.build(PARAMS).eval()
    longer = {
        name: torch.nn.functional.pad(batch[name], (0, 8)) if name in ("tokens", "ticks", "counted") else batch[name]
        for name in batch
    }
    with torch.inference_mode():
        assert float(model.loss(network, longer)[0]) == pytest.approx(float(model.loss(network, batch)[0]), rel=1e-5)


def test_another_vocabulary_is_refused_with_both_digests(trained, tmp_path):
    for path in trained[1].iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    config = json.loads((tmp_path / "config.json").read_bytes())
    config["upstream"]["vocabulary"] = "f" * 64
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(TrainingError, match=f"'{'f' * 64}'.*'{v.digest()}'"):
        model.load(tmp_path)
