"""Mixing over time by attention among all steps of a window, positions by rotation.

Belongs here: the layer and its rotary embedding (Su and others 2021). Does not belong here: state spaces (`ssm`).
torch only.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from bgb_assets.modalities.eeg.learning.variants import AttentionShape

NORM_EPS = 1e-5
SLOWEST = 10_000.0
"""Ratio of the fastest to the slowest rotation."""


class AttentionLayer(nn.Module):
    """Attention and a feed-forward map, each after a norm and beside a residual.

    Args:
        shape: Its sizes.
    """

    def __init__(self, shape: AttentionShape) -> None:
        super().__init__()
        self.heads = shape.heads
        self.attention_norm = nn.RMSNorm(shape.width, eps=NORM_EPS)
        self.project = nn.Linear(shape.width, 3 * shape.width, bias=False)
        self.gather = nn.Linear(shape.width, shape.width, bias=False)
        self.hidden_norm = nn.RMSNorm(shape.width, eps=NORM_EPS)
        self.widen = nn.Linear(shape.width, shape.hidden)
        self.narrow = nn.Linear(shape.hidden, shape.width)

    def forward(self, states: Tensor) -> Tensor:
        """Return states (B, L, width)."""
        states = states + self._attend(self.attention_norm(states))
        mixed: Tensor = states + self.narrow(functional.gelu(self.widen(self.hidden_norm(states))))
        return mixed

    def _attend(self, states: Tensor) -> Tensor:
        parts = self.project(states).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        queries, keys = rotate(parts[:2]).unbind(0)
        mixed = functional.scaled_dot_product_attention(queries, keys, parts[2])
        out: Tensor = self.gather(mixed.transpose(1, 2).flatten(2))
        return out


def rotate(vectors: Tensor) -> Tensor:
    """Return vectors (..., L, size), size even, turned by angles that grow with the position."""
    length, size = vectors.shape[-2:]
    speeds = SLOWEST ** (-torch.arange(0, size, 2, device=vectors.device) / size)
    angles = torch.arange(length, device=vectors.device)[:, None] * speeds
    cos, sin = angles.cos().to(vectors.dtype), angles.sin().to(vectors.dtype)
    first, second = vectors.chunk(2, dim=-1)
    return torch.cat([first * cos - second * sin, first * sin + second * cos], dim=-1)
