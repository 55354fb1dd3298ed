"""Songs that say where their notes are: what a network can learn only if it knows which token hears which frame.

Each frame is an onset with chance 0.10. An onset adds one of two fixed vectors, which names the hand, to its frame
and 40 % of it to the next; over all lies noise. The map has one note per onset, so that a network that has learned
where and what knows every POS and every NOTE, and one that cannot tell bar 3 of the tokens from bar 3 of the frames
knows neither.
"""

import dataclasses
from dataclasses import dataclass

import numpy as np
import torch

from bgb_assets.loading.collate import Padding
from bgb_assets.loading.order import SampleIndex
from bgb_assets.modalities.beatmap import model
from bgb_assets.modalities.beatmap.generation.decoding import Song
from bgb_assets.modalities.beatmap.learning.layers import turn
from bgb_assets.modalities.beatmap.learning.network import MEL_COLUMNS, Network
from bgb_assets.modalities.beatmap.learning.variants import SMALL, Shape, WindowParams
from bgb_assets.modalities.beatmap.sequences import vocabulary as v
from bgb_assets.modalities.beatmap.sequences.events import positions
from bgb_assets.modalities.beatmap.sequences.tokenizer import header
from bgb_assets.training.fit import Machine, fit
from bgb_assets.training.spec import ModelSpec, TrainingData

CHANCE, ECHO, NOISE = 0.10, 0.4, 0.3
HANDS = np.random.default_rng(0).random((2, MEL_COLUMNS))
NOTES = v.note_ids(np.array([0, 1]), np.array([1, 2]), 0, 1)
"""The note of each hand: its own column, bottom row, cut down."""

CROP = WindowParams(bars=4, context_bars=1, redo_bars=1, max_tokens=512)
OPEN_CONDITION = 0.1
ROWS = 4_096
PARAMS = dataclasses.replace(
    SMALL,
    variant="marked",
    seed=1,
    window=CROP,
    training=dataclasses.replace(
        SMALL.training, steps=1_500, batch=16, validate_every_steps=250, patience=0, pool_batches=1
    ),
)
"""`small` for 1,500 steps of 16: ten minutes on two cores."""

QUICK = dataclasses.replace(
    PARAMS,
    shape=Shape(width=64, heads=2, hidden=256, encoder_blocks=1, decoder_blocks=2, kernel=0),
    dropout=0.0,
    label_smoothing=0.0,
    window=dataclasses.replace(CROP, bars=2),
    training=dataclasses.replace(PARAMS.training, learning_rate=4e-3, warmup_steps=50, cpu_threads=1),
)
"""A smaller one on half the bars, in which the same shows within seconds."""


def marked_frames(bars, random):
    """Return mel frames (bars * 64, 81) and the hand of each, -1 where there is no onset."""
    frames = bars * v.FRAMES_PER_BAR
    hands = np.where(random.random(frames) < CHANCE, random.integers(0, 2, frames), -1)
    marks = np.where(hands[:, None] >= 0, HANDS[hands], 0.0)
    marks[1:] += ECHO * marks[:-1]
    return (marks + random.normal(0.0, NOISE, marks.shape)).astype(np.float16), hands


def marked_song(bars, bpm, seed):
    """Return a whole song, for generation."""
    mel, _ = marked_frames(bars, np.random.default_rng(seed))
    return Song(mel, np.arange(bars + 1) * 60.0 * v.BEATS_PER_BAR / bpm)


def tokens_of(hands):
    """Return the bars of the one right map, BAR to last note."""
    frames = np.arange(len(hands))
    rows = np.stack([v.POS.start + frames % v.FRAMES_PER_BAR * v.TICKS_PER_FRAME, NOTES[hands]], axis=1)
    bars = [rows[bar][hands[bar] >= 0].ravel() for bar in np.split(frames, len(frames) // v.FRAMES_PER_BAR)]
    return np.concatenate([[v.BAR, *bar] for bar in bars])


@dataclass(frozen=True)
class MarkedReader:
    """Makes the crop of a draw; those of one purpose are never those of another."""

    purpose: str
    bars: int

    def __call__(self, row, draw):
        random = draw.generator(self.purpose)
        mel, hands = marked_frames(self.bars, random)
        bpm = random.uniform(80.0, 180.0)
        notes_per_s = np.count_nonzero(hands >= 0) / (self.bars * v.BEATS_PER_BAR * 60.0 / bpm)
        head = np.array(header("Expert", "Standard", notes_per_s, bpm, v.any_of(v.QUAL)))
        if self.purpose == "train":
            left_open = random.random(len(v.CONDITIONS)) < OPEN_CONDITION
            head[1:][left_open] = np.array([v.any_of(span) for span in v.CONDITIONS])[left_open]
        tokens = np.concatenate([head, tokens_of(hands), [v.EOS]]).astype(np.int16)
        counted = np.arange(len(tokens)) >= v.HEADER_LENGTH
        return {"tokens": tokens, "ticks": positions(tokens).astype(np.int16), "counted": counted, "mel": mel}


class DeafToPlace(Network):
    """The network without the shared clock: tokens know their index only, and no token knows where a frame is."""

    def token_turns(self, index, ticks):
        return turn(index, size=self.head_size), turn(torch.zeros_like(index), size=self.head_size)

    def memory_turn(self, frames):
        return turn(torch.zeros_like(frames), size=self.head_size)


def with_steps(params, steps, **training):
    """Return params of so many steps, measured at the end alone."""
    changed = dataclasses.replace(params.training, steps=steps, validate_every_steps=steps, **training)
    return dataclasses.replace(params, training=changed)


def train(space, params=PARAMS, network=Network, validation=64):
    """Train on marked songs; returns what `fit` does."""
    spec = ModelSpec(
        build=lambda params: network(params.shape, params.dropout, params.label_smoothing),
        data=lambda store, params: None,
        loss=model.loss,
        metrics=model.metrics,
        defaults={},
        card=model.card,
    )
    lengths, weights = np.full(ROWS, 70), np.ones(ROWS)
    data = TrainingData(
        train=SampleIndex(np.arange(ROWS), lengths, weights),
        validation=SampleIndex(np.arange(validation), lengths, weights),
        read_train=MarkedReader("train", params.window.bars),
        read_validation=MarkedReader("validation", params.window.bars),
        collate=Padding({"tokens": v.PAD, "ticks": 0, "counted": 0}, multiple=8),
    )
    machine = Machine(device="cpu", workers=0, checkpoint_every_steps=params.training.steps)
    return fit(spec, params, data, work=space / "work", logs=space / "logs", seed=params.seed, machine=machine)
