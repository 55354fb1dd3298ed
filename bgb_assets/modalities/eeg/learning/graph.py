"""Electrodes among each other: a dense graph layer whose edges are learned and change with each second, and pooling.

An edge is a number between 0 and 1 that depends on how alike two electrodes are in that second and on a learned
table. There are no loops, no neighbour lists and no eigenvectors: with 19 electrodes the whole graph is one small
matrix a second, and all seconds are multiplied at once.

Belongs here: mixing and pooling over electrodes. Does not belong here: mixing over time (`ssm`, `sdpa`, next in the
flow). torch only.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

SECOND_STEPS = 16
"""Steps that share a graph."""

HOPS = 2
TELEPORT = 0.05
"""Share of an electrode's own state in each hop (Klicpera, Bojchevski and Guennemann 2019)."""


class GraphLayer(nn.Module):
    """States of electrodes take in those of like ones.

    Args:
        electrodes: How many there are.
        width: Size of a state.
    """

    def __init__(self, electrodes: int, width: int) -> None:
        super().__init__()
        self.likeness_gain = nn.Parameter(torch.ones(()))
        self.affinity = nn.Parameter(torch.zeros(electrodes, electrodes))
        self.norm = nn.LayerNorm(width)
        self.update = nn.Linear(width, width)

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """Return states of the same shape.

        Args:
            states: (B, seconds, E, 16, width).
            mask: (B, E) bool, true where there is a signal.
        """
        edges = self.edges(states, mask)
        spread = self._spread(edges, states)
        update = functional.gelu(self.update(self.norm(spread)))
        return torch.where(mask[:, None, :, None, None], states + update, states)

    def edges(self, states: Tensor, mask: Tensor) -> Tensor:
        """Return the normalised graph of each second, (B, seconds, E, E), at least float32: D^-1/2 A D^-1/2."""
        with torch.autocast(states.device.type, enabled=False):
            means = states.mean(dim=3).to(torch.promote_types(states.dtype, torch.float32))
            centres = functional.normalize(means, dim=-1)
            likeness = centres @ centres.transpose(-1, -2)
        affinity = 0.5 * (self.affinity + self.affinity.T)
        edges = torch.sigmoid(self.likeness_gain * likeness + affinity)
        both = mask[:, None, :, None] & mask[:, None, None, :]
        self_edge = torch.eye(mask.shape[1], dtype=torch.bool, device=mask.device)
        edges = (edges * both).masked_fill(self_edge, 1.0)
        scale = edges.sum(dim=-1).rsqrt()
        return edges * scale[..., :, None] * scale[..., None, :]

    def _spread(self, edges: Tensor, states: Tensor) -> Tensor:
        """Return 1/K sum over k = 1..K of (1 - a) A^k H + a H."""
        flat = states.flatten(3)
        hop, total = flat, torch.zeros_like(flat)
        for _ in range(HOPS):
            hop = edges.to(flat.dtype) @ hop
            total = total + hop
        return ((1.0 - TELEPORT) / HOPS * total + TELEPORT * flat).view_as(states)


class ElectrodePooling(nn.Module):
    """One state for all measured electrodes: their attended mean, their mean and their maximum.

    Args:
        width: Size of an electrode's state.
        out: Size of the pooled state.
    """

    def __init__(self, width: int, out: int) -> None:
        super().__init__()
        self.attention = nn.Linear(width, 1, bias=False)
        self.join = nn.Linear(3 * width, out)

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """Return (B, seconds, 16, out).

        Args:
            states: (B, seconds, E, 16, width).
            mask: (B, E) bool, at least one true in each row.
        """
        absent = ~mask[:, None, :, None, None]
        weights = self.attention(states).masked_fill(absent, -torch.inf).softmax(dim=2)
        attended = (weights * states).sum(dim=2)
        mean = states.masked_fill(absent, 0.0).sum(dim=2) / mask.sum(dim=1)[:, None, None, None]
        most = states.masked_fill(absent, -torch.inf).amax(dim=2)
        pooled: Tensor = self.join(torch.cat([attended, mean, most], dim=-1))
        return pooled
