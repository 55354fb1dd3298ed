"""Stage model: a network that outlines lesions, trained on one outer fold's training set.

Belongs here: the `ModelSpec` (network, data, loss, what is watched, model card), the stage function that trains, and
loading a trained model. Does not belong here: network, samples and engines (`learning`), the training loop
(`bgb_assets.training`), scoring finished models (`measures`), the use of one on a scan (`segmentation`).
Imports torch, numpy and pyarrow only, so that training runs on a machine that has nothing else.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from bgb_assets.loading.dataset import Batch
from bgb_assets.loading.mapped import ShardStore
from bgb_assets.loading.order import Ids, uniform
from bgb_assets.modalities.contract import FanIn, StageResult
from bgb_assets.modalities.mri.learning.data import (
    MASK_SOURCE,
    SOURCE,
    RepeatedDraw,
    ScanReader,
    network_input,
    shuffled,
    stack,
)
from bgb_assets.modalities.mri.learning.folds import dealt
from bgb_assets.modalities.mri.learning.loss import counts, lesion_dice, macro_dice, weighted_cross_entropy
from bgb_assets.modalities.mri.learning.meshnet import MeshNet, network_of, parameter_count
from bgb_assets.modalities.mri.learning.variants import VARIANTS, LossParams, TrainParams
from bgb_assets.modalities.training_stage import train_stage
from bgb_assets.runtime.errors import TrainingError
from bgb_assets.training.model_directory import LoadedModel, load_model_directory
from bgb_assets.training.spec import ModelSpec, Ratio, TrainingData

MONITOR = "lesion_dice"


def run(fan_in: FanIn, params: TrainParams, out: Path) -> StageResult:
    """Train one variant, going on from the newest checkpoint after a kill."""
    return train_stage(SPEC, fan_in, params, out)


def build(params: TrainParams) -> nn.Module:
    """Return the network of a variant, which knows the loss it is trained with."""
    network = MeshNet(params.shape, params.checkpointing)
    network.loss_params = params.loss  # type: ignore[assignment]
    return network


def data(store: ShardStore, params: TrainParams) -> TrainingData:
    """Return the scans of a run: whole or in patches to train on, whole and unchanged to validate on.

    No array is opened.

    Raises:
        TrainingError: The index has no such fold, no scan to train on has a lesion, or a volume is smaller than a
            patch.
    """
    parts = dealt(store, params)
    _check_patches(store, params, parts.train.ids)
    masks = store.column(MASK_SOURCE).astype(np.int64)
    given = shuffled(masks, parts.train.ids, params.seed) if params.shuffled_labels else masks
    reader = ScanReader(store, given, params.patches, params.augmentation)
    return TrainingData(
        train=parts.train,
        validation=parts.validation,
        read_train=reader,
        read_validation=ScanReader(store, masks),
        collate=stack,
        draw=uniform if params.patches is None else RepeatedDraw(params.patches.per_scan),
        names=lambda rows: [reader.upload(row) for row in rows],
    )


def loss(model: nn.Module, batch: Batch) -> Ratio:
    """Return the weighted cross-entropy summed over all voxels, and the sum of the voxels' weights."""
    image, lesion = network_input(batch)
    return weighted_cross_entropy(model(image), lesion, _loss_params(model))


def metrics(model: nn.Module, batch: Batch) -> Mapping[str, Ratio]:
    """Return the loss, and lesion and macro Dice as means over scans."""
    image, lesion = network_input(batch)
    logits = model(image)
    outcome = counts(logits, lesion)
    scans = torch.tensor(float(len(image)))
    return {
        "loss": weighted_cross_entropy(logits, lesion, _loss_params(model)),
        MONITOR: (lesion_dice(outcome).sum(), scans),
        "macro_dice": (macro_dice(outcome).sum(), scans),
    }


def card(params: TrainParams, measured: Mapping[str, Any], lineage: Mapping[str, Any]) -> str:
    """Return the model card, in Markdown."""
    training = params.training
    held_out = "none" if params.outer_fold < 0 else f"outer fold {params.outer_fold}"
    lines = [
        f"# Lesion segmentation, variant {params.variant}",
        "",
        f"Says of each voxel of a conformed scan whether it belongs to a lesion: a MeshNet of {params.shape.channels} "
        f"channels, {parameter_count(MeshNet(params.shape)):,} parameters.",
        f"{training.epochs} epochs, {measured.get('steps', 0)} steps of {training.batch}; held out for the test: "
        f"{held_out}; restart {params.restart}, seed {params.seed}.",
        *(["", "**A control: masks were dealt anew among the training scans.**"] if params.shuffled_labels else []),
        "",
        *_table(measured.get("validation", {}), params.inner_fold),
        "",
        "`lesion_dice` is that of the class lesion alone, `macro_dice` its mean with the background's: elsewhere a",
        "figure that is called Dice may be either.",
        "",
        "No medical device: it was not examined for any use on patients.",
        "",
        f"Made from the stages {', '.join(sorted(lineage)) or 'of an index alone'}; `run.json` names their entries.",
    ]
    return "\n".join(lines) + "\n"


def load(directory: Path) -> LoadedModel:
    """Return a trained network in eval mode, on the CPU, with its config.

    Raises:
        TrainingError: The directory holds no model, or a damaged one.
    """
    return load_model_directory(directory, lambda config: network_of(config["params"]["shape"]))


def _table(validation: Mapping[str, float], inner_fold: int) -> list[str]:
    if not validation:
        return ["Trained on its whole training set, so that nothing was left to validate on; `bgb evaluate mri` tests."]
    rows = [f"| {name} | {value:.4g} |" for name, value in sorted(validation.items())]
    return [f"| validation, inner fold {inner_fold} | mean over scans |", "|---|---|", *rows]


def _check_patches(store: ShardStore, params: TrainParams, rows: Ids) -> None:
    if params.patches is None:
        return
    sources = store.index.sources
    for number in store.column(SOURCE)[rows].tolist():
        if min(sources[number].shape) < params.patches.size:
            raise TrainingError(
                f"{sources[number].upload!r}: patches of {params.patches.size} voxels do not fit into a volume of "
                f"{sources[number].shape!r}; set patches.size to at most {min(sources[number].shape)}"
            )


def _loss_params(model: nn.Module) -> LossParams:
    held = getattr(model, "loss_params", None)
    if not isinstance(held, LossParams):
        raise TypeError("a network is trained with the loss that `build` gave it, this one was given none")
    return held


SPEC = ModelSpec(
    build=build,
    data=data,
    loss=loss,
    metrics=metrics,
    defaults=VARIANTS,
    card=card,
    monitor=MONITOR,
    mode="max",
)
