"""The model variants: every number of a network and of its training, written out.

No field has a default, so that a default that changes cannot change a shipped variant.

Sizes, rates, decays and batches are those of the design. A run of a base variant is counted in epochs of the
reference draw of Temple's training set, 49,760 windows: 778 steps of 64 each, 100 of them at most.

Belongs here: numbers.
Does not belong here: torch, so that describing the modality stays quick. Next in the flow: `model`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from bgb_assets.training.params import TrainingParams

STEP_SAMPLES = 16
"""Samples that one logit stands for: 256 Hz in, 16 Hz out."""


@dataclass(frozen=True)
class EncoderShape:
    """From the signals of all electrodes to one state per step.

    Attributes:
        channels: Of the three convolutions of the stem.
        power_channels: Of the filters whose log-power stands beside them.
        width: Size of an electrode's state.
        graph_layers: Dense graph layers over the electrodes.
    """

    channels: tuple[int, int, int]
    power_channels: int
    width: int
    graph_layers: int


@dataclass(frozen=True)
class StateSpaceShape:
    """Mixer over time: two state-space maps a layer, one for each direction.

    Attributes:
        width: Size of a step's state.
        layers: Layers.
        inner: Size of the maps' inner state.
        state: Numbers that a channel remembers.
        head_size: Channels that share a decay.
    """

    width: int
    layers: int
    inner: int
    state: int
    head_size: int


@dataclass(frozen=True)
class AttentionShape:
    """Mixer over time: attention among all steps.

    Attributes:
        width: Size of a step's state.
        layers: Layers.
        heads: Attention heads.
        hidden: Inner size of the feed-forward maps.
    """

    width: int
    layers: int
    heads: int
    hidden: int


@dataclass(frozen=True)
class SeizureTransformerShape:
    """The convolutional encoder-decoder with a transformer between, after Wu, Zhao and Yener.

    Attributes:
        filters: Channels of the encoder's levels; each halves the rate.
        kernels: Of the encoder's convolutions.
        residual_kernels: Of the residual blocks.
        layers: Transformer layers.
        heads: Attention heads.
        hidden: Inner size of the feed-forward maps.
        decoder_kernels: Of the decoder's convolutions; each level doubles the rate.
        output_kernel: Of the last convolution.
        dropout: Share of channels and states that training drops.
    """

    filters: tuple[int, ...]
    kernels: tuple[int, ...]
    residual_kernels: tuple[int, ...]
    layers: int
    heads: int
    hidden: int
    decoder_kernels: tuple[int, ...]
    output_kernel: int
    dropout: float


@dataclass(frozen=True)
class Shape:
    """A network: an encoder and one mixer over time, or a SeizureTransformer alone.

    Attributes:
        electrodes: Channels of the montage, 19 or 18.
        encoder: From electrodes to steps.
        state_space: The mixer, if it is this one.
        attention: The mixer, if it is this one.
        seizure_transformer: The whole network, if it is this one.
    """

    electrodes: int
    encoder: EncoderShape | None
    state_space: StateSpaceShape | None
    attention: AttentionShape | None
    seizure_transformer: SeizureTransformerShape | None


@dataclass(frozen=True)
class LossParams:
    """What training minimises.

    Attributes:
        kind: "bce", or "focal" (Lin and others 2017).
        alpha: Focal: weight of seizure against background. At 0.5 the class ratio's weight applies as in "bce".
        gamma: Focal: how much less a step counts that is told right.
    """

    kind: Literal["bce", "focal"]
    alpha: float
    gamma: float


@dataclass(frozen=True)
class DrawParams:
    """Which windows make an epoch.

    Attributes:
        mode: "sweep", or "reference" for the same windows in each epoch.
        full_ratio: Windows full of seizure, for each that is partly so.
        background_ratio: Windows without, for each that is partly seizure.
        seed: Of the draw.
    """

    mode: Literal["sweep", "reference"]
    full_ratio: float
    background_ratio: float
    seed: int


@dataclass(frozen=True)
class Augmentation:
    """What training changes in a window.

    Attributes:
        electrode_dropout: Chance of each electrode to be masked.
        mirror: Chance of swapping left and right.
        gain: Least and most factor of all signals.
        jitter_s: Most seconds by which a window's start moves.
    """

    electrode_dropout: float
    mirror: float
    gain: tuple[float, float]
    jitter_s: float


@dataclass(frozen=True)
class TrainParams:
    """One variant.

    Attributes:
        variant: Its name.
        seed: Of weights, order, augmentation and dropout.
        shape: The network.
        loss: What training minimises.
        draw: Which windows make an epoch.
        augmentation: What training changes.
        training: What every model has.
    """

    variant: str
    seed: int
    shape: Shape
    loss: LossParams
    draw: DrawParams
    augmentation: Augmentation
    training: TrainingParams


_ELECTRODES = 19
_BASE_ENCODER = EncoderShape(channels=(32, 64, 64), power_channels=32, width=64, graph_layers=2)
_TINY_ENCODER = EncoderShape(channels=(8, 16, 16), power_channels=8, width=16, graph_layers=1)
_LOSS = LossParams(kind="bce", alpha=0.5, gamma=2.0)
_DRAW = DrawParams(mode="sweep", full_ratio=0.3, background_ratio=2.5, seed=42)
_AUGMENTATION = Augmentation(electrode_dropout=0.1, mirror=0.5, gain=(0.8, 1.25), jitter_s=0.0)

_BASE_TRAINING = TrainingParams(
    steps=77_800,
    batch=64,
    learning_rate=3e-4,
    warmup_steps=2_334,
    final_fraction=0.0,
    weight_decay=0.05,
    betas=(0.9, 0.999),
    clip=1.0,
    validate_every_steps=778,
    patience=8,
    micro_batch=0,
    token_budget=0,
    pool_batches=1,
    compile=False,
    cpu_threads=2,
)
_TINY_TRAINING = TrainingParams(
    steps=400,
    batch=8,
    learning_rate=3e-3,
    warmup_steps=12,
    final_fraction=0.0,
    weight_decay=0.01,
    betas=(0.9, 0.999),
    clip=1.0,
    validate_every_steps=100,
    patience=8,
    micro_batch=0,
    token_budget=0,
    pool_batches=1,
    compile=False,
    cpu_threads=2,
)

SSM_BASE = TrainParams(
    variant="ssm-base",
    seed=0,
    shape=Shape(
        electrodes=_ELECTRODES,
        encoder=_BASE_ENCODER,
        state_space=StateSpaceShape(width=128, layers=4, inner=256, state=32, head_size=32),
        attention=None,
        seizure_transformer=None,
    ),
    loss=_LOSS,
    draw=_DRAW,
    augmentation=_AUGMENTATION,
    training=_BASE_TRAINING,
)

SSM_TINY = TrainParams(
    variant="ssm-tiny",
    seed=0,
    shape=Shape(
        electrodes=_ELECTRODES,
        encoder=_TINY_ENCODER,
        state_space=StateSpaceShape(width=32, layers=2, inner=64, state=16, head_size=16),
        attention=None,
        seizure_transformer=None,
    ),
    loss=_LOSS,
    draw=_DRAW,
    augmentation=_AUGMENTATION,
    training=_TINY_TRAINING,
)

SDPA_BASE = TrainParams(
    variant="sdpa-base",
    seed=0,
    shape=Shape(
        electrodes=_ELECTRODES,
        encoder=_BASE_ENCODER,
        state_space=None,
        attention=AttentionShape(width=128, layers=4, heads=8, hidden=512),
        seizure_transformer=None,
    ),
    loss=_LOSS,
    draw=_DRAW,
    augmentation=_AUGMENTATION,
    training=_BASE_TRAINING,
)

SDPA_TINY = TrainParams(
    variant="sdpa-tiny",
    seed=0,
    shape=Shape(
        electrodes=_ELECTRODES,
        encoder=_TINY_ENCODER,
        state_space=None,
        attention=AttentionShape(width=32, layers=2, heads=4, hidden=128),
        seizure_transformer=None,
    ),
    loss=_LOSS,
    draw=_DRAW,
    augmentation=_AUGMENTATION,
    training=_TINY_TRAINING,
)

SEIZURE_TRANSFORMER = TrainParams(
    variant="seizure_transformer",
    seed=0,
    shape=Shape(
        electrodes=_ELECTRODES,
        encoder=None,
        state_space=None,
        attention=None,
        seizure_transformer=SeizureTransformerShape(
            filters=(32, 64, 128, 256, 512),
            kernels=(11, 9, 7, 7, 5),
            residual_kernels=(3, 3, 3, 3, 2, 3, 2),
            layers=8,
            heads=4,
            hidden=2_048,
            decoder_kernels=(3, 5, 5, 7, 7),
            output_kernel=11,
            dropout=0.1,
        ),
    ),
    loss=_LOSS,
    draw=_DRAW,
    augmentation=_AUGMENTATION,
    training=_BASE_TRAINING,
)

VARIANTS: Mapping[str, TrainParams] = {
    params.variant: params for params in (SSM_BASE, SSM_TINY, SDPA_BASE, SDPA_TINY, SEIZURE_TRANSFORMER)
}
