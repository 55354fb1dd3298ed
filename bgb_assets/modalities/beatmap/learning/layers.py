"""The pieces of the network: rotary positions in frames, attention with a key and value store, blocks.

Belongs here: modules that know shapes, not songs. Does not belong here: how they are put together (`network`, next in
the flow). torch only.

Shapes: B sequences, L tokens or frames, H heads of size S, d = H * S.
"""

from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor, nn
from torch.nn import functional

ROTARY_BASE = 10_000.0
NORM_EPS = 1e-6


@dataclass(frozen=True)
class Turn:
    """What rotates the pairs (0, 1), (2, 3), ... of a head.

    Attributes:
        cos: (B, 1, L, S), each cosine twice.
        sin: (B, 1, L, S), of each pair minus the sine, then the sine.
    """

    cos: Tensor
    sin: Tensor

    def __call__(self, heads: Tensor) -> Tensor:
        """Return (B, H, L, S) rotated."""
        pairs = heads.float()
        # Three kernels: a step of one token is made of little else than their calls.
        crossed = pairs.view(*pairs.shape[:-1], -1, 2).flip(-1).flatten(-2)
        return torch.addcmul(pairs * self.cos, crossed, self.sin).to(heads.dtype)


def turn(*positions: Tensor, size: int) -> Turn:
    """Return the rotation of a head of `size` by positions (B, L); two positions turn one half of the head each."""
    share = size // len(positions)
    rates = torch.tensor(_rates(share), device=positions[0].device)
    angles = torch.cat([position.float().unsqueeze(-1) * rates for position in positions], dim=-1).unsqueeze(1)
    sin = angles.sin()
    return Turn(angles.cos().repeat_interleave(2, -1), torch.stack((-sin, sin), dim=-1).flatten(-2))


@cache
def _rates(size: int) -> tuple[float, ...]:
    return tuple(ROTARY_BASE ** (-place / size) for place in range(0, size, 2))


@dataclass
class KeysValues:
    """Keys and values of the tokens so far, in a buffer that is filled from the left: (B, H, capacity, S)."""

    keys: Tensor
    values: Tensor
    length: int = 0

    def append(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Add (B, H, L, S) and return all so far."""
        end = self.length + keys.shape[2]
        self.keys[:, :, self.length : end] = keys
        self.values[:, :, self.length : end] = values
        self.length = end
        return self.keys[:, :, :end], self.values[:, :, :end]


class Norm(nn.Module):
    """Root mean square norm, always in float32: in mixed precision torch 2.13 warns and takes a slow path otherwise."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, inputs: Tensor) -> Tensor:
        """Return (..., d) of root mean square 1, scaled."""
        states = inputs.float()
        if torch.is_grad_enabled():
            return functional.rms_norm(states, self.weight.shape, self.weight, NORM_EPS)
        # Where single tokens are written, the kernels of `rms_norm` on a CPU take twice as long to call.
        return states * torch.rsqrt(states.square().mean(-1, keepdim=True) + NORM_EPS) * self.weight


class SelfAttention(nn.Module):
    """Attention of a sequence to itself, without biases; keys and values of the tokens before can be kept."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        # One map and one rotation for all: a step of one token costs as much as the calls it makes.
        self.into = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)

    def forward(self, inputs: Tensor, turned: Turn, causal: bool = False, cache: KeysValues | None = None) -> Tensor:
        """Map (B, L, d) to (B, L, d); a cache is added to and attended to as a whole."""
        heads = _split(self.into(inputs), 3 * self.heads)
        query, keys = turned(heads[:, : 2 * self.heads]).chunk(2, 1)
        values = heads[:, 2 * self.heads :]
        if cache is not None:
            keys, values = cache.append(keys, values)
        return _attended(self.out, query, keys, values, causal)


class CrossAttention(nn.Module):
    """Attention to frames, without biases; their keys and values are made once and kept."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width, bias=False)
        self.key = nn.Linear(width, width, bias=False)
        self.value = nn.Linear(width, width, bias=False)
        self.out = nn.Linear(width, width, bias=False)

    def keys_values(self, source: Tensor, turned: Turn) -> tuple[Tensor, Tensor]:
        """Return keys and values (B, H, L, S) of (B, L, d)."""
        return turned(_split(self.key(source), self.heads)), _split(self.value(source), self.heads)

    def forward(self, inputs: Tensor, turned: Turn, keys: Tensor, values: Tensor) -> Tensor:
        """Return (B, L, d): what each input position takes from the values."""
        return _attended(self.out, turned(_split(self.query(inputs), self.heads)), keys, values)


def _split(inputs: Tensor, heads: int) -> Tensor:
    """(B, L, H * S) to (B, H, L, S)."""
    return inputs.view(*inputs.shape[:-1], heads, -1).transpose(1, 2)


def _attended(into: nn.Linear, query: Tensor, keys: Tensor, values: Tensor, causal: bool = False) -> Tensor:
    taken = functional.scaled_dot_product_attention(query, keys, values, is_causal=causal)
    out: Tensor = into(taken.transpose(1, 2).flatten(2))
    return out


class FeedForward(nn.Module):
    """Two linear maps with GELU between."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.into = nn.Linear(width, hidden, bias=False)
        self.out = nn.Linear(hidden, width, bias=False)

    def forward(self, inputs: Tensor) -> Tensor:
        """Map (B, L, d) to (B, L, d)."""
        out: Tensor = self.out(functional.gelu(self.into(inputs)))
        return out


class ConvolutionModule(nn.Module):
    """Norm, gated linear map, depthwise convolution over frames, norm, SiLU, linear map."""

    def __init__(self, width: int, kernel: int) -> None:
        super().__init__()
        self.before = Norm(width)
        self.gate = nn.Linear(width, 2 * width, bias=False)
        self.frames = nn.Conv1d(width, width, kernel, padding=kernel // 2, groups=width, bias=False)
        self.after = Norm(width)
        self.out = nn.Linear(width, width, bias=False)

    def forward(self, inputs: Tensor) -> Tensor:
        """Map (B, L, d) to (B, L, d)."""
        gated = functional.glu(self.gate(self.before(inputs)), dim=-1)
        mixed = self.frames(gated.transpose(1, 2)).transpose(1, 2)
        out: Tensor = self.out(functional.silu(self.after(mixed)))
        return out


class EncoderBlock(nn.Module):
    """Self-attention over frames, a convolution module if `kernel` > 0, feed-forward; all residual."""

    def __init__(self, width: int, heads: int, hidden: int, kernel: int, dropout: float) -> None:
        super().__init__()
        self.norm_attention = Norm(width)
        self.attention = SelfAttention(width, heads)
        self.convolution = ConvolutionModule(width, kernel) if kernel else None
        self.norm_feed_forward = Norm(width)
        self.feed_forward = FeedForward(width, hidden)
        self.dropout = nn.Dropout(dropout)

    def forward(self, inputs: Tensor, turned: Turn) -> Tensor:
        """Map (B, L, d) to (B, L, d)."""
        states = inputs + self.dropout(self.attention(self.norm_attention(inputs), turned))
        if self.convolution is not None:
            states = states + self.dropout(self.convolution(states))
        out: Tensor = states + self.dropout(self.feed_forward(self.norm_feed_forward(states)))
        return out


class DecoderBlock(nn.Module):
    """Causal self-attention, attention to the frames, feed-forward; all residual."""

    def __init__(self, width: int, heads: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.norm_self = Norm(width)
        self.self_attention = SelfAttention(width, heads)
        self.norm_cross = Norm(width)
        self.cross_attention = CrossAttention(width, heads)
        self.norm_feed_forward = Norm(width)
        self.feed_forward = FeedForward(width, hidden)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self,
        inputs: Tensor,
        self_turn: Turn,
        cross_turn: Turn,
        frames: tuple[Tensor, Tensor],
        cache: KeysValues | None = None,
    ) -> Tensor:
        """Map (B, L, d) to (B, L, d).

        Args:
            inputs: Token states; with a cache, those of one new token or of all tokens so far.
            self_turn: Rotation by time and by index.
            cross_turn: Rotation by time.
            frames: Keys and values of the frames.
            cache: Keys and values of the tokens before, added to.
        """
        causal = inputs.shape[1] > 1
        states = inputs + self.dropout(self.self_attention(self.norm_self(inputs), self_turn, causal, cache))
        crossed = self.cross_attention(self.norm_cross(states), cross_turn, *frames)
        states = states + self.dropout(crossed)
        out: Tensor = states + self.dropout(self.feed_forward(self.norm_feed_forward(states)))
        return out
