"""A trained network writes a song: window after window, several difficulties over one encoding of the audio.

Windows follow each other by `hop_bars`; each is given the last bars of what is written as context, and its own last
bars are written again by the next, which hears more of what follows.

Belongs here: windows, and what is kept from one to the next. Does not belong here: which tokens are allowed
(`grammar`), how one is chosen (`pen`), audio and files (`generate`, next in the flow).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from bgb_assets.loading.randomness import generator
from bgb_assets.modalities.beatmap.formats.naming import DIFFICULTIES
from bgb_assets.modalities.beatmap.generation.pace import Pace, WantedPace, wanted_pace
from bgb_assets.modalities.beatmap.generation.pen import Paper, Pen, Sampling
from bgb_assets.modalities.beatmap.learning.data import Crop, cut_frames
from bgb_assets.modalities.beatmap.learning.network import Network
from bgb_assets.modalities.beatmap.learning.variants import WindowParams
from bgb_assets.modalities.beatmap.sequences import vocabulary as v
from bgb_assets.modalities.beatmap.sequences.grammar import Grammar, Rules
from bgb_assets.modalities.beatmap.sequences.tokenizer import header

Float64 = NDArray[np.float64]


@dataclass(frozen=True)
class Request:
    """One difficulty to write.

    Attributes:
        difficulty: One of the five names.
        characteristic: `Standard` and the like.
        notes_per_s: The pace to keep, one value or one for each bar of the song; None leaves it to the model.
    """

    difficulty: str
    characteristic: str = "Standard"
    notes_per_s: float | Sequence[float] | None = None

    def wanted(self, song: "Song") -> WantedPace | None:
        """Return how many notes are wanted up to each moment of a song."""
        if self.notes_per_s is None:
            return None
        return wanted_pace(song.bar_seconds, song.end_s, self.notes_per_s)


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

    @property
    def end_s(self) -> float:
        """When the last sound ends; silence behind it, as in a last bar that is not full, is 0."""
        for bar in range(self.bars - 1, -1, -1):
            heard = self.mel[bar * v.FRAMES_PER_BAR : (bar + 1) * v.FRAMES_PER_BAR].any(axis=1)
            if heard.any():
                share = (int(np.flatnonzero(heard)[-1]) + 1) / v.FRAMES_PER_BAR
                return float(self.bar_seconds[bar] * (1.0 - share) + self.bar_seconds[bar + 1] * share)
        return float(self.bar_seconds[0])


@dataclass
class Draft:
    """What is written so far of one difficulty: the tokens of each bar, BAR first."""

    request: Request
    random: np.random.Generator
    wanted: WantedPace | None
    pace: Pace | None
    bars: list[list[int]] = field(default_factory=list)

    def rewind(self, bars: int) -> None:
        """Forget all but the first bars."""
        del self.bars[bars:]
        if self.pace is not None:
            self.pace.rewind(bars)


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
    drafts = [_draft(one, song, seed) for one in requests]
    with torch.inference_mode(), _one_thread():
        for crop in windows(song.bars, window):
            frames = torch.from_numpy(cut_frames(song.mel, crop, window.bars)).float()[None]
            paper = Paper(network, network.remember(network.encode(frames)), sampling, window.max_tokens)
            for draft in drafts:
                rules = Rules(crop.stop - crop.start, draft.request.characteristic, kinds)
                draft.rewind(crop.target.start)
                _write_window(Pen(paper, Grammar(rules), draft.random, draft.pace), draft, crop, song)
                if crop.stop < song.bars:
                    draft.rewind(crop.stop - window.redo_bars)
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


def seam_bars(bars: int, window: WindowParams) -> list[int]:
    """Return the bars of a song at which another window goes on."""
    return [crop.target.start for crop in windows(bars, window) if crop.start]


def _draft(request: Request, song: Song, seed: int) -> Draft:
    random = generator(seed, 0, DIFFICULTIES.index(request.difficulty), f"write {request.characteristic}")
    wanted = request.wanted(song)
    return Draft(request, random, wanted, None if wanted is None else Pace(wanted, song.bar_seconds))


def _write_window(pen: Pen, draft: Draft, crop: Crop, song: Song) -> None:
    """Write the bars of a window behind its context."""
    pen.begin(_header(draft, crop, song), [token for bar in draft.bars[crop.start :] for token in bar])
    draft.bars.append([v.BAR])
    while not pen.grammar.done:
        token = pen.choose()
        if token == v.BAR:
            draft.bars.append([])
        if token != v.EOS:
            draft.bars[-1].append(token)


def _header(draft: Draft, crop: Crop, song: Song) -> list[int]:
    """Return the header of a window: its conditions are those of the bars asked for."""
    first, last = (float(song.bar_seconds[bar]) for bar in (crop.target.start, crop.stop))
    bpm = 60.0 * v.BEATS_PER_BAR * (crop.stop - crop.target.start) / (last - first)
    asked = None if draft.wanted is None else draft.wanted.between(first, last)
    request = draft.request
    return header(request.difficulty, request.characteristic, asked, bpm, v.any_of(v.QUAL))


def _whole(draft: Draft, song: Song) -> NDArray[np.int16]:
    head = _header(draft, Crop(0, song.bars, 0), song)
    return np.array([*head, *(token for bar in draft.bars for token in bar), v.EOS], np.int16)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Steps of one token are too small to share; one thread also keeps sums, and so maps, the same everywhere."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
