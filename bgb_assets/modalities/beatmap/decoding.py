"""A trained network writes a song: window after window, several difficulties over one encoding of the audio.

Windows follow each other by `hop_bars`; each is given the last bars of what is written as context, and its own last
bars are written again by the next, which hears more of what follows.

Belongs here: windows, sampling, the control of pace. Does not belong here: which tokens are allowed (`grammar`),
audio and files (`generate`, next in the flow).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from bgb_assets.loading.randomness import generator
from bgb_assets.modalities.beatmap import vocabulary as v
from bgb_assets.modalities.beatmap.data import Crop, cut_frames
from bgb_assets.modalities.beatmap.events import note_starts, positions
from bgb_assets.modalities.beatmap.grammar import Grammar, Rules
from bgb_assets.modalities.beatmap.naming import DIFFICULTIES
from bgb_assets.modalities.beatmap.network import FrameMemory, Network
from bgb_assets.modalities.beatmap.tokenizer import header
from bgb_assets.modalities.beatmap.variants import WindowParams

Float64 = NDArray[np.float64]

PACE_GAIN = 1.5
"""What the log-odds of each POS gain for every bar's worth of notes that are owed."""
PACE_LIMIT = 6.0

_LONGEST_EVENT = 16
"""More tokens than the rest of an event, with its POS, can take."""


@dataclass(frozen=True)
class Sampling:
    """How a token is chosen among the allowed ones.

    Attributes:
        temperature: Below 1 prefers the likely; 0 always takes the likeliest.
        top_p: Only the likeliest tokens that make up this much probability.
    """

    temperature: float = 0.9
    top_p: float = 0.95


@dataclass(frozen=True)
class Request:
    """One difficulty to write.

    Attributes:
        difficulty: One of the five names.
        characteristic: `Standard` and the like.
        notes_per_s: The pace to keep; None leaves it to the model.
    """

    difficulty: str
    characteristic: str = "Standard"
    notes_per_s: float | None = None


@dataclass(frozen=True)
class Song:
    """What is heard.

    Attributes:
        mel: (bars * 64, 81) on the beat grid.
        bar_seconds: (bars + 1,) when each bar begins and the last one ends.
    """

    mel: NDArray[np.float16]
    bar_seconds: Float64

    @property
    def bars(self) -> int:
        """Whole bars of the song."""
        return len(self.bar_seconds) - 1


@dataclass
class Draft:
    """What is written so far of one difficulty: the tokens of each bar, BAR first."""

    request: Request
    random: np.random.Generator
    bars: list[list[int]] = field(default_factory=list)

    def notes(self) -> list[int]:
        """Return how many notes each bar has."""
        return [int(np.count_nonzero(note_starts(bar))) for bar in self.bars]


def write_song(
    network: Network,
    song: Song,
    requests: Sequence[Request],
    window: WindowParams,
    kinds: Sequence[str],
    seed: int,
    sampling: Sampling | None = None,
) -> list[NDArray[np.int16]]:
    """Return one token sequence per request, over all bars of the song; equal arguments give equal sequences.

    Args:
        network: In eval mode, on the CPU.
        song: Of any length.
        requests: The difficulties; each draws from a generator of its own, so that none depends on the others.
        window: The windows that the network was trained on.
        kinds: The kinds of objects that it has seen.
        seed: Of all choices.
        sampling: How tokens are chosen.
    """
    sampling = sampling or Sampling()
    drafts = [
        Draft(one, generator(seed, 0, DIFFICULTIES.index(one.difficulty), f"write {one.characteristic}"))
        for one in requests
    ]
    with torch.inference_mode(), _one_thread():
        for crop in windows(song.bars, window):
            frames = torch.from_numpy(cut_frames(song.mel, crop, window.bars)).float()[None]
            memory = network.remember(network.encode(frames))
            for draft in drafts:
                rules = Rules(crop.stop - crop.start, draft.request.characteristic, kinds)
                pen = _Pen(network, memory, Grammar(rules), sampling, draft.random, window.max_tokens)
                _write_window(pen, draft, crop, song, window)
    return [_whole(draft, song) for draft in drafts]


def windows(bars: int, window: WindowParams) -> Iterator[Crop]:
    """Yield the windows that write a song: only the first has no context, and the last may be shorter."""
    start = 0
    while True:
        stop = min(start + window.bars, bars)
        yield Crop(start, stop, window.context_bars if start else 0)
        if stop == bars:
            return
        start += window.hop_bars


def _write_window(pen: "_Pen", draft: Draft, crop: Crop, song: Song, window: WindowParams) -> None:
    """Write the bars of a window behind its context; all but the last window leave its end to the next."""
    del draft.bars[crop.target.start :]
    pace = _Pace(draft, song.bar_seconds)
    pen.begin(_header(draft.request, crop, song), [token for bar in draft.bars[crop.start :] for token in bar])
    while not pen.grammar.done:
        token = pen.choose(pace.bias)
        if token == v.BAR:
            pace.update()
            draft.bars.append([])
        if token != v.EOS:
            draft.bars[-1].append(token)
    if crop.stop < song.bars:
        del draft.bars[crop.stop - window.redo_bars :]


def _header(request: Request, crop: Crop, song: Song) -> list[int]:
    first, last = song.bar_seconds[[crop.target.start, crop.stop]]
    bpm = 60.0 * v.BEATS_PER_BAR * (crop.stop - crop.target.start) / (last - first)
    return header(request.difficulty, request.characteristic, request.notes_per_s, bpm, v.any_of(v.QUAL))


def _whole(draft: Draft, song: Song) -> NDArray[np.int16]:
    head = _header(draft.request, Crop(0, song.bars, 0), song)
    return np.array([*head, *(token for bar in draft.bars for token in bar), v.EOS], np.int16)


class _Pace:
    """Keeps the notes per second of a draft near the request: what is owed since its first note becomes a bias."""

    def __init__(self, draft: Draft, bar_seconds: Float64) -> None:
        self.bias = 0.0
        self._draft = draft
        self._seconds = bar_seconds
        self._finished = draft.notes()

    def update(self) -> None:
        """Look at all bars so far, at the end of one."""
        asked = self._draft.request.notes_per_s
        if asked is None:
            return
        bars = self._draft.bars
        self._finished += [int(np.count_nonzero(note_starts(bar))) for bar in bars[len(self._finished) :]]
        if not any(self._finished):
            return
        origin = next(number for number, notes in enumerate(self._finished) if notes)
        done = len(self._finished)
        owed = asked * float(self._seconds[done] - self._seconds[origin]) - sum(self._finished)
        of_a_bar = asked * float(self._seconds[done] - self._seconds[done - 1])
        self.bias = float(np.clip(PACE_GAIN * owed / of_a_bar, -PACE_LIMIT, PACE_LIMIT))


class _Pen:
    """Writes one window: asks the network, the grammar and the dice."""

    def __init__(
        self,
        network: Network,
        memory: FrameMemory,
        grammar: Grammar,
        sampling: Sampling,
        random: np.random.Generator,
        max_tokens: int,
    ) -> None:
        self.grammar = grammar
        self._network, self._memory, self._sampling, self._random = network, memory, sampling, random
        self._room = max_tokens
        self._tick = 0
        self._bar_tick = -v.TICKS_PER_BAR
        self._logits = np.zeros(v.SIZE)
        self._caches = network.empty_caches(1, 0)

    def begin(self, head: Sequence[int], context: Sequence[int]) -> None:
        """Take the header and the context's tokens."""
        tokens = [*head, *context]
        self._room = max(self._room, len(tokens)) - len(tokens)
        # Beyond its room a window still ends every bar and the event it is in.
        spare = self.grammar.rules.bars * (_LONGEST_EVENT + 1)
        self._caches = self._network.empty_caches(1, len(tokens) + self._room + spare)
        for token in context:
            self.grammar.push(token)
        ticks = positions(tokens)
        self._tick = int(ticks[-1])
        self._bar_tick = self.grammar.bar * v.TICKS_PER_BAR
        self._ask(tokens, ticks.tolist())

    def choose(self, pos_bias: float) -> int:
        """Return the next token and go on behind it."""
        mask = self.grammar.mask()
        if self._room <= 0 and (mask[v.BAR] or mask[v.EOS]):
            mask[v.BAR + 1 :] = False
        logits = paced(np.where(mask, self._logits, -np.inf), pos_bias)
        token = sample(logits, self._sampling, self._random)
        self.grammar.advance(token)
        self._room -= 1
        if token == v.BAR:
            self._bar_tick += v.TICKS_PER_BAR
            self._tick = self._bar_tick
        elif v.POS.start <= token < v.POS.stop:
            self._tick = self._bar_tick + token - v.POS.start
        if token != v.EOS:
            self._ask([token], [self._tick])
        return token

    def _ask(self, tokens: Sequence[int], ticks: Sequence[int]) -> None:
        logits = self._network.decode(torch.tensor([tokens]), torch.tensor([ticks]), self._memory, self._caches)
        self._logits = logits[0, -1].numpy().astype(np.float64)


def paced(logits: Float64, bias: float) -> Float64:
    """Return logits with the log-odds of each POS, against all that would skip it, raised by a bias.

    Raising POS against BAR alone would fill the end of a bar only: a skipped beat is as much a choice not to place a
    note as an early BAR. So the chance of POS p given that no earlier one is taken, its hazard, is what is biased.
    What POS and the bar's end share against all other tokens stays. Bias 0 changes nothing.
    """
    ends = [token for token in (v.BAR, v.EOS) if logits[token] > -np.inf]
    if not bias or not ends or not (logits[v.POS.slice] > -np.inf).any():
        return logits
    places = np.append(np.arange(v.POS.start, v.POS.stop), ends)
    group = logits[places]
    peak = group.max()
    chances = np.exp(group - peak)
    left = np.cumsum(chances[::-1])[::-1]
    # Odds of taking a place now, against taking a later one or the end; the end is taken when all else is skipped.
    odds = chances[:-1] / np.maximum(left[1:], 1e-300) * np.exp(bias)
    skipped = np.concatenate([[0.0], np.cumsum(-np.log1p(odds))])
    changed = logits.copy()
    with np.errstate(divide="ignore"):
        taken = np.append(np.log(odds) - np.log1p(odds), 0.0)
    changed[places] = taken + skipped + peak + np.log(left[0])
    return changed


def sample(logits: Float64, sampling: Sampling, random: np.random.Generator) -> int:
    """Return one token by temperature and top-p; -inf is never chosen.

    Args:
        logits: (832,) at least one finite.
        sampling: How.
        random: Asked for exactly one number unless only one token is possible or the temperature is 0.
    """
    best = int(logits.argmax())
    possible = np.flatnonzero(logits > -np.inf)
    if len(possible) == 1 or sampling.temperature <= 0:
        return best
    scaled = (logits[possible] - logits[best]) / sampling.temperature
    order = np.argsort(-scaled, kind="stable")
    weights = np.exp(scaled[order])
    total = np.cumsum(weights)
    # The token that crosses top_p is kept, so that there is always one.
    kept = int(np.searchsorted(total, sampling.top_p * total[-1])) + 1
    chosen = int(np.searchsorted(total[:kept], random.random() * total[kept - 1], side="right"))
    return int(possible[order[min(chosen, kept - 1)]])


@contextmanager
def _one_thread() -> Iterator[None]:
    """Steps of one token are too small to share; one thread also keeps sums, and so maps, the same everywhere."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
