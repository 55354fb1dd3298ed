import numpy as np
import pytest
import torch

from bgb_assets.modalities.beatmap import vocabulary as v
from bgb_assets.modalities.beatmap.decoding import Request, Sampling, Song, paced, sample, windows, write_song
from bgb_assets.modalities.beatmap.network import Network
from bgb_assets.modalities.beatmap.quality import collisions
from bgb_assets.modalities.beatmap.tokenizer import decode
from bgb_assets.modalities.beatmap.variants import SMALL, Shape, WindowParams

WINDOW = WindowParams(bars=4, context_bars=1, redo_bars=1, max_tokens=96)
KINDS = ("notes", "bombs", "arcs", "chains")


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    network = Network(Shape(width=32, heads=1, hidden=64, encoder_blocks=1, decoder_blocks=1, kernel=0)).eval()
    with torch.no_grad():  # an untrained network stays too long in a tick; let it end ticks as maps do
        network.embedding.weight[v.BAR] *= 3.0
    return network


def song(bars, bpm=120.0):
    mel = np.random.default_rng(bars).random((bars * 64, 81)).astype(np.float16)
    return Song(mel, np.arange(bars + 1) * 240.0 / bpm)


def test_windows_hand_over_their_context_and_redo_their_end():
    crops = list(windows(40, SMALL.window))
    assert [(crop.start, crop.stop, crop.context) for crop in crops] == [
        (0, 16, 0),
        (10, 26, 4),
        (20, 36, 4),
        (30, 40, 4),
    ]
    for bars in range(1, 60):
        crops = list(windows(bars, SMALL.window))
        assert crops[-1].stop == bars
        assert bars <= 16 or min(crop.stop - crop.start for crop in crops) >= SMALL.window.shortest_bars


@pytest.mark.parametrize("bars", [1, 4, 5, 11])
def test_a_song_of_any_length_is_written_whole(network, bars):
    (ids,) = write_song(network, song(bars), [Request("Hard")], WINDOW, KINDS, seed=0)
    assert np.count_nonzero(ids == v.BAR) == bars
    assert ids[-1] == v.EOS
    objects = decode(ids)
    assert objects["notes"]["beat"].max(initial=0) < bars * 4
    assert collisions(objects) == 0


def test_a_seed_decides_all_and_difficulties_do_not_disturb_each_other(network):
    both = [Request("Hard"), Request("Expert")]
    first = write_song(network, song(7), both, WINDOW, KINDS, seed=3)
    again = write_song(network, song(7), both[1:], WINDOW, KINDS, seed=3)
    other = write_song(network, song(7), both, WINDOW, KINDS, seed=4)
    assert np.array_equal(first[1], again[0])
    assert not np.array_equal(first[0], other[0])


class Indifferent(torch.nn.Module):
    """A network that always finds a tick as likely as the next bar, whatever it hears and whatever is asked."""

    def encode(self, mel):
        return mel

    def remember(self, states):
        return [(states, states)]

    def empty_caches(self, batch, capacity):
        return []

    def decode(self, tokens, ticks, memory, caches=None):
        logits = torch.full((1, tokens.shape[1], v.SIZE), -7.0)
        logits[..., v.BAR] = 0.0
        logits[..., v.POS.slice] = -5.3
        return logits


@pytest.mark.parametrize("asked", [0.8, 1.5, 3.0, 6.0])
def test_a_pace_is_kept_whatever_the_network_prefers(asked):
    request = Request("Hard", "Standard", asked)
    (ids,) = write_song(Indifferent(), song(60), [request], SMALL.window, ("notes",), seed=0)
    beats = decode(ids)["notes"]["beat"]
    delivered = len(beats) / ((beats.max() - beats.min()) / 2)
    assert delivered == pytest.approx(asked, rel=0.10)


def test_bias_raises_the_odds_of_every_place_it_could_skip():
    logits = np.full(v.SIZE, -np.inf)
    logits[[v.BAR, 300]] = [np.log(0.25), np.log(2.0)]
    logits[[v.POS.start + 48, v.POS.start + 96]] = [np.log(0.5), np.log(0.25)]

    def chances(bias):
        raw = np.exp(paced(logits, bias))
        return raw[[v.POS.start + 48, v.POS.start + 96, v.BAR, 300]]

    assert chances(0.0) == pytest.approx([0.5, 0.25, 0.25, 2.0])
    # Odds 1:1 and 1:1, doubled: 2/3 now, then 2/3 of the rest.
    assert chances(np.log(2.0)) == pytest.approx([2 / 3, 2 / 9, 1 / 9, 2.0])
    assert chances(-np.log(2.0)) == pytest.approx([1 / 3, 2 / 9, 4 / 9, 2.0])
    assert chances(30.0) == pytest.approx([1.0, 0.0, 0.0, 2.0], abs=1e-9)
    only_bar = np.where(np.arange(v.SIZE) == v.BAR, 0.0, -np.inf)
    assert np.array_equal(paced(only_bar, 3.0), only_bar)


def test_one_saber_is_one_hand(network):
    (ids,) = write_song(network, song(6), [Request("Hard", "OneSaber")], WINDOW, KINDS, seed=0)
    assert set(decode(ids)["notes"]["color"].tolist()) == {1}


def test_sampling_takes_allowed_likely_tokens():
    random = np.random.default_rng(0)
    logits = np.full(v.SIZE, -np.inf)
    logits[[10, 20, 30]] = [2.0, 1.0, -5.0]
    drawn = [sample(logits, Sampling(), random) for _ in range(2_000)]
    assert set(drawn) == {10, 20}
    share = 1 / (1 + np.exp(-1 / 0.9))
    assert drawn.count(10) / 2_000 == pytest.approx(share, abs=0.04)
    assert sample(logits, Sampling(temperature=0.0), random) == 10
    wide = Sampling(temperature=10.0, top_p=1.0)
    assert {sample(logits, wide, random) for _ in range(500)} == {10, 20, 30}
    logits[[10, 20]] = -np.inf
    assert sample(logits, Sampling(), random) == 30
