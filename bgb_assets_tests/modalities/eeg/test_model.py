"""The stage: trains on made-up recordings, goes on after a break bit for bit, writes a model that detects."""

import dataclasses
import json
import logging
import subprocess
import sys

import numpy as np
import pytest
import torch

from bgb_assets.loading.mapped import ShardStore
from bgb_assets.loading.order import Order
from bgb_assets.loading.randomness import Draw
from bgb_assets.modalities.contract import FanIn
from bgb_assets.modalities.eeg import model
from bgb_assets.modalities.eeg.learning.data import network_input
from bgb_assets.modalities.eeg.learning.network import network_of
from bgb_assets.modalities.eeg.learning.recordings import MONITOR
from bgb_assets.modalities.eeg.learning.variants import VARIANTS
from bgb_assets.modalities.eeg.windows.balance import NoSeizureError
from bgb_assets.runtime.errors import StoreError, TrainingError
from bgb_assets.training.fit import Machine, fit
from bgb_assets.training.model_directory import unique_tensors
from bgb_assets_tests.modalities.eeg.corpus_case import Corpus
from bgb_assets_tests.modalities.eeg.made_corpus import made_corpus

W, S = 15_360, 2_560


def variant(name="sdpa-tiny", **training):
    held = VARIANTS[name]
    return dataclasses.replace(
        held, training=dataclasses.replace(held.training, batch=2, cpu_threads=1, **{"warmup_steps": 1, **training})
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Four recordings of two minutes: two to train on, one to validate, one unseen."""
    root = tmp_path_factory.mktemp("made")
    _, tokens = made_corpus(root, ["train", "train", "val", "test"], 2.0)
    return root, tokens


def run(made, out, work, params):
    root, tokens = made
    out.mkdir()
    inputs = {"tokens": tokens, "work": work, "logs": work / "logs"}
    lineage = {"features": {"code_version": "1", "params": {}}}
    return model.run(FanIn([], inputs, {}, {}, root, root, lineage), params, out)


def test_the_stage_writes_a_model_that_knows_its_thresholds(made, tmp_path):
    out = tmp_path / "model"
    result = run(made, out, tmp_path / "work", variant(steps=3, validate_every_steps=2))
    assert {MONITOR, "tau_on", "timeline_auroc", "loss"} <= result.metadata["validation"].keys()
    config = json.loads((out / "config.json").read_text())
    assert config["postprocess"]["tau_off"] < config["postprocess"]["tau_on"]
    assert config["upstream"]["channels"][0] == "Fp1"
    listed = json.loads((out / "evaluation" / "recordings.json").read_text())["recordings"]
    assert [one["recording"] for one in listed] == ["p002_0"], "the validation recording, not the unseen one"
    probabilities = np.load(out / "evaluation" / "probabilities.npy")
    assert (probabilities.dtype, len(probabilities)) == (np.float16, 120 * 16)
    scores = json.loads((out / "evaluation" / "scores.json").read_text())
    assert scores["patients"] == 1
    assert MONITOR in scores["scores"]
    assert json.loads((out / "calibration.json").read_text())["temperature"] > 0
    loaded = model.load(out)
    with torch.inference_mode():
        assert loaded.model(torch.randn(1, 19, W), torch.ones(1, 19, dtype=torch.bool)).shape == (1, 960)
    assert "SzCORE" in (out / "model_card.md").read_text()


class Broken(Exception):
    """Stands for whatever ends a process."""


def trained(made, work, params, spec=model.SPEC):
    given = model.data(ShardStore(*made), params)
    machine = Machine(device="cpu", checkpoint_every_steps=2)
    return fit(spec, params, given, work=work, logs=work / "logs", seed=0, machine=machine)


@pytest.mark.parametrize("name", ["sdpa-tiny", "ssm-tiny"])
def test_a_run_that_breaks_within_an_epoch_goes_on_bit_for_bit(made, tmp_path, name):
    params = variant(name, steps=9, validate_every_steps=0)
    calls = []

    def failing(network, batch):
        calls.append(1)
        if len(calls) > 3:
            raise Broken
        return model.loss(network, batch)

    drawn = model.data(ShardStore(*made), params).draw.counts["windows"]
    assert 2 < drawn // params.training.batch < params.training.steps, (
        "it breaks within an epoch and goes on to the next"
    )
    whole = trained(made, tmp_path / "whole", params)
    with pytest.raises(Broken):
        trained(made, tmp_path / "broken", params, dataclasses.replace(model.SPEC, loss=failing))
    resumed = trained(made, tmp_path / "broken", params)
    assert resumed.observed["resumed_from_step"] == 2
    expected = unique_tensors(whole.model)
    assert all(torch.equal(tensor, expected[key]) for key, tensor in unique_tensors(resumed.model).items())


def test_training_starts_without_its_signals_and_says_the_class_ratio(tmp_path, caplog):
    corpus = Corpus(tmp_path)
    corpus.add("a_1", [W + 12 * S], [(30.0, 110.5)], split="train", written=False)
    corpus.add("b_1", [W + 30 * S], split="train", written=False)
    tokens = corpus.tokens()[0]
    (tmp_path / "features").rename(tmp_path / "elsewhere")
    caplog.set_level(logging.INFO)
    params = variant(validate_every_steps=0)
    given = model.data(ShardStore(tmp_path, tokens), params)
    order = Order(given.train, params.training.batch, 0, params.training.pool_batches, draw=given.draw)
    first = order.global_batch(order.position(0))
    assert [ticket.row for ticket in first] == given.draw.ids(0)[: len(first)].tolist()
    ictal = [row < 13 and row * S < 28_288 and row * S + W > 7_680 for row in given.draw.ids(0).tolist()]
    ratio = sum(ictal) / len(ictal)
    assert 0.2 < ratio < 0.5
    assert caplog.messages == [
        f"[DATASET] BalancedSeizureDataset: {len(ictal)} windows from manifest",
        "[DATASET] Using BalancedSeizureDataset known distribution",
        f"[DATASET] Seizure ratio: {100 * ratio:.1f}% (from manifest)",
        f"[DATASET] Using pos_weight: {((1 - ratio) / ratio) ** 0.5:.2f} (sqrt scaling)",
    ]
    assert given.collate.pos_weight == pytest.approx(((1 - ratio) / ratio) ** 0.5, rel=1e-12)
    with pytest.raises(StoreError, match="materialize eeg/features again"):
        given.read_train(first[0].row, Draw(0, 0, first[0].row, 0))


def test_a_loss_that_is_no_number_names_the_recordings_of_its_batch(made, tmp_path):
    def spoiled(network, batch):
        total, weight = model.loss(network, batch)
        return total * torch.nan, weight

    params = variant(steps=2, validate_every_steps=0)
    with pytest.raises(TrainingError, match=r"the loss of step 0 .* among p00[01]_0"):
        trained(made, tmp_path, params, dataclasses.replace(model.SPEC, loss=spoiled))


def test_padding_counts_in_no_loss(made):
    params = variant()
    given = model.data(ShardStore(*made), params)
    batch = given.collate([given.read_validation(int(given.validation.ids[0]), None)])
    torch.manual_seed(0)
    network = model.build(params).eval()
    with torch.no_grad():
        total, weight = model.loss(network, batch)
        assert float(weight) == 960
        batch["valid"][:, 900:] = False
        part, fewer = model.loss(network, batch)
        batch["positives"][:, 900:] = 16
        again, _ = model.loss(network, batch)
    assert float(fewer) == 900
    assert float(part) < float(total)
    assert float(part) == float(again)
    assert torch.isfinite(network_input(batch)[0]).all()


def test_weight_decay_leaves_biases_norms_embeddings_decays_and_dt():
    for name in ("ssm-tiny", "sdpa-tiny", "seizure_transformer"):
        for key, parameter in network_of(VARIANTS[name].shape).named_parameters():
            spared = key.endswith(("bias", "log_decay", "skip", "likeness_gain", "electrode")) or "norm" in key
            assert model.decayed(key, parameter) == (not spared), key


def test_what_cannot_be_trained_on_is_said(tmp_path):
    corpus = Corpus(tmp_path)
    corpus.add("a_1", [W + 4 * S], [(30.0, 50.0)], split="train")
    corpus.add("b_1", [W + 4 * S], split="val")
    store = ShardStore(tmp_path, corpus.tokens()[0])
    with pytest.raises(NoSeizureError, match="split 'val' holds no seizure"):
        model.data(store, variant())
    assert len(model.data(store, variant(validate_every_steps=0)).train) == 5
    narrow = dataclasses.replace(variant(), shape=dataclasses.replace(variant().shape, electrodes=18))
    with pytest.raises(TrainingError, match="the network has 18 channels, the tokens have 19"):
        model.data(store, narrow)


def test_the_model_needs_torch_numpy_and_pyarrow_only():
    code = """
import sys
from bgb_assets_tests.training.absent_packages import make_absent
make_absent("dagster", "mne", "edfio", "scipy", "pandas", "librosa", "nibabel", "matplotlib")
import bgb_assets.modalities.eeg.model
"""
    subprocess.run([sys.executable, "-c", code], check=True)
