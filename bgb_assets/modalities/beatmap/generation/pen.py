"""The pen: writes the tokens of one window, one at a time: asks the network, the grammar, the pace and the dice.

Belongs here: keys and values kept from token to token, guidance, sampling. Does not belong here: which tokens are
allowed (`grammar`), how dense a map gets (`pace`), windows (`decoding`, next in the flow).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from bgb_assets.modalities.beatmap.generation.pace import Pace, chance, place_log_odds
from bgb_assets.modalities.beatmap.learning.network import FrameMemory, Network
from bgb_assets.modalities.beatmap.sequences import vocabulary as v
from bgb_assets.modalities.beatmap.sequences.events import positions
from bgb_assets.modalities.beatmap.sequences.grammar import Grammar
from bgb_assets.runtime.errors import BadInput

Float64 = NDArray[np.float64]

NO_GUIDANCE = 1.0

_LONGEST_EVENT = 16
"""More tokens than the rest of an event, with its POS, can take."""
_STEERING = (v.DIFF, v.NPS)
"""The conditions that guidance makes more of; tempo and characteristic are facts, not wishes."""


@dataclass(frozen=True)
class Sampling:
    """How a token is chosen among the allowed ones.

    Attributes:
        temperature: Below 1 prefers the likely; 0 always takes the likeliest.
        top_p: Only the likeliest tokens that make up this much probability.
        guidance: How far to go from what the network writes for no pace and difficulty in particular to what it
            writes for those asked for: 1 goes there, more goes beyond and takes twice the time.
    """

    temperature: float = 0.9
    top_p: float = 0.95
    guidance: float = NO_GUIDANCE

    def __post_init__(self) -> None:
        for name, holds, bounds in (
            ("temperature", 0.0 <= self.temperature <= 10.0, "from 0 to 10"),
            ("top_p", 0.0 < self.top_p <= 1.0, "above 0, up to 1"),
            ("guidance", 0.0 <= self.guidance <= 20.0, "from 0 to 20"),
        ):
            if not holds:
                option = name.replace("_", "-")
                raise BadInput(f"{name} must be {bounds}, got {getattr(self, name)!r}", f"correct --{option}")


@dataclass(frozen=True)
class Paper:
    """What a window is written on.

    Attributes:
        network: In eval mode.
        memory: Keys and values of the window's frames.
        sampling: How tokens are chosen.
        max_tokens: Room for tokens, context and header included; every bar is ended even without.
    """

    network: Network
    memory: FrameMemory
    sampling: Sampling
    max_tokens: int


class Pen:
    """Writes one window.

    Args:
        paper: What it is written on.
        grammar: At the start of the window.
        random: The dice.
        pace: Of the whole song; None leaves it to the network.
    """

    def __init__(self, paper: Paper, grammar: Grammar, random: np.random.Generator, pace: Pace | None) -> None:
        self.grammar = grammar
        self._network, self._sampling, self._random, self._pace = paper.network, paper.sampling, random, pace
        self._rows = 1 if paper.sampling.guidance == NO_GUIDANCE else 2
        self._memory = [
            (keys.expand(self._rows, *keys.shape[1:]), values.expand(self._rows, *values.shape[1:]))
            for keys, values in paper.memory
        ]
        self._room = paper.max_tokens
        self._tick = 0
        self._logits = np.zeros(v.SIZE)
        self._caches = paper.network.empty_caches(self._rows, 0)

    def begin(self, head: Sequence[int], context: Sequence[int]) -> None:
        """Take the header and the context's tokens, and open the first bar behind them."""
        tokens = [*head, *context, v.BAR]
        self._room = max(self._room, len(tokens)) - len(tokens)
        # Beyond its room a window still ends every bar and the event it is in.
        spare = self.grammar.rules.bars * (_LONGEST_EVENT + 1)
        self._caches = self._network.empty_caches(self._rows, len(tokens) + self._room + spare)
        for token in tokens[len(head) :]:
            self.grammar.push(token)
        self._move(v.BAR)
        rows = [tokens, [*unsteered(head), *tokens[len(head) :]]]
        self._ask(rows[: self._rows], positions(tokens).tolist())

    def choose(self) -> int:
        """Return the next token and go on behind it."""
        mask = self.grammar.mask()
        if self._room <= 0 and (mask[v.BAR] or mask[v.EOS]):
            mask[v.BAR + 1 :] = False
        logits = np.where(mask, self._logits, -np.inf)
        if self._sampling.temperature > 0:
            logits /= self._sampling.temperature
        token = self._drawn(logits) if self._pace is None else self._paced(logits, self._pace)
        if self._pace is not None and v.NOTE.start <= token < v.NOTE.stop and not self.grammar.in_curve:
            self._pace.wrote_note(self._tick)
        self.grammar.advance(token)
        self._room -= 1
        self._move(token)
        if token != v.EOS:
            self._ask([[token]] * self._rows, [self.grammar.bar * v.TICKS_PER_BAR + self._tick])
        return token

    def _paced(self, logits: Float64, pace: Pace) -> int:
        """Return a token drawn under the pace: first whether to move on at all, then where to."""
        log_odds = place_log_odds(logits)
        if log_odds is None:
            return self._drawn(logits)
        end = v.BAR if logits[v.BAR] > -np.inf else v.EOS
        onward, places = _with_places_in(logits, end), np.flatnonzero(log_odds > -np.inf)
        token = self._drawn(onward)
        return token if token != end else self._next_place(places, log_odds[places], end, pace)

    def _next_place(self, places: NDArray[np.intp], log_odds: Float64, end: int, pace: Pace) -> int:
        """Return the POS of the place that is taken, or the end of the bar.

        Raising POS against BAR alone would fill the end of a bar only: a skipped beat is as much a choice not to
        place a note as an early BAR. So the chance of each place, given that no earlier one is taken, is raised.
        """
        chances = likeliest(chance(log_odds + pace.bias(self._tick, log_odds)), self._sampling.top_p)
        if self._sampling.temperature > 0:
            taken = int(np.searchsorted(1.0 - np.cumprod(1.0 - chances), self._random.random(), side="right"))
        else:
            taken = int(np.argmax(np.append(chances >= 0.5, True)))
        pace.passed(log_odds[: taken + 1], float(chances[: taken + 1].sum()))
        return end if taken == len(places) else v.POS.start + int(places[taken])

    def _drawn(self, logits: Float64) -> int:
        return draw(logits, self._sampling.top_p if self._sampling.temperature > 0 else 0.0, self._random)

    def _move(self, token: int) -> None:
        """Keep the tick of the bar, and open the next one."""
        if v.POS.start <= token < v.POS.stop:
            self._tick = token - v.POS.start
        elif token == v.BAR:
            self._tick = 0
            if self._pace is not None:
                self._pace.open_bar()

    def _ask(self, rows: Sequence[Sequence[int]], ticks: Sequence[int]) -> None:
        asked = torch.tensor(rows)
        logits = self._network.decode(asked, torch.tensor([ticks] * len(rows)), self._memory, self._caches)
        last = logits[:, -1].numpy().astype(np.float64)
        self._logits = last[0] if len(last) == 1 else last[1] + self._sampling.guidance * (last[0] - last[1])


def unsteered(head: Sequence[int]) -> list[int]:
    """Return a header that leaves difficulty and pace open, as training left them open now and then."""
    opened = list(head)
    for span in _STEERING:
        opened[1 + v.CONDITIONS.index(span)] = v.any_of(span)
    return opened


def likeliest(chances: Float64, top_p: float) -> Float64:
    """Return chances of independent things, 0 for all but the likeliest that make up `top_p` of what is expected."""
    order = np.argsort(-chances, kind="stable")
    total = np.cumsum(chances[order])
    kept = np.zeros_like(chances)
    chosen = order[: int(np.searchsorted(total, top_p * total[-1])) + 1]
    kept[chosen] = chances[chosen]
    return kept


def _with_places_in(logits: Float64, end: int) -> Float64:
    """Return logits in which the end of the bar stands for all places of it too."""
    group = np.append(logits[v.POS.slice], logits[end])
    peak = group.max()
    onward = logits.copy()
    onward[v.POS.slice] = -np.inf
    onward[end] = peak + np.log(np.exp(group - peak).sum())
    return onward


def draw(logits: Float64, top_p: float, random: np.random.Generator) -> int:
    """Return one of the likeliest tokens that make up `top_p` of the probability; -inf is never chosen.

    Args:
        logits: (832,) at least one finite.
        top_p: 0 takes the likeliest.
        random: Asked for exactly one number unless only one token is possible or the likeliest is taken.
    """
    best = int(logits.argmax())
    possible = np.flatnonzero(logits > -np.inf)
    if len(possible) == 1 or top_p <= 0.0:
        return best
    order = np.argsort(-logits[possible], kind="stable")
    total = np.cumsum(np.exp(logits[possible][order] - logits[best]))
    # The token that crosses top_p is kept, so that there is always one.
    kept = int(np.searchsorted(total, top_p * total[-1])) + 1
    chosen = int(np.searchsorted(total[:kept], random.random() * total[kept - 1], side="right"))
    return int(possible[order[min(chosen, kept - 1)]])
