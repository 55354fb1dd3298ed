"""Stage model: trains a variant on windows of all recordings and writes its model directory.

Which weights are kept, and when training stops, the validation recordings decide: heard whole, stitched, cut into
events and scored by SzCORE's event F1 at the threshold that suits them best.

Belongs here: the network's loss, the data of a run, what is validated, the model card. Does not belong here: the loop
(`bgb_assets.training`), the numbers of the variants (`learning.variants`), the use of a trained model (`detection`).
Imports torch, numpy and pyarrow only, so that training runs on a machine that has nothing else.
"""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from bgb_assets.loading.dataset import Batch, select
from bgb_assets.loading.mapped import ShardStore
from bgb_assets.loading.order import SampleIndex
from bgb_assets.modalities.contract import FanIn, StageResult
from bgb_assets.modalities.eeg.detection.postprocess import PostprocessParams
from bgb_assets.modalities.eeg.learning.data import POS_WEIGHT, WeightedBatch, WindowReader, network_input, targets
from bgb_assets.modalities.eeg.learning.evaluation import tune, write_evaluation
from bgb_assets.modalities.eeg.learning.loss import step_losses
from bgb_assets.modalities.eeg.learning.network import network_of, shape_from_json
from bgb_assets.modalities.eeg.learning.recordings import MONITOR, hear, measures
from bgb_assets.modalities.eeg.learning.variants import VARIANTS, LossParams, TrainParams
from bgb_assets.modalities.eeg.windows.balance import NoSeizureError, Ratios, balanced_draw
from bgb_assets.modalities.eeg.windows.class_ratio import class_ratio, pos_weight
from bgb_assets.modalities.eeg.windows.dataset import BalancedSeizureDataset
from bgb_assets.modalities.eeg.windows.index import WindowIndex
from bgb_assets.modalities.training_stage import train_stage
from bgb_assets.runtime.errors import TrainingError
from bgb_assets.training.model_directory import LoadedModel, load_model_directory
from bgb_assets.training.spec import ModelSpec, Ratio, TrainingData

EMBEDDING = "electrode"
"""The parameter that no decay pulls at although it is a matrix."""


def run(fan_in: FanIn, params: TrainParams, out: Path) -> StageResult:
    """Train one variant, going on from the newest checkpoint after a kill."""
    return train_stage(SPEC, fan_in, params, out)


def build(params: TrainParams) -> nn.Module:
    """Return the network of a variant, which knows the loss it is trained with."""
    network = network_of(params.shape)
    network.loss_params = params.loss  # type: ignore[assignment]
    return network


def data(store: ShardStore, params: TrainParams) -> TrainingData:
    """Return the windows of a run: a balanced draw for training, a fixed one for the validation's loss.

    No signal is opened: the class ratio is that of the manifest.

    Raises:
        TrainingError: The signals have another montage than the network, or a split holds no seizure.
    """
    index = WindowIndex(store.root, store.index_dir)
    if len(index.channels) != params.shape.electrodes:
        raise TrainingError(
            f"variant {params.variant!r}: the network has {params.shape.electrodes} channels, the tokens have "
            f"{len(index.channels)} ({', '.join(index.channels)}); set electrodes to their number"
        )
    asked = params.draw
    drawn = BalancedSeizureDataset(index, "train", asked.full_ratio, asked.background_ratio, asked.seed, asked.mode)
    return TrainingData(
        train=select(store, "train"),
        validation=_validation(store, index, params),
        read_train=WindowReader(index, params.augmentation),
        read_validation=WindowReader(index, None, patients_of(store, index, "val")),
        collate=WeightedBatch(pos_weight(class_ratio(drawn))),
        draw=drawn.draw,
        names=lambda rows: [index.keys[recording] for recording in index.recording[list(rows)].tolist()],
    )


def loss(model: nn.Module, batch: Batch) -> Ratio:
    """Return the sum of the losses of all steps that are no padding, and their number."""
    logits = model(*network_input(batch))
    losses = step_losses(logits, targets(batch), batch[POS_WEIGHT], _loss_params(model))
    # Not by indexing: how many steps count would have to be known on the host.
    counted = batch["valid"].bool()
    return torch.where(counted, losses, 0.0).sum(), counted.sum()


def metrics(model: nn.Module, batch: Batch) -> Mapping[str, Ratio]:
    """Return the loss of validation windows; what counts is measured on whole recordings (`evaluate`)."""
    return {"loss": loss(model, batch)}


def evaluate(model: nn.Module, given: TrainingData) -> Mapping[str, float]:
    """Return event F1 at its best threshold, that threshold and AUROC, of the whole validation recordings."""
    return measures(list(hear(model, *_heard_by(given))), PostprocessParams())


def conclude(model: nn.Module, given: TrainingData, params: TrainParams, out: Path) -> Mapping[str, Any]:
    """Tune the thresholds on the validation recordings, write what was found there, return the post-processing.

    Without validation the thresholds are the design's.
    """
    postprocess = PostprocessParams()
    if params.training.validate_every_steps:
        heard = list(hear(model, *_heard_by(given)))
        postprocess = tune(heard, postprocess)
        write_evaluation(out, heard, postprocess)
    return {"postprocess": asdict(postprocess)}


def decayed(name: str, parameter: nn.Parameter) -> bool:
    """Say whether weight decay pulls at a parameter: not at biases, norms, embeddings, decays and dt."""
    return parameter.ndim > 1 and name != EMBEDDING


def patients_of(store: ShardStore, index: WindowIndex, split: str) -> Mapping[int, str]:
    """Return the recordings of a split, by number, and whose each is."""
    ids = select(store, split).ids
    recordings, first = np.unique(index.recording[ids], return_index=True)
    groups = store.index.samples.column("group").take(ids[first]).to_pylist()
    return dict(zip(recordings.tolist(), groups, strict=True))


def card(params: TrainParams, measured: Mapping[str, Any], lineage: Mapping[str, Any]) -> str:
    """Return the model card, in Markdown."""
    training = params.training
    lines = [
        f"# EEG seizure detector, variant {params.variant}",
        "",
        f"Tells 16 times a second how probable a seizure is, from {params.shape.electrodes} channels at 256 Hz in "
        "windows of 60 s.",
        f"At most {training.steps} steps of {training.batch} windows, the weights of step "
        f"{measured.get('best_step', training.steps)}; loss {params.loss.kind}.",
        "",
        "| validation | value |",
        "|---|---|",
        *(f"| {name} | {value:.4g} |" for name, value in sorted(measured.get("validation", {}).items())),
        "",
        f"`{MONITOR}` is the F1 of SzCORE's event scorer over whole recordings, at `tau_on`, the threshold that",
        "gives the largest one: an estimate from above. `loss` is that of windows balanced as in training. Other",
        "scorers, and intervals over patients, are in `evaluation/scores.json`; all are of the validation split.",
        "Compare scores of one scorer only.",
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
    return load_model_directory(directory, lambda config: network_of(shape_from_json(config["params"]["shape"])))


def _validation(store: ShardStore, index: WindowIndex, params: TrainParams) -> SampleIndex:
    whole = select(store, "val")
    if not params.training.validate_every_steps or not len(whole):
        return whole
    asked = params.draw
    chosen = np.zeros(len(index), bool)
    chosen[whole.ids] = True
    try:
        drawn = balanced_draw(index.category, chosen, Ratios(asked.full_ratio, asked.background_ratio), asked.seed)
    except NoSeizureError as error:
        raise NoSeizureError(
            "split 'val' holds no seizure, so that no threshold can be tuned; ingest more uploads, change the split "
            "fractions, or set training.validate_every_steps to 0"
        ) from error
    return SampleIndex(np.sort(drawn.ids(0)), whole.lengths, whole.weights)


def _heard_by(given: TrainingData) -> tuple[WindowIndex, Mapping[int, str]]:
    read = given.read_validation
    if not isinstance(read, WindowReader):
        raise TypeError(f"validation windows must be read by a WindowReader, got {type(read).__name__}")
    return read.index, read.patients


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
    evaluate=evaluate,
    decayed=decayed,
    conclude=conclude,
)
