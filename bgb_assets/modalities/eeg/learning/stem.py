"""The stem: each electrode's signal at 256 Hz becomes states at 16 Hz, by the same weights for all electrodes.

Amplitude must survive: three convolutions see shape, and beside them the logarithm of the power in learned bands
says how strong it is. Nothing is normalised per time step before that is known, only over batches.

Belongs here: one electrode alone. Does not belong here: what electrodes say to each other (`graph`, next in the
flow). torch only.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from bgb_assets.modalities.eeg.learning.variants import EncoderShape

LEAST_POWER = 1e-4
POWER_STEPS = 8
"""Half-rate samples whose power is averaged: 16 of the signal."""


class Stem(nn.Module):
    """Signals (N, T) -> states (N, T / 16, width).

    Args:
        shape: Channels and width.
    """

    def __init__(self, shape: EncoderShape) -> None:
        super().__init__()
        first, second, third = shape.channels
        self.convolutions = nn.ModuleList(
            (
                nn.Conv1d(1, first, 15, stride=4, padding=7, bias=False),
                nn.Conv1d(first, second, 9, stride=2, padding=4, bias=False),
                nn.Conv1d(second, third, 9, stride=2, padding=4, bias=False),
            )
        )
        self.norms = nn.ModuleList(batch_norm(channels) for channels in shape.channels)
        self.bands = nn.Conv1d(1, shape.power_channels, 63, stride=2, padding=31, bias=False)
        self.band_norm = batch_norm(shape.power_channels)
        self.join = nn.Linear(third + shape.power_channels, shape.width)

    def forward(self, signals: Tensor) -> Tensor:
        """Return states (N, T / 16, width) of signals (N, T), T a multiple of 16."""
        shapes = signals[:, None]
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            shaped = by_phases(signals, convolution) if shapes.shape[1] == 1 else convolution(shapes)
            shapes = functional.gelu(norm(shaped))
        both = torch.cat([shapes, self.band_norm(self._log_power(signals))], dim=1)
        states: Tensor = self.join(both.transpose(1, 2))
        return states

    def _log_power(self, signals: Tensor) -> Tensor:
        """Return the log-power (N, bands, T / 16) in float32: squares of a clipped signal overflow half floats."""
        power = functional.avg_pool1d(by_phases(signals, self.bands).float().square(), POWER_STEPS)
        return torch.log(power + LEAST_POWER)


def by_phases(signals: Tensor, convolution: nn.Module) -> Tensor:
    """Return what a strided convolution without bias gives for one channel, (N, channels, L), of signals (N, T).

    The samples of each phase of the stride become a channel, and the stride vanishes: the same products, three times
    faster on a CPU forth and back, where a single channel leaves vectors empty.
    """
    if not isinstance(convolution, nn.Conv1d):
        raise TypeError(f"a Conv1d is needed, got {type(convolution).__name__}")
    (size,), (stride,) = convolution.kernel_size, convolution.stride
    left = int(convolution.padding[0])
    taps = -(-size // stride)
    steps = (signals.shape[-1] + 2 * left - size) // stride + 1
    # The kernel is filled up with zeros, and the signal so far that it may reach beyond its padding there.
    right = (steps - 1 + taps) * stride - signals.shape[-1] - left
    phases = functional.pad(signals, (left, right)).reshape(len(signals), -1, stride).transpose(1, 2)
    weight = functional.pad(convolution.weight[:, 0], (0, taps * stride - size)).reshape(-1, taps, stride)
    return functional.conv1d(phases, weight.transpose(1, 2))


def batch_norm(channels: int, eps: float = 1e-5) -> nn.BatchNorm1d:
    """Return a batch norm without torch's counter of batches, which no computation reads."""
    norm = nn.BatchNorm1d(channels, eps=eps)
    norm.num_batches_tracked = None
    return norm
