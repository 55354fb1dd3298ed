"""The model variants: every number of a network and of its training, written out.

No field has a default, so that a default that changes cannot change a shipped variant. Rates, decays, schedule and
class weights are those of the design; the three variants differ in their width alone.

Belongs here: numbers. Does not belong here: torch, so that describing the modality stays quick. Next in the flow:
`model`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from bgb_assets.training.params import OneCycle, TrainingParams

FIRST_SEED = 42
"""Of restart 0; each further one counts up."""
NO_FOLD = -1

Checkpointing: TypeAlias = Literal["none", "block", "auto"]


@dataclass(frozen=True)
class Shape:
    """A MeshNet: blocks of dilated convolutions of one width, and a map to classes.

    Attributes:
        channels: Width of every block.
        dilations: Of the blocks; padding equals dilation, so that a volume keeps its shape.
        classes: Background and lesion.
        dropout: Share of channels that training drops.
    """

    channels: int
    dilations: tuple[int, ...]
    classes: int
    dropout: float


@dataclass(frozen=True)
class LossParams:
    """Cross-entropy.

    Attributes:
        class_weights: Of background and lesion.
        label_smoothing: Share of a label that goes to both classes alike.
    """

    class_weights: tuple[float, float]
    label_smoothing: float


@dataclass(frozen=True)
class Patches:
    """Training on cubes instead of whole volumes.

    Attributes:
        size: Voxels along each axis.
        per_scan: Cubes of each scan in an epoch.
        foreground_share: Share of cubes that surely hold a voxel of the lesion.
    """

    size: int
    per_scan: int
    foreground_share: float


@dataclass(frozen=True)
class Augmentation:
    """What training changes in a sample.

    Attributes:
        flip: Chance of swapping left and right.
        gain: Least and most factor of the intensity.
        shift: Least and most that is added to it.
        noise_sd: Most standard deviation of Gaussian noise.
    """

    flip: float
    gain: tuple[float, float]
    shift: tuple[float, float]
    noise_sd: float


LIGHT = Augmentation(flip=0.5, gain=(0.9, 1.1), shift=(-0.05, 0.05), noise_sd=0.02)
"""The augmentation to ask for where one is wanted."""


@dataclass(frozen=True)
class TrainParams:
    """One variant.

    Attributes:
        variant: Its name.
        outer_fold: The fold that training never sees, to be tested on; -1 for training on all.
        inner_fold: The fold within the training set that is validated on; -1 for none, and all of it is trained on.
        restart: Number of the run among those of this fold.
        seed: Of weights, order, patches, augmentation and dropout.
        shape: The network.
        loss: What training minimises.
        patches: None for whole volumes.
        augmentation: None for none.
        shuffled_labels: Whether masks change places among the training scans, as a control that must not learn.
        checkpointing: Whether features are computed again in the backward pass, block by block, to save memory;
            "auto" does so where they would not fit. No result depends on it.
        training: What every model has.
    """

    variant: str
    outer_fold: int
    inner_fold: int
    restart: int
    seed: int
    shape: Shape
    loss: LossParams
    patches: Patches | None
    augmentation: Augmentation | None
    shuffled_labels: bool
    checkpointing: Checkpointing
    training: TrainingParams


def run_of(params: TrainParams, outer_fold: int, restart: int) -> TrainParams:
    """Return the params of one run of an experiment: another fold, another restart with its seed."""
    return replace(params, outer_fold=outer_fold, restart=restart, seed=FIRST_SEED + restart)


_TRAINING = TrainingParams(
    steps=0,
    epochs=50,
    batch=1,
    learning_rate=1e-3,
    warmup_steps=0,
    final_fraction=0.0,
    one_cycle=OneCycle(start_share=0.01, div_factor=100.0, final_div_factor=1e4, momentum=(0.85, 0.95)),
    weight_decay=3e-5,
    betas=(0.9, 0.999),
    eps=1e-4,
    clip=1.0,
    validate_every_steps=0,
    validate_every_epochs=0,
    patience=0,
    micro_batch=0,
    token_budget=0,
    pool_batches=1,
    compile=False,
    cpu_threads=2,
    precision="auto",
)


def _variant(name: str, channels: int) -> TrainParams:
    return TrainParams(
        variant=name,
        outer_fold=0,
        inner_fold=NO_FOLD,
        restart=0,
        seed=FIRST_SEED,
        shape=Shape(channels=channels, dilations=(1, 2, 4, 8, 16, 16, 8, 4, 2), classes=2, dropout=0.0),
        loss=LossParams(class_weights=(0.5, 1.0), label_smoothing=0.01),
        patches=None,
        augmentation=None,
        shuffled_labels=False,
        checkpointing="auto",
        training=_TRAINING,
    )


MESHNET_5 = _variant("meshnet-5", 5)
MESHNET_16 = _variant("meshnet-16", 16)
MESHNET_26 = _variant("meshnet-26", 26)

VARIANTS: Mapping[str, TrainParams] = {params.variant: params for params in (MESHNET_5, MESHNET_16, MESHNET_26)}
