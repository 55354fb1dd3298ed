"""SeizureTransformer, after Wu, Zhao and Yener (2025), written from the paper: the network the others are held against.

A convolutional encoder down to 8 Hz, residual blocks, a transformer, and a decoder back up to 256 Hz that is given
each level's states again.

Belongs here: this network alone. Does not belong here: the graph variants (`network`). torch only.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from bgb_assets.modalities.eeg.learning.stem import batch_norm
from bgb_assets.modalities.eeg.learning.variants import STEP_SAMPLES, SeizureTransformerShape

RESIDUAL_NORM_EPS = 1e-3


class SeizureTransformer(nn.Module):
    """Signals (B, E, T) and a mask -> logits (B, T / 16).

    Args:
        shape: Its sizes.
        electrodes: Channels of the montage.
    """

    def __init__(self, shape: SeizureTransformerShape, electrodes: int) -> None:
        super().__init__()
        width = shape.filters[-1]
        self.encoder = nn.ModuleList(
            nn.Conv1d(before, after, kernel, padding=kernel // 2)
            for before, after, kernel in zip(
                (electrodes, *shape.filters[:-1]), shape.filters, shape.kernels, strict=True
            )
        )
        self.residual = nn.ModuleList(ResidualBlock(width, kernel, shape.dropout) for kernel in shape.residual_kernels)
        self.transformer = nn.ModuleList(
            nn.TransformerEncoderLayer(width, shape.heads, shape.hidden, shape.dropout, batch_first=True)
            for _ in range(shape.layers)
        )
        upwards = shape.filters[::-1]
        self.decoder = nn.ModuleList(
            nn.Conv1d(before, after, kernel, padding=kernel // 2)
            for before, after, kernel in zip((width, *upwards[:-1]), upwards, shape.decoder_kernels, strict=True)
        )
        self.output = nn.Conv1d(shape.filters[0], 1, shape.output_kernel, padding=shape.output_kernel // 2)

    def forward(self, signal: Tensor, mask: Tensor) -> Tensor:
        """Return logits (B, T / 16) of signals (B, E, T), T a multiple of 32; masked electrodes count as 0."""
        states = torch.where(mask[:, :, None], signal, 0.0)
        levels = []
        for convolution in self.encoder:
            levels.append(functional.elu(convolution(states)))
            states = functional.max_pool1d(levels[-1], 2)
        for block in self.residual:
            states = block(states)
        states = states + self._attend(states)
        for convolution, level in zip(self.decoder, reversed(levels), strict=True):
            wider = functional.interpolate(states, scale_factor=2.0, mode="nearest")
            states = functional.elu(convolution(wider)) + level
        return functional.avg_pool1d(self.output(states), STEP_SAMPLES)[:, 0]

    def _attend(self, states: Tensor) -> Tensor:
        sequence = states.transpose(1, 2)
        sequence = sequence + sinusoids(sequence)
        for layer in self.transformer:
            sequence = layer(sequence)
        return sequence.transpose(1, 2)


class ResidualBlock(nn.Module):
    """Two convolutions, each after a norm, a rectifier and channel dropout, beside the identity.

    Args:
        width: Channels.
        kernel: Steps that a convolution sees.
        dropout: Share of channels that training drops.
    """

    def __init__(self, width: int, kernel: int, dropout: float) -> None:
        super().__init__()
        self.norms = nn.ModuleList(batch_norm(width, RESIDUAL_NORM_EPS) for _ in range(2))
        self.convolutions = nn.ModuleList(nn.Conv1d(width, width, kernel) for _ in range(2))
        self.dropout = nn.Dropout1d(dropout)
        # An even kernel looks one step further ahead than back.
        self.padding = ((kernel - 1) // 2, kernel // 2)

    def forward(self, states: Tensor) -> Tensor:
        """Return states (B, width, L)."""
        changed = states
        for norm, convolution in zip(self.norms, self.convolutions, strict=True):
            changed = self.dropout(functional.relu(norm(changed)))
            changed = convolution(functional.pad(changed, self.padding))
        return states + changed


def sinusoids(sequence: Tensor) -> Tensor:
    """Return the positions of Vaswani and others (2017) for a sequence (B, L, width), (L, width)."""
    length, width = sequence.shape[1:]
    speeds = 10_000.0 ** (-torch.arange(0, width, 2, device=sequence.device) / width)
    angles = torch.arange(length, device=sequence.device)[:, None] * speeds
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1).to(sequence.dtype)
