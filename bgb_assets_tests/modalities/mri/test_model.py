"""The stage: trains on made-up scans, goes on after SIGKILL bit for bit, writes a model that finds lesions."""

import dataclasses
import json
import multiprocessing
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from bgb_assets.loading.mapped import ShardStore
from bgb_assets.modalities.contract import FanIn
from bgb_assets.modalities.mri import model
from bgb_assets.modalities.mri.learning.engines import full
from bgb_assets.modalities.mri.learning.loss import counts, lesion_dice
from bgb_assets.modalities.mri.learning.variants import LIGHT, VARIANTS, Patches
from bgb_assets.runtime.errors import TrainingError
from bgb_assets.training.fit import Machine, fit
from bgb_assets.training.model_directory import unique_tensors
from bgb_assets.training.progress import betas, learning_rate
from bgb_assets.training.run import train_model
from bgb_assets_tests.fixtures import shared_data
from bgb_assets_tests.modalities.mri.learning.made_scans import made_store

FOLDS = [0, 1, 1, 2, 2, 1]
"""Five scans to train on where fold 0 is tested: five steps an epoch."""


def variant(**changes):
    """Return meshnet-5 with changes to its params and, by their own names, to its training."""
    held = VARIANTS["meshnet-5"]
    known = {field.name for field in dataclasses.fields(held.training)}
    training = {"cpu_threads": 1, "epochs": 2, **{name: changes.pop(name) for name in known & changes.keys()}}
    return dataclasses.replace(held, training=dataclasses.replace(held.training, **training), **changes)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return made_store(tmp_path_factory.mktemp("scans"), FOLDS)


def trained(store, work, params=None, spec=model.SPEC, seed=None):
    params = params or variant()
    given = model.data(store, params)
    seed = params.seed if seed is None else seed
    return fit(spec, params, given, work=work, logs=work / "logs", seed=seed, machine=Machine(device="cpu"))


def test_the_stage_writes_a_model_that_validates_on_an_inner_fold(store, tmp_path):
    out, work = tmp_path / "model", tmp_path / "work"
    out.mkdir()
    inputs = {"tokens": store.index_dir, "work": work, "logs": work / "logs"}
    lineage = {"features": {"code_version": "1", "params": {}}}
    params = variant(inner_fold=1, validate_every_epochs=1)
    result = model.run(FanIn([], inputs, {}, {}, store.root, store.root, lineage), params, out)
    assert {"lesion_dice", "macro_dice", "loss"} == result.metadata["validation"].keys()
    assert result.metadata["steps"] == 2 * 3, "three scans are left to train on"
    config = json.loads((out / "config.json").read_text())
    assert config["upstream"]["shape"] == [12, 12, 12]
    assert (config["params"]["outer_fold"], config["params"]["inner_fold"], config["params"]["restart"]) == (0, 1, 0)
    text = (out / "model_card.md").read_text()
    assert "5 channels, 5,682 parameters" in text
    assert "held out for the test: outer fold 0" in text
    loaded = model.load(out).model
    assert full(loaded, torch.rand(1, 1, 9, 8, 7)).shape == (1, 2, 9, 8, 7)


def test_without_an_inner_fold_all_is_trained_on_and_the_last_weights_are_kept(store, tmp_path):
    fitted = trained(store, tmp_path)
    assert fitted.metrics == {"validation": {}, "best_step": 10, "steps": 10, "stopped_early": False}
    assert "nothing was left to validate on" in model.card(variant(), fitted.metrics, {})


def test_a_control_is_called_one_and_learns_from_other_masks(store):
    params = variant(shuffled_labels=True)
    assert "**A control" in model.card(params, {}, {})
    given, plain = model.data(store, params), model.data(store, variant())
    assert (given.read_train.masks[given.train.ids] != plain.read_train.masks[plain.train.ids]).all()
    np.testing.assert_array_equal(given.read_validation.masks, plain.read_train.masks)


def killed_life(root, work):
    """What a killed process does: train to the end."""
    train(ShardStore(root, root / "tokens"), work, work.with_name("never"))


def train(store, work, out):
    out.mkdir(exist_ok=True)
    inputs = {"tokens": store.index_dir, "work": work, "logs": work / "logs"}
    model.run(FanIn([], inputs, {}, {}, store.root, store.root, {}), variant(epochs=6, augmentation=LIGHT), out)


def test_killed_in_epoch_3_of_6_a_run_goes_on_bit_for_bit(store, tmp_path):
    train(store, tmp_path / "unbroken", tmp_path / "whole")
    work = tmp_path / "killed"
    process = multiprocessing.get_context("spawn").Process(target=killed_life, args=(store.root, work))
    process.start()
    while process.is_alive() and not (work / "checkpoints" / "step-00000010").is_dir():
        time.sleep(0.001)
    process.kill()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    newest = max(int(path.name[-8:]) for path in (work / "checkpoints").iterdir())
    assert newest % 5 == 0, "a checkpoint after every epoch"
    assert 10 <= newest < 30, "killed before its end"
    train(store, work, tmp_path / "resumed")
    for name in ("model.safetensors", "config.json", "metrics.json"):
        assert (tmp_path / "resumed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name


def test_a_run_of_another_kind_is_never_gone_on_from(store, tmp_path):
    trained(store, tmp_path)
    others = [
        (store, dataclasses.replace(VARIANTS["meshnet-16"], training=variant().training), None),
        (store, variant(learning_rate=2e-3), None),
        (store, variant(epochs=3), None),
        (store, variant(), 43),
        (store, variant(outer_fold=1), None),
        (store, variant(inner_fold=0), None),
        (made_store(tmp_path / "grown", [*FOLDS, 1]), variant(), None),
    ]
    for other, params, seed in others:
        with pytest.raises(TrainingError, match="holds checkpoints of another run"):
            trained(other, tmp_path, params, seed=seed)
    assert trained(store, tmp_path).observed["resumed_from_step"] == 10


def test_other_data_of_the_same_samples_is_another_run(store, tmp_path):
    made = made_store(tmp_path / "other", FOLDS, numbers=[7, 1, 2, 3, 4, 5])
    options = {"variant": "meshnet-5", "seed": 42, "lineage": {}, "machine": Machine(device="cpu")}
    places = {"work": tmp_path / "work", "logs": tmp_path / "logs"}
    for held, name in ((store, "first"), (made, "second")):
        out = tmp_path / name
        out.mkdir()
        if held is made:
            with pytest.raises(TrainingError, match="another run"):
                train_model(model.SPEC, variant(), tokens=held.index_dir, root=held.root, out=out, **places, **options)
        else:
            train_model(model.SPEC, variant(), tokens=held.index_dir, root=held.root, out=out, **places, **options)


def test_patches_and_light_augmentation_train_too(store, tmp_path):
    params = variant(patches=Patches(size=8, per_scan=2, foreground_share=0.33), augmentation=LIGHT, batch=2, epochs=1)
    assert trained(store, tmp_path, params).metrics["steps"] == 5
    with pytest.raises(TrainingError, match=r"patches of 13 voxels do not fit into a volume of \(12, 12, 12\)"):
        model.data(store, variant(patches=Patches(size=13, per_scan=2, foreground_share=0.33)))


def test_training_by_block_gives_the_same_weights_bit_for_bit(store, tmp_path):
    plain, saved = (trained(store, tmp_path / kind, variant(checkpointing=kind)) for kind in ("none", "block"))
    expected = unique_tensors(plain.model)
    assert all(torch.equal(tensor, expected[name]) for name, tensor in unique_tensors(saved.model).items())
    assert int(saved.model.blocks[0].norm.num_batches_tracked) == 10, "each step counts once"


def test_a_loss_that_is_no_number_names_its_scan(store, tmp_path):
    def spoiled(network, batch):
        total, weight = model.loss(network, batch)
        return total * torch.nan, weight

    with pytest.raises(TrainingError, match=r"the loss of step 0 is not a finite number.* among sub-M000[1-5]_ses-1$"):
        trained(store, tmp_path, spec=dataclasses.replace(model.SPEC, loss=spoiled))


@pytest.mark.slow
def test_a_lesion_is_learned_within_120_steps():
    nibabel = pytest.importorskip("nibabel")
    folder = shared_data("mri") / "open_ms" / "patient19"
    crop = (slice(84, 132), slice(70, 118), slice(62, 110))
    flair, truth = (
        np.asarray(nibabel.load(next(folder.glob(f"{name}*"))).dataobj)[crop] for name in ("FLAIR", "GOLD_STANDARD")
    )
    lesion = torch.from_numpy(truth > 0)[None]
    assert int(lesion.sum()) == 14_373
    image = torch.from_numpy(((flair - flair.min()) / (flair.max() - flair.min())).astype(np.float32))[None, None]
    dice = learned(image, lesion, steps=120)
    assert dice >= 0.80


def learned(image, lesion, steps):
    """Train meshnet-5 on one volume with the run's own loss and schedule; return its lesion Dice in eval mode."""
    params = variant(learning_rate=1e-2, epochs=0, steps=steps)
    cycle = dataclasses.replace(params.training.one_cycle, start_share=0.1)
    training = dataclasses.replace(params.training, one_cycle=cycle)
    torch.manual_seed(params.seed)
    network = model.build(params).train()
    optimizer = torch.optim.AdamW(network.parameters(), eps=training.eps, weight_decay=training.weight_decay)
    for step in range(steps):
        optimizer.param_groups[0].update(lr=learning_rate(step, training), betas=betas(step, training))
        total, weight = model.weighted_cross_entropy(network(image), lesion, params.loss)
        optimizer.zero_grad()
        (total / weight).backward()
        optimizer.step()
    return float(lesion_dice(counts(full(network, image), lesion)))


def test_the_model_needs_torch_numpy_and_pyarrow_only():
    code = """
from bgb_assets_tests.training.absent_packages import make_absent
make_absent("dagster", "nibabel", "scipy", "pandas", "librosa", "matplotlib", "isal")
import bgb_assets.modalities.mri.model
"""
    subprocess.run([sys.executable, "-c", code], check=True)
