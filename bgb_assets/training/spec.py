"""What a modality says about its model: the whole contract between `model.py` and the training machinery.

Belongs here: the types. Does not belong here: anything that runs (`fit`), or knows a modality.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
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
    """

    train: SampleIndex
    validation: SampleIndex
    read_train: Reader
    read_validation: Reader
    collate: Collate
    draw: DrawIds = uniform


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
    """

    build: Callable[[P], torch.nn.Module]
    data: Callable[[ShardStore, P], TrainingData]
    loss: Callable[[torch.nn.Module, Batch], Ratio]
    metrics: Callable[[torch.nn.Module, Batch], Mapping[str, Ratio]]
    defaults: Mapping[str, P]
    card: Callable[[P, Mapping[str, Any], Mapping[str, Any]], str]
    monitor: str = "loss"
    mode: Literal["min", "max"] = "min"
