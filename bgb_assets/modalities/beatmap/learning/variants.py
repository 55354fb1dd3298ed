"""The model variants: every number of a network and of its training, written out.

No field has a default, so that a default that changes cannot change a shipped variant.

Sizes, batches, peak rates and warm-ups of `small`, `medium` and `large` are those of the design. Their numbers of
steps are chosen, not measured: 20, 60 and 240 looks at each difficulty of a corpus of 32,000, the larger networks
gaining for longer at lower rates; `patience` ends a run that no longer gains. `tiny` was tried on the samples.

Belongs here: numbers.
Does not belong here: torch, so that describing the modality stays quick. Next in the flow: `model`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from bgb_assets.training.params import TrainingParams


@dataclass(frozen=True)
class Shape:
    """The size of a network.

    Attributes:
        width: Size of a state.
        heads: Attention heads.
        hidden: Inner size of the feed-forward maps.
        encoder_blocks: Blocks over frames.
        decoder_blocks: Blocks over tokens.
        kernel: Frames that the encoder's convolution modules span; 0 for none.
    """

    width: int
    heads: int
    hidden: int
    encoder_blocks: int
    decoder_blocks: int
    kernel: int


@dataclass(frozen=True)
class WindowParams:
    """How songs are cut into windows, for training and for generation.

    Attributes:
        bars: Bars of a window.
        context_bars: Leading bars that are given, not asked for; the song's first window has none.
        redo_bars: Last bars of a generated window that the next one writes again, knowing more of what follows.
        max_tokens: Most tokens of a training window; one that has more gets fewer bars.
    """

    bars: int
    context_bars: int
    redo_bars: int
    max_tokens: int

    @property
    def hop_bars(self) -> int:
        """Bars between the starts of two generated windows."""
        return self.bars - self.context_bars - self.redo_bars

    @property
    def shortest_bars(self) -> int:
        """Bars of the shortest last window that generation can meet in a song of more than one window."""
        return self.bars - self.hop_bars + 1


@dataclass(frozen=True)
class Augmentation:
    """What training changes in a window.

    Attributes:
        mirror: Chance of swapping left and right, where there are two sabers.
        open_condition: Chance of each condition of the header to be left open.
        mel_bands: How many bands of mels are silenced.
        mel_band_size: Most mels of such a band.
        spans: How many spans of frames are silenced.
        span_frames: Most frames of such a span.
    """

    mirror: float
    open_condition: float
    mel_bands: int
    mel_band_size: int
    spans: int
    span_frames: int


@dataclass(frozen=True)
class TrainParams:
    """One variant.

    Attributes:
        variant: Its name.
        seed: Of weights, order, crops, augmentation and dropout.
        shape: The network.
        dropout: Share of states that are dropped while training.
        label_smoothing: Share of the target that is spread over all tokens.
        window: How songs are cut.
        augmentation: What training changes.
        training: What every model has.
    """

    variant: str
    seed: int
    shape: Shape
    dropout: float
    label_smoothing: float
    window: WindowParams
    augmentation: Augmentation
    training: TrainingParams


_WINDOW = WindowParams(bars=16, context_bars=4, redo_bars=2, max_tokens=1_024)
_AUGMENTATION = Augmentation(mirror=0.5, open_condition=0.1, mel_bands=2, mel_band_size=10, spans=2, span_frames=32)

TINY = TrainParams(
    variant="tiny",
    seed=0,
    shape=Shape(width=64, heads=2, hidden=256, encoder_blocks=1, decoder_blocks=2, kernel=0),
    dropout=0.2,
    label_smoothing=0.0,
    window=WindowParams(bars=8, context_bars=2, redo_bars=1, max_tokens=512),
    augmentation=_AUGMENTATION,
    training=TrainingParams(
        steps=300,
        batch=8,
        learning_rate=2e-3,
        warmup_steps=40,
        final_fraction=0.1,
        weight_decay=0.01,
        betas=(0.9, 0.98),
        clip=1.0,
        validate_every_steps=50,
        patience=0,
        micro_batch=0,
        token_budget=0,
        pool_batches=1,
        compile=False,
        cpu_threads=2,
    ),
)
"""For the demo and for tests: about a minute on two CPU cores."""

SMALL = TrainParams(
    variant="small",
    seed=0,
    shape=Shape(width=128, heads=4, hidden=512, encoder_blocks=2, decoder_blocks=2, kernel=0),
    dropout=0.1,
    label_smoothing=0.05,
    window=_WINDOW,
    augmentation=_AUGMENTATION,
    training=TrainingParams(
        steps=20_000,
        batch=32,
        learning_rate=1e-3,
        warmup_steps=500,
        final_fraction=0.1,
        weight_decay=0.01,
        betas=(0.9, 0.98),
        clip=1.0,
        validate_every_steps=500,
        patience=10,
        micro_batch=0,
        token_budget=0,
        pool_batches=50,
        compile=False,
        cpu_threads=2,
    ),
)

MEDIUM = TrainParams(
    variant="medium",
    seed=0,
    shape=Shape(width=256, heads=8, hidden=1_024, encoder_blocks=4, decoder_blocks=4, kernel=15),
    dropout=0.1,
    label_smoothing=0.05,
    window=_WINDOW,
    augmentation=_AUGMENTATION,
    training=TrainingParams(
        steps=60_000,
        batch=32,
        learning_rate=5e-4,
        warmup_steps=1_000,
        final_fraction=0.1,
        weight_decay=0.01,
        betas=(0.9, 0.98),
        clip=1.0,
        validate_every_steps=1_000,
        patience=10,
        micro_batch=0,
        token_budget=0,
        pool_batches=50,
        compile=False,
        cpu_threads=2,
    ),
)

LARGE = TrainParams(
    variant="large",
    seed=0,
    shape=Shape(width=512, heads=8, hidden=2_048, encoder_blocks=8, decoder_blocks=8, kernel=15),
    dropout=0.1,
    label_smoothing=0.05,
    window=_WINDOW,
    augmentation=_AUGMENTATION,
    training=TrainingParams(
        steps=120_000,
        batch=64,
        learning_rate=2e-4,
        warmup_steps=2_000,
        final_fraction=0.1,
        weight_decay=0.01,
        betas=(0.9, 0.98),
        clip=1.0,
        validate_every_steps=2_000,
        patience=10,
        micro_batch=32,
        token_budget=0,
        pool_batches=50,
        compile=False,
        cpu_threads=2,
    ),
)

VARIANTS: Mapping[str, TrainParams] = {params.variant: params for params in (TINY, SMALL, MEDIUM, LARGE)}
