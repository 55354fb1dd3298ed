import pickle
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch

from bgb_assets.loading.collate import Padding
from bgb_assets.loading.dataset import Steps
from bgb_assets.loading.loader import RoundSampler, build_loader
from bgb_assets.loading.mapped import ShardStore
from bgb_assets.loading.order import Order, SampleIndex, weighted
from bgb_assets.loading.randomness import Draw
from bgb_assets.modalities.beatmap.learning.data import (
    BesideFrequencies,
    WindowReader,
    bar_edges,
    cut_frames,
    draw_crop,
    silence,
)
from bgb_assets.modalities.beatmap.learning.variants import SMALL, WindowParams
from bgb_assets.modalities.beatmap.sequences import vocabulary as v
from bgb_assets.modalities.beatmap.sequences.events import positions
from bgb_assets.modalities.beatmap.sequences.tokenizer import decode
from bgb_assets.modalities.beatmap.synth import synth
from bgb_assets_tests.modalities.beatmap.songs_case import Store
from bgb_assets_tests.modalities.beatmap.tokens_case import TokenStore

WINDOW = WindowParams(bars=6, context_bars=2, redo_bars=1, max_tokens=1_024)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    synth(root / "inbox", 2, 1)
    songs = Store(root)
    for path in sorted((root / "inbox").iterdir()):
        if path.is_dir():
            songs.add(path.name, path)
    TokenStore(songs).tokens(root / "index")
    return ShardStore(root, root / "index")


def edges_of(store, row):
    return bar_edges(store["bar_starts", row], store["tokens", row])


def bars_of(tokens):
    return Counter((tokens == v.BAR).tolist())[True]


def test_crops_are_within_the_song_and_only_the_first_has_no_context():
    random = np.random.default_rng(0)
    seen = set()
    for _ in range(500):
        crop = draw_crop(np.arange(21) * 10, WINDOW, random)
        assert crop.stop == min(crop.start + 6, 20)
        assert crop.context == (2 if crop.start else 0)
        seen.add((crop.start, crop.stop - crop.start))
    assert {start for start, _ in seen} == set(range(17))
    assert min(length for _, length in seen) == WINDOW.shortest_bars == 4


def test_a_song_shorter_than_a_window_is_one_crop():
    crop = draw_crop(np.arange(4) * 10, WINDOW, np.random.default_rng(0))
    assert (crop.start, crop.stop, crop.context) == (0, 3, 0)


def test_a_dense_crop_loses_bars_but_never_all():
    window = replace(WINDOW, max_tokens=30)
    for seed in range(20):
        crop = draw_crop(np.arange(7) * 10, window, np.random.default_rng(seed))
        assert crop.stop - crop.start == (3 if crop.start else 2)
        crop = draw_crop(np.arange(7) * 1_000, window, np.random.default_rng(seed))
        assert crop.stop - crop.start == crop.context + 1


def test_a_window_holds_the_bars_and_the_frames_of_its_crop(store):
    read = WindowReader(store, WINDOW)
    for row in range(len(store)):
        whole, mel = store["tokens", row], store.source(row)
        for epoch in range(10):
            draw = Draw(0, epoch, row, 0)
            crop = draw_crop(edges_of(store, row), WINDOW, draw.generator("crop"))
            sample = read(row, draw)
            assert bars_of(sample["tokens"]) == crop.stop - crop.start
            notes = decode(whole)["notes"]
            inside = (notes["beat"] >= 4 * crop.start) & (notes["beat"] < 4 * crop.stop)
            held = decode(sample["tokens"])["notes"]
            assert np.allclose(held["beat"] + 4 * crop.start, notes["beat"][inside])
            assert np.array_equal(held["cut_direction"], notes["cut_direction"][inside])
            frames = mel[64 * crop.start : 64 * crop.stop]
            assert np.array_equal(sample["mel"][: len(frames)], frames)
            assert not sample["mel"][len(frames) :].any()
            assert np.array_equal(sample["ticks"], positions(sample["tokens"]))


def test_context_and_header_are_no_targets(store):
    read = WindowReader(store, WINDOW)
    for epoch in range(20):
        draw = Draw(0, epoch, 0, 0)
        crop = draw_crop(edges_of(store, 0), WINDOW, draw.generator("crop"))
        sample = read(0, draw)
        first = int(np.flatnonzero(sample["counted"])[0])
        assert sample["counted"][first:].all()
        assert sample["tokens"][first] == v.BAR
        assert bars_of(sample["tokens"][:first]) == crop.context
        assert sample["tokens"][-1] == v.EOS


def test_conditions_are_those_of_the_bars_asked_for(store):
    read = WindowReader(store, WINDOW)
    draw = Draw(0, 3, 1, 0)
    crop = draw_crop(edges_of(store, 1), WINDOW, draw.generator("crop"))
    sample = read(1, draw)
    seconds = store["bar_seconds", 1][[crop.target.start, crop.stop]].astype(float)
    beats = decode(sample["tokens"])["notes"]["beat"]
    notes = np.count_nonzero(beats >= 4 * crop.context)
    assert sample["tokens"][3] == v.nps_ids(notes / (seconds[1] - seconds[0]))
    assert sample["tokens"][4] == v.tempo_ids(240 * (crop.stop - crop.target.start) / (seconds[1] - seconds[0]))
    assert sample["tokens"][5] == v.any_of(v.QUAL)


def test_augmentation_is_a_function_of_the_draw(store):
    read = pickle.loads(pickle.dumps(WindowReader(store, WINDOW, SMALL.augmentation)))
    opened, mirrored = 0, 0
    for epoch in range(60):
        draw = Draw(0, epoch, 0, 0)
        changed, again = read(0, draw), read(0, draw)
        plain = WindowReader(store, WINDOW)(0, draw)
        assert all(np.array_equal(changed[name], again[name]) for name in changed)
        opened += sum(
            int(token) == v.any_of(span) for token, span in zip(changed["tokens"][1:5], v.CONDITIONS[:4], strict=True)
        )
        mirrored += not np.array_equal(changed["tokens"][6:], plain["tokens"][6:])
        assert len(changed["tokens"]) == len(plain["tokens"])
        silenced = (changed["mel"] == 0) & (plain["mel"] != 0)
        assert np.array_equal(changed["mel"][~silenced], plain["mel"][~silenced])
    assert 8 <= opened <= 45
    assert 15 <= mirrored <= 45


def test_silence_takes_bands_of_mels_and_spans_of_frames():
    for seed in range(50):
        mel = np.ones((128, 81), np.float16)
        silence(mel, SMALL.augmentation, np.random.default_rng(seed))
        frames, columns = (mel == 0).all(axis=1), (mel == 0).all(axis=0)
        assert 1 <= frames.sum() <= 64
        assert 1 <= columns.sum() <= 20
        assert not columns[80]
        assert ((mel == 0) == (frames[:, None] | columns[None])).all()


def test_a_song_without_audio_is_silent():
    crop = draw_crop(np.arange(7) * 10, WINDOW, np.random.default_rng(0))
    assert cut_frames(None, crop, 6).shape == (6 * 64, 81)


def test_guessing_by_frequency_pays_the_entropy_of_what_was_counted(store):
    read = pickle.loads(pickle.dumps(BesideFrequencies(WindowReader(store, WINDOW), np.arange(len(store)))))
    sample = read(0, Draw(0, 0, 0, 0))
    every = np.concatenate([store["tokens", row][v.HEADER_LENGTH :] for row in range(len(store))])
    assert sample["unigram"].shape == sample["tokens"].shape
    assert sample["unigram"].dtype == np.float32
    for token, cost in zip(sample["tokens"][6:].tolist(), sample["unigram"][6:].tolist(), strict=True):
        assert cost == pytest.approx(-np.log((1 + np.count_nonzero(every == token)) / (v.SIZE + len(every))), abs=1e-5)
    plain = WindowReader(store, WINDOW)(0, Draw(0, 0, 0, 0))
    assert all(np.array_equal(sample[name], plain[name]) for name in plain)


@pytest.mark.filterwarnings("ignore:This DataLoader will create 4 worker processes")
@pytest.mark.parametrize("augmentation", [None, SMALL.augmentation])
def test_any_number_of_workers_gives_the_same_batches(store, augmentation):
    index = SampleIndex(np.arange(len(store)), store.column("length").astype(np.int64), np.ones(len(store)))
    order = Order(index, batch=3, seed=5, pool_batches=2, draw=weighted)
    collate = Padding({"tokens": v.PAD, "ticks": 0, "counted": 0}, multiple=8)
    steps = Steps(WindowReader(store, WINDOW, augmentation), collate, seed=5)

    def batches(workers):
        sampler = RoundSampler(order, micro_batch=2, start=3, steps=9, round_steps=9)
        loader = build_loader(steps, sampler, workers=workers, device="cpu")
        return [batch for step in loader for batch in step]

    first = batches(0)
    assert len(first) == 12
    for workers in (1, 2, 4):
        again = batches(workers)
        assert len(again) == len(first)
        for one, other in zip(first, again, strict=True):
            assert one.keys() == other.keys()
            assert all(torch.equal(one[name], other[name]) for name in one)
