"""What a modality says about its model: the whole contract between `model.py` and the training machinery.

Belongs here: the types. Does not belong here: anything that runs (`fit`), or knows a modality.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Literal, Protocol, TypeAlias, TypeVar

import torch

from bgb_assets.loading.dataset import Batch, Collate, Reader
from bgb_assets.loading.mapped import ShardStore
from bgb_assets.loading.order import DrawIds, SampleIndex, uniform
from bgb_assets.training.params import TrainingParams

Ratio: TypeAlias = tuple[torch.Tensor, torch.Tensor]
"""(sum, weight), both scalars: a mean that stays exact however its samples are cut into batches."""


class VariantParams(Protocol):
    """A frozen dataclass with the fields of the network, every one written out, and `training`."""

    @property
    def training(self) -> TrainingParams:
        """The fields that all models share."""
        ...


P = TypeVar("P", bound=VariantParams)


@dataclass(frozen=True, eq=False)
class TrainingData:
    """What a run trains and validates on.

    Attributes:
        train: The samples to train on.
        validation: The samples to validate on.
        read_train: Reads a training sample, cropped and augmented.
        read_validation: Reads a validation sample.
        collate: Turns samples into a batch.
        draw: Which training samples make an epoch.
        names: `names(rows) -> names`: what a message calls the samples of these rows; None for no such names.
    """

    train: SampleIndex
    validation: SampleIndex
    read_train: Reader
    read_validation: Reader
    collate: Collate
    draw: DrawIds = uniform
    names: Callable[[Sequence[int]], Sequence[str]] | None = None


@dataclass(frozen=True, eq=False)
class ModelSpec(Generic[P]):
    """A trainable model.

    Attributes:
        build: `build(params) -> Module`. Draws its weights from torch's global generator, which `fit` has seeded.
        data: `data(store, params) -> TrainingData`.
        loss: `loss(model, batch) -> (sum, weight)`: the loss summed over what counts, and how much counts (tokens,
            voxels, samples), so that any cut into micro-batches gives the same gradient.
        metrics: `metrics(model, batch) -> {name: (sum, weight)}` on validation batches; reported is total sum over
            total weight, and a metric of total weight 0 is left out. Must hold `monitor`.
        defaults: Variant name -> params.
        card: `card(params, metrics, lineage) -> str`: the model card, in Markdown. `metrics` is what `metrics.json`
            holds: `{"validation": {name: value}, "best_step", "steps", "stopped_early"}`.
        monitor: The metric that decides which weights are kept.
        mode: Whether less or more of it is better.
        evaluate: `evaluate(model, data) -> {name: value}` after each validation, beside `metrics`: for what is no mean
            over samples, such as scores of whole recordings. The model is in eval mode on the run's device, nothing
            is recorded for gradients; precision is the modality's choice. It may hold `monitor`.
        decayed: `decayed(name, parameter)`: whether weight decay pulls at a parameter; None for all.
        conclude: `conclude(model, data, params, out) -> config`, once the weights are chosen: writes what else the
            model directory holds and returns what its config gains. The model is as for `evaluate`.
    """

    build: Callable[[P], torch.nn.Module]
    data: Callable[[ShardStore, P], TrainingData]
    loss: Callable[[torch.nn.Module, Batch], Ratio]
    metrics: Callable[[torch.nn.Module, Batch], Mapping[str, Ratio]]
    defaults: Mapping[str, P]
    card: Callable[[P, Mapping[str, Any], Mapping[str, Any]], str]
    monitor: str = "loss"
    mode: Literal["min", "max"] = "min"
    evaluate: Callable[[torch.nn.Module, TrainingData], Mapping[str, float]] | None = None
    decayed: Callable[[str, torch.nn.Parameter], bool] | None = None
    conclude: Callable[[torch.nn.Module, TrainingData, P, Path], Mapping[str, Any]] | None = None
