"""The model: an encoder over the frames of a window and a decoder that writes its tokens.

Frames and tokens share one clock, in frames: frame k is at k, a token of tick p at p / 3. Rotary embeddings carry it
into the encoder, into the attention of tokens to frames and into half of each head among tokens; the other half
turns with the token's index. Nothing else says which bar a token is in.

Belongs here: the architecture and its cached form. Does not belong here: batches (`data`), choosing tokens
(`decoding`), training (`model`). torch only.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from bgb_assets.modalities.beatmap.learning.layers import DecoderBlock, EncoderBlock, KeysValues, Norm, Turn, turn
from bgb_assets.modalities.beatmap.learning.variants import Shape
from bgb_assets.modalities.beatmap.sequences import vocabulary as v

MEL_COLUMNS = 81


FrameMemory = Sequence[tuple[Tensor, Tensor]]
"""Keys and values of the frames, one pair per decoder block."""


class Network(nn.Module):
    """Mel frames and the tokens so far -> the next token.

    Args:
        shape: Its size.
        dropout: Share of states that training drops.
        label_smoothing: Share of a target that the loss of training spreads over all tokens.
    """

    def __init__(self, shape: Shape, dropout: float = 0.0, label_smoothing: float = 0.0) -> None:
        super().__init__()
        self.label_smoothing = label_smoothing
        width, heads, hidden = shape.width, shape.heads, shape.hidden
        self.head_size = width // heads
        self.project = nn.Linear(MEL_COLUMNS, width, bias=False)
        self.smooth = nn.Conv1d(width, width, 3, padding=1, bias=False)
        self.sharpen = nn.Conv1d(width, width, 3, padding=1, bias=False)
        self.encoder = nn.ModuleList(
            EncoderBlock(width, heads, hidden, shape.kernel, dropout) for _ in range(shape.encoder_blocks)
        )
        self.encoder_norm = Norm(width)
        self.embedding = nn.Embedding(v.SIZE, width)
        self.decoder = nn.ModuleList(DecoderBlock(width, heads, hidden, dropout) for _ in range(shape.decoder_blocks))
        self.decoder_norm = Norm(width)
        self.dropout = nn.Dropout(dropout)
        # The embedding is the output too: with this scale the first logits are near 0 and none is sure.
        nn.init.normal_(self.embedding.weight, std=width**-0.5)

    def forward(self, mel: Tensor, tokens: Tensor, ticks: Tensor) -> Tensor:
        """Return logits (B, L, 832) of the token after each.

        Args:
            mel: (B, T, 81) frames of the window from its first bar, 0 beyond the audio.
            tokens: (B, L) ids, padded on the right.
            ticks: (B, L) tick of each token from the window's first bar.
        """
        return self.decode(tokens, ticks, self.remember(self.encode(mel)))

    def encode(self, mel: Tensor) -> Tensor:
        """Return frame states (B, T, d)."""
        states = self.project(mel)
        smooth = functional.gelu(self.smooth(states.transpose(1, 2)))
        states = self.dropout(states + self.sharpen(smooth).transpose(1, 2))
        turned = turn(_indices(0, states), size=self.head_size)
        for block in self.encoder:
            states = block(states, turned)
        out: Tensor = self.encoder_norm(states)
        return out

    def remember(self, states: Tensor) -> FrameMemory:
        """Return the keys and values that every decoder block attends to, made once per window."""
        turned = self.memory_turn(_indices(0, states))
        return [block.cross_attention.keys_values(states, turned) for block in self._decoder_blocks()]

    def decode(
        self, tokens: Tensor, ticks: Tensor, memory: FrameMemory, caches: Sequence[KeysValues] | None = None
    ) -> Tensor:
        """Return logits (B, L, 832) of the token after each.

        With caches, `tokens` are new ones: any number into empty caches, one at a time after that.
        """
        index = _indices(caches[0].length if caches else 0, tokens)
        self_turn, cross_turn = self.token_turns(index.expand_as(tokens), ticks)
        states = self.dropout(self.embedding(tokens))
        for number, block in enumerate(self._decoder_blocks()):
            cache = caches[number] if caches else None
            states = block(states, self_turn, cross_turn, memory[number], cache)
        return functional.linear(self.decoder_norm(states), self.embedding.weight)

    def memory_turn(self, frames: Tensor) -> Turn:
        """Return how the keys of frames (B, T) turn for the attention of tokens to them: by their time."""
        return turn(frames, size=self.head_size)

    def token_turns(self, index: Tensor, ticks: Tensor) -> tuple[Turn, Turn]:
        """Return how tokens turn among themselves, by time and by index, and towards the frames, by time."""
        time = ticks.float() / v.TICKS_PER_FRAME
        return turn(time, index, size=self.head_size), turn(time, size=self.head_size)

    def empty_caches(self, batch: int, capacity: int) -> list[KeysValues]:
        """Return one empty cache per decoder block, for up to `capacity` tokens."""
        weight = self.embedding.weight
        heads = weight.shape[1] // self.head_size
        shape = (batch, heads, capacity, self.head_size)
        return [KeysValues(weight.new_zeros(shape), weight.new_zeros(shape)) for _ in self.decoder]

    def _decoder_blocks(self) -> list[DecoderBlock]:
        return [block for block in self.decoder if isinstance(block, DecoderBlock)]


def _indices(start: int, along: Tensor) -> Tensor:
    """Return start, start + 1, ... along the second axis, (1, L)."""
    return torch.arange(start, start + along.shape[1], device=along.device)[None]


def parameter_count(network: nn.Module) -> int:
    """Return the number of trained numbers, tied ones once."""
    return sum(parameter.numel() for parameter in network.parameters())
