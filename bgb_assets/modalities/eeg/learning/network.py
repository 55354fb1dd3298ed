"""The networks: from the signals of a window and a mask of its electrodes to a logit 16 times a second.

`network_of` makes any variant; `Detector` is the one of stem, graph and mixer. A masked electrode is as if it were
not there: whatever it holds changes no output.

Belongs here: putting the parts together. Does not belong here: the parts (`stem`, `graph`, `ssm`, `sdpa`,
`seizure_transformer`), the loss (`loss`), batches (`data`). torch only.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from bgb_assets.modalities.eeg.learning.graph import SECOND_STEPS, ElectrodePooling, GraphLayer
from bgb_assets.modalities.eeg.learning.sdpa import AttentionLayer
from bgb_assets.modalities.eeg.learning.seizure_transformer import SeizureTransformer
from bgb_assets.modalities.eeg.learning.ssm import NORM_EPS, StateSpaceLayer
from bgb_assets.modalities.eeg.learning.stem import Stem
from bgb_assets.modalities.eeg.learning.variants import (
    STEP_SAMPLES,
    AttentionShape,
    EncoderShape,
    SeizureTransformerShape,
    Shape,
    StateSpaceShape,
)
from bgb_assets.runtime.errors import TrainingError

FIRST_LOGIT = -1.0
"""Before training, seizures are thought rare."""

_PARTS: Mapping[str, Callable[..., Any]] = {
    "encoder": EncoderShape,
    "state_space": StateSpaceShape,
    "attention": AttentionShape,
    "seizure_transformer": SeizureTransformerShape,
}
Mixer = StateSpaceShape | AttentionShape


class Detector(nn.Module):
    """Signals (B, E, T) and a mask -> logits (B, T / 16).

    Args:
        encoder: Sizes of stem and graph.
        mixer: Sizes of the mixer over time, which also say which one it is.
        electrodes: Channels of the montage.
    """

    def __init__(self, encoder: EncoderShape, mixer: Mixer, electrodes: int) -> None:
        super().__init__()
        self.stem = Stem(encoder)
        self.electrode = nn.Parameter(0.02 * torch.randn(electrodes, encoder.width))
        self.graph = nn.ModuleList(GraphLayer(electrodes, encoder.width) for _ in range(encoder.graph_layers))
        self.pooling = ElectrodePooling(encoder.width, mixer.width)
        self.mixer = nn.ModuleList(_mixer_layer(mixer) for _ in range(mixer.layers))
        self.norm = nn.RMSNorm(mixer.width, eps=NORM_EPS)
        self.output = nn.Linear(mixer.width, 1)
        nn.init.constant_(self.output.bias, FIRST_LOGIT)

    def forward(self, signal: Tensor, mask: Tensor) -> Tensor:
        """Return logits (B, T / 16) of signals (B, E, T), T a multiple of 256; at least one electrode unmasked."""
        states = self._electrode_states(torch.where(mask[:, :, None], signal, 0.0), mask)
        for layer in self.graph:
            states = layer(states, mask)
        steps = self.pooling(states, mask).flatten(1, 2)
        for layer in self.mixer:
            steps = layer(steps)
        logits: Tensor = self.output(self.norm(steps))
        return logits[..., 0]

    def _electrode_states(self, signal: Tensor, mask: Tensor) -> Tensor:
        """Return (B, seconds, E, 16, width)."""
        states = self.stem(signal.flatten(0, 1)).unflatten(0, signal.shape[:2])
        states = states + (self.electrode * mask[:, :, None])[:, :, None]
        by_second: Tensor = states.unflatten(2, (-1, SECOND_STEPS)).transpose(1, 2)
        return by_second


def network_of(shape: Shape) -> nn.Module:
    """Return a network, its weights drawn from torch's global generator.

    Raises:
        TrainingError: The shape is that of no network, or of more than one.
    """
    mixers = [mixer for mixer in (shape.state_space, shape.attention) if mixer is not None]
    if shape.seizure_transformer is not None and shape.encoder is None and not mixers:
        return SeizureTransformer(shape.seizure_transformer, shape.electrodes)
    if shape.seizure_transformer is None and shape.encoder is not None and len(mixers) == 1:
        return Detector(shape.encoder, mixers[0], shape.electrodes)
    raise TrainingError(
        f"a network is an encoder and one mixer (state_space or attention), or seizure_transformer alone; got {shape!r}"
    )


def shape_from_json(value: Mapping[str, Any]) -> Shape:
    """Return the shape that a model's config holds."""
    parts = {name: _PARTS[name](**held) if held else None for name, held in value.items() if name in _PARTS}
    return Shape(electrodes=value["electrodes"], **parts)


def to_samples(logits: Tensor) -> Tensor:
    """Return logits (..., L) repeated to the signal's rate, (..., 16 L)."""
    return logits.repeat_interleave(STEP_SAMPLES, dim=-1)


def parameter_count(network: nn.Module) -> int:
    """Return the number of trained numbers."""
    return sum(parameter.numel() for parameter in network.parameters())


def _mixer_layer(shape: Mixer) -> nn.Module:
    return StateSpaceLayer(shape) if isinstance(shape, StateSpaceShape) else AttentionLayer(shape)
