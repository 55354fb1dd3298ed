"""Mixing over time by state spaces (Dao and Gu 2024, "Transformers are SSMs"): linear in length, both directions.

A head keeps a matrix h: h_t = exp(-dt A) h + dt x B^T, y = C h + D x, where dt, B and C depend on the step. Done in
chunks, it is matrix products only: inside a chunk each step looks back at all earlier ones, between chunks the
matrices are passed on by the product of decays. The same numbers on a CPU and on a GPU, in float32.

Belongs here: the recurrence and the layer around it. Does not belong here: attention (`sdpa`). torch only.
"""

import math
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from bgb_assets.modalities.eeg.learning.variants import StateSpaceShape

CHUNK = 64
KERNEL = 4
"""Steps that the causal convolution sees."""

FIRST_DT = 0.01
NORM_EPS = 1e-5


class StateSpaceLayer(nn.Module):
    """x + F(n(x)) + flip(G(flip(n(x)))): the past by F, the future by G.

    Args:
        shape: Its sizes.
    """

    def __init__(self, shape: StateSpaceShape) -> None:
        super().__init__()
        self.norm = nn.RMSNorm(shape.width, eps=NORM_EPS)
        self.forth = StateSpaceMap(shape)
        self.back = StateSpaceMap(shape)

    def forward(self, states: Tensor) -> Tensor:
        """Return states (B, L, width)."""
        normed = self.norm(states)
        mixed: Tensor = states + self.forth(normed) + self.back(normed.flip(1)).flip(1)
        return mixed


class StateSpaceMap(nn.Module):
    """One direction.

    Args:
        shape: Its sizes.
    """

    def __init__(self, shape: StateSpaceShape) -> None:
        super().__init__()
        inner, state = shape.inner, shape.state
        self.heads, self.head_size = inner // shape.head_size, shape.head_size
        self.sizes = [inner, inner + 2 * state, self.heads]
        self.signal_sizes = [inner, state, state]
        self.spread = nn.Linear(shape.width, sum(self.sizes), bias=False)
        self.convolution = nn.Conv1d(inner + 2 * state, inner + 2 * state, KERNEL, groups=inner + 2 * state)
        self.log_decay = nn.Parameter(torch.linspace(1.0, 16.0, self.heads).log())
        self.dt_bias = nn.Parameter(torch.full((self.heads,), math.log(math.expm1(FIRST_DT))))
        self.skip = nn.Parameter(torch.ones(self.heads))
        self.norm = nn.RMSNorm(inner, eps=NORM_EPS)
        self.gather = nn.Linear(inner, shape.width, bias=False)

    def forward(self, states: Tensor) -> Tensor:
        """Return (B, L, width); step t depends on steps up to t."""
        gate, signal, dt = torch.split(self.spread(states), self.sizes, dim=-1)
        signal = self._convolved(signal)
        # The recurrence adds up hundreds of steps: half floats would lose what each adds.
        with torch.autocast(states.device.type, enabled=False):
            x, b, c = torch.split(functional.silu(signal.float()), self.signal_sizes, dim=-1)
            x = x.reshape(*x.shape[:-1], self.heads, self.head_size)
            dt = functional.softplus(dt.float() + self.dt_bias)
            mixed = chunked_scan(x, dt, self.log_decay.exp(), b, c) + self.skip[:, None] * x
        gated = self.norm(mixed.flatten(2) * functional.silu(gate))
        out: Tensor = self.gather(gated)
        return out

    def _convolved(self, signal: Tensor) -> Tensor:
        """Return the causal convolution of each channel, (B, L, channels): four products, which need no transposing."""
        padded, weight = functional.pad(signal, (0, 0, KERNEL - 1, 0)), self.convolution.weight[:, 0].T
        length = signal.shape[1]
        taps = [padded[:, k : k + length] * weight[k] for k in range(KERNEL)]
        return taps[0] + taps[1] + taps[2] + taps[3] + cast("Tensor", self.convolution.bias)


def chunked_scan(x: Tensor, dt: Tensor, decay: Tensor, b: Tensor, c: Tensor, chunk: int = CHUNK) -> Tensor:
    """Return y_t = C_t h_t of h_t = exp(-dt_t A) h_(t-1) + dt_t x_t B_t^T from h = 0.

    Args:
        x: (B, L, H, P).
        dt: (B, L, H), positive.
        decay: A, (H,), positive.
        b: (B, L, N), shared by the heads.
        c: (B, L, N).
        chunk: Steps in a chunk; does not change the result but for rounding.

    Returns:
        (B, L, H, P).
    """
    length = x.shape[1]
    missing = -length % chunk
    # Steps of dt 0 change nothing.
    x, b, c = (functional.pad(part, (0, 0) * (part.ndim - 2) + (0, missing)) for part in (x * dt[..., None], b, c))
    rate = functional.pad(-dt * decay, (0, 0, 0, missing))
    x, b, c, rate = (part.reshape(part.shape[0], -1, chunk, *part.shape[2:]) for part in (x, b, c, rate))
    x, rate = x.transpose(2, 3), rate.permute(0, 1, 3, 2)  # (B, K, H, chunk, P), (B, K, H, chunk)
    passed = rate.cumsum(-1)
    inside = (c @ b.transpose(-1, -2))[:, :, None] * between(rate)
    states = _passed_on(_left_by(x, b, passed), passed[..., -1])
    carried = (c[:, :, None] @ states) * passed.exp()[..., None]
    y = inside @ x + carried
    return y.transpose(2, 3).flatten(1, 2)[:, :length]


def between(rate: Tensor) -> Tensor:
    """Return the decay from step j to step i, exp(sum of rate over j+1..i), 0 where j > i: (..., L, L)."""
    size = rate.shape[-1]
    sums = rate.cumsum(-1)
    later = torch.ones(size, size, dtype=torch.bool, device=rate.device).triu(1)
    return (sums[..., :, None] - sums[..., None, :]).masked_fill(later, -torch.inf).exp()


def _left_by(x: Tensor, b: Tensor, passed: Tensor) -> Tensor:
    """Return what each chunk alone leaves in h at its end, (B, K, H, N, P)."""
    remaining = (passed[..., -1:] - passed).exp()
    return b.transpose(-1, -2)[:, :, None] @ (x * remaining[..., None])


def _passed_on(left: Tensor, rate: Tensor) -> Tensor:
    """Return h before each chunk, (B, K, H, N, P), of what chunks leave and their log decays (B, K, H)."""
    # After chunk k: all that chunks j <= k left, decayed by the chunks between. Shifted: before chunk k + 1.
    decays = between(rate.transpose(1, 2))  # (B, H, K, K)
    after = (decays @ left.transpose(1, 2).flatten(3)).transpose(1, 2).reshape(left.shape)
    return functional.pad(after[:, :-1], (0, 0, 0, 0, 0, 0, 1, 0))
