"""Windows of songs for training: a crop of tokens, its frames, its conditions, and what augmentation changes.

Belongs here: what one sample is. Does not belong here: which songs come when (`bgb_assets.loading.order`), the
network (`network`), the loss (`model`, next in the flow). numpy only.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bgb_assets.loading.dataset import Sample
from bgb_assets.loading.mapped import ShardStore
from bgb_assets.loading.randomness import Draw
from bgb_assets.modalities.beatmap.learning.variants import Augmentation, WindowParams
from bgb_assets.modalities.beatmap.sequences import vocabulary as v
from bgb_assets.modalities.beatmap.sequences.events import mirrored, positions

MELS = 80
MAX_COUNTED_ROWS = 4_096

_NPS, _TEMPO = v.CONDITIONS.index(v.NPS), v.CONDITIONS.index(v.TEMPO)
_ONE_SABER = v.characteristic_id("OneSaber")


@dataclass(frozen=True)
class Crop:
    """Some bars of a song.

    Attributes:
        start: First bar.
        stop: One past the last.
        context: Leading bars that are given, not asked for.
    """

    start: int
    stop: int
    context: int

    @property
    def target(self) -> slice:
        """The bars that are asked for."""
        return slice(self.start + self.context, self.stop)


@dataclass(frozen=True)
class WindowReader:
    """Reads one window of a sample: `tokens`, `ticks`, `counted` (targets in the loss) and `mel`.

    Attributes:
        store: The samples.
        window: How songs are cut.
        augmentation: What is changed; None for nothing (validation).
    """

    store: ShardStore
    window: WindowParams
    augmentation: Augmentation | None = None

    def __call__(self, row: int, draw: Draw) -> Sample:
        """Return the arrays of one window, a pure function of the row, the draw and the stored data."""
        whole = self.store["tokens", row]
        edges = bar_edges(self.store["bar_starts", row], whole)
        crop = draw_crop(edges, self.window, draw.generator("crop"))
        tokens = cut_tokens(whole, edges, crop, self._conditions(row, crop))
        mel = cut_frames(self.store.source(row), crop, self.window.bars)
        if self.augmentation is not None:
            tokens = self._changed(tokens, draw, self.augmentation)
            silence(mel, self.augmentation, draw.generator("silence"))
        counted = _counted(tokens, crop.context)
        return {"tokens": tokens, "ticks": positions(tokens).astype(np.int16), "counted": counted, "mel": mel}

    def _conditions(self, row: int, crop: Crop) -> NDArray[np.int16]:
        """Return the header's ids, pace and tempo those of the bars asked for."""
        conditions: NDArray[np.int16] = self._stored_conditions[row].copy()
        seconds = self.store["bar_seconds", row].astype(np.float64)
        length_s = float(seconds[crop.stop] - seconds[crop.target.start])
        notes = int(self.store["bar_notes", row][crop.target].sum())
        conditions[_NPS] = v.nps_ids(notes / length_s)
        conditions[_TEMPO] = v.tempo_ids(60.0 * v.BEATS_PER_BAR * (crop.stop - crop.target.start) / length_s)
        return conditions

    def _changed(self, tokens: NDArray[np.int16], draw: Draw, augmentation: Augmentation) -> NDArray[np.int16]:
        one_saber = tokens[1 + v.CONDITIONS.index(v.CHAR)] == _ONE_SABER
        if not one_saber and draw.generator("mirror").random() < augmentation.mirror:
            tokens = mirrored(tokens, self._mirror)
        left_open = draw.generator("conditions").random(len(v.CONDITIONS)) < augmentation.open_condition
        header = tokens[1 : v.HEADER_LENGTH]
        header[left_open] = np.array([v.any_of(span) for span in v.CONDITIONS], np.int16)[left_open]
        return tokens

    @cached_property
    def _stored_conditions(self) -> NDArray[np.int16]:
        return np.stack([self.store.column(name).astype(np.int16) for name in v.CONDITION_COLUMNS], axis=1)

    @cached_property
    def _mirror(self) -> NDArray[np.int16]:
        return v.mirror_table()

    def __getstate__(self) -> Mapping[str, Any]:
        return {"store": self.store, "window": self.window, "augmentation": self.augmentation}


@dataclass(frozen=True, eq=False)
class BesideFrequencies:
    """Reads a window, and for each token what guessing by frequency alone would pay for it: `unigram`, in nats.

    Attributes:
        read: Reads the window.
        rows: The training rows whose tokens are counted, once, when the first window is read; at most
            `MAX_COUNTED_ROWS` of them, evenly spread.
    """

    read: WindowReader
    rows: NDArray[np.int64]

    def __call__(self, row: int, draw: Draw) -> Sample:
        """Return the arrays of one window and `unigram`, (L,) float32."""
        sample = dict(self.read(row, draw))
        sample["unigram"] = self._costs[sample["tokens"].astype(np.int64)]
        return sample

    @cached_property
    def _costs(self) -> NDArray[np.float32]:
        chosen = np.unique(np.linspace(0, len(self.rows) - 1, min(MAX_COUNTED_ROWS, len(self.rows))).astype(np.int64))
        counts = np.ones(v.SIZE, np.int64)  # none is impossible
        for row in self.rows[chosen].tolist():
            counts += np.bincount(self.read.store["tokens", row][v.HEADER_LENGTH :], minlength=v.SIZE)
        return np.asarray(-np.log(counts / counts.sum()), np.float32)

    def __getstate__(self) -> Mapping[str, Any]:
        return {"read": self.read, "rows": self.rows}


def bar_edges(bar_starts: NDArray[np.generic], tokens: NDArray[np.generic]) -> NDArray[np.int64]:
    """Return where each bar of a sequence begins and the last one ends, (bars + 1,)."""
    return np.append(bar_starts, len(tokens) - 1).astype(np.int64)


def draw_crop(edges: NDArray[np.int64], window: WindowParams, generator: np.random.Generator) -> Crop:
    """Return a random crop of the bars between `edges`; only one at the song's start has no context.

    The last crops are shorter than a window, as the last window of a generated song may be. A crop of more than
    `max_tokens` loses bars at its end, but for the first that is asked for.
    """
    bars = len(edges) - 1
    start = int(generator.integers(0, max(1, bars - window.shortest_bars + 1)))
    stop = min(start + window.bars, bars)
    context = min(window.context_bars, stop - start - 1) if start else 0
    room = window.max_tokens - v.HEADER_LENGTH - 1
    while stop - start > context + 1 and edges[stop] - edges[start] > room:
        stop -= 1
    return Crop(start, stop, context)


def cut_tokens(
    tokens: NDArray[np.generic], edges: NDArray[np.int64], crop: Crop, conditions: NDArray[np.int16]
) -> NDArray[np.int16]:
    """Return the sequence of a crop: BOS, the conditions, its bars, EOS."""
    bars = tokens[edges[crop.start] : edges[crop.stop]]
    return np.concatenate([[v.BOS], conditions, bars, [v.EOS]]).astype(np.int16)


def cut_frames(mel: NDArray[np.generic] | None, crop: Crop, bars: int) -> NDArray[np.float16]:
    """Return the frames of a crop, (bars * 64, 81); silence (0) beyond its bars and without audio."""
    columns = MELS + 1 if mel is None else mel.shape[1]
    frames = np.zeros((bars * v.FRAMES_PER_BAR, columns), np.float16)
    if mel is not None:
        held = mel[crop.start * v.FRAMES_PER_BAR : crop.stop * v.FRAMES_PER_BAR]
        frames[: len(held)] = held
    return frames


def silence(mel: NDArray[np.float16], augmentation: Augmentation, generator: np.random.Generator) -> None:
    """Set random bands of mels and spans of frames to 0, silence, in place; the onset column keeps its spans only."""
    for _ in range(augmentation.mel_bands):
        size = int(generator.integers(1, augmentation.mel_band_size + 1))
        start = int(generator.integers(0, MELS - size + 1))
        mel[:, start : start + size] = 0.0
    for _ in range(augmentation.spans):
        size = int(generator.integers(1, augmentation.span_frames + 1))
        start = int(generator.integers(0, len(mel) - size + 1))
        mel[start : start + size] = 0.0


def _counted(tokens: NDArray[np.int16], context_bars: int) -> NDArray[np.bool_]:
    """Say which tokens are targets: all after the header and the context."""
    bars = np.cumsum(tokens == v.BAR)
    counted = bars > context_bars
    counted[: v.HEADER_LENGTH] = False
    return counted
