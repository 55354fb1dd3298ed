"""A model that was really trained on made-up scans, small enough to be trained in a test."""

import dataclasses

import torch

from bgb_assets.loading.mapped import ShardStore
from bgb_assets.modalities.mri import model
from bgb_assets.modalities.mri.experiment.scoring import RunModel
from bgb_assets.modalities.mri.learning.variants import VARIANTS
from bgb_assets.storage.digests import as_plain
from bgb_assets.training.fit import Machine, fit
from bgb_assets_tests.modalities.mri.learning.made_scans import made_store

FOLDS = [0, 1, 1, 2, 2, 1, 0, 2, 1, 2, 1, 2]


def trained_on_made_scans(folder) -> tuple[ShardStore, RunModel]:
    """Return scans and a meshnet-5 that finds their lesions; it never saw those of fold 0."""
    store = made_store(folder / "scans", FOLDS)
    held = VARIANTS["meshnet-5"]
    cycle = dataclasses.replace(held.training.one_cycle, start_share=0.1)
    training = dataclasses.replace(held.training, epochs=60, learning_rate=1e-2, one_cycle=cycle, cpu_threads=1)
    params = dataclasses.replace(held, training=training)
    machine = Machine(device="cpu")
    data, work = model.data(store, params), folder / "work"
    fitted = fit(model.SPEC, params, data, work=work, logs=work / "logs", seed=params.seed, machine=machine)
    return store, RunModel(fitted.model, as_plain(params))


def drawn_network(name: str = "meshnet-5") -> torch.nn.Module:
    """Return a network whose batch norms have statistics of their own."""
    torch.manual_seed(5)
    network = model.build(VARIANTS[name])
    for block in network.blocks:
        torch.nn.init.uniform_(block.norm.running_mean, -0.2, 0.2)
        torch.nn.init.uniform_(block.norm.running_var, 0.5, 1.5)
    return network.eval()
