import numpy as np
import pytest
import torch

from bgb_assets.modalities.beatmap.generation.decoding import Request, Song, seam_bars, windows, write_song
from bgb_assets.modalities.beatmap.generation.pen import Sampling
from bgb_assets.modalities.beatmap.learning.network import Network
from bgb_assets.modalities.beatmap.learning.variants import SMALL, Shape, WindowParams
from bgb_assets.modalities.beatmap.measures.quality import collisions
from bgb_assets.modalities.beatmap.sequences import vocabulary as v
from bgb_assets.modalities.beatmap.sequences.tokenizer import decode

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
        logits = torch.full((*tokens.shape, v.SIZE), -7.0)
        logits[..., [v.BAR, v.EOS]] = 0.0
        logits[..., v.POS.slice] = -5.3
        return logits


@pytest.mark.parametrize("bars", [12, 60])
@pytest.mark.parametrize("asked", [0.8, 1.5, 3.0, 6.0])
def test_a_pace_is_kept_whatever_the_network_prefers(asked, bars):
    request = Request("Hard", "Standard", asked)
    (ids,) = write_song(Indifferent(), song(bars), [request], SMALL.window, ("notes",), seed=0)
    assert delivered(ids) == pytest.approx(asked, rel=0.10)


def test_a_pace_of_each_bar_is_kept_where_it_changes():
    curve = [2.0] * 20 + [0.0] * 10 + [6.0] * 20
    (ids,) = write_song(Indifferent(), song(50), [Request("Hard", "Standard", curve)], SMALL.window, ("notes",), seed=0)
    beats = decode(ids)["notes"]["beat"]
    per_s = [np.count_nonzero((beats >= 4 * low) & (beats < 4 * high)) / (2 * (high - low)) for low, high in PARTS]
    assert per_s == pytest.approx([2.0, 0.0, 6.0], rel=0.15, abs=0.15)


PARTS = ((0, 20), (21, 30), (30, 50))


def delivered(ids):
    beats = decode(ids)["notes"]["beat"]
    return len(beats) / ((beats.max() - beats.min()) / 2)


def test_no_note_is_written_behind_the_music():
    quiet = song(30)
    quiet.mel[20 * 64 :] = 0
    assert quiet.end_s == pytest.approx(40.0)
    (ids,) = write_song(Indifferent(), quiet, [Request("Hard", "Standard", 3.0)], SMALL.window, ("notes",), seed=0)
    assert decode(ids)["notes"]["beat"].max() < 80.0 + 1.0
    assert delivered(ids) == pytest.approx(3.0, rel=0.10)


def test_seams_are_where_a_window_goes_on():
    assert seam_bars(16, SMALL.window) == []
    assert seam_bars(40, SMALL.window) == [14, 24, 34]


def test_guidance_asks_for_more_than_what_was_asked_for(network):
    def written(guidance):
        sampling = Sampling(guidance=guidance)
        return write_song(network, song(5), [Request("Hard", "Standard", 4.0)], WINDOW, KINDS, 0, sampling)[0]

    plain, guided = written(1.0), written(4.0)
    assert not np.array_equal(plain[6:], guided[6:])
    assert np.array_equal(guided, written(4.0))


def test_one_saber_is_one_hand(network):
    (ids,) = write_song(network, song(6), [Request("Hard", "OneSaber")], WINDOW, KINDS, seed=0)
    assert set(decode(ids)["notes"]["color"].tolist()) == {1}
