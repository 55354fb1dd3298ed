import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgb_assets.modalities.beatmap.audio.beat_grid import grid_beats, sample_rows, whole_bar_rows
from bgb_assets.modalities.beatmap.features import FeatureParams, song_frames
from bgb_assets.modalities.beatmap.formats.tempo import tempo_from_events
from bgb_assets.modalities.beatmap.synth import click_track

HOP_S = 512 / 22_050


def random_tempo(rng):
    changes = 2 + int(rng.random() * 8)
    beats = np.sort(rng.random(changes)) * 50.0
    return tempo_from_events(60 + 180 * rng.random(), beats, 60 + 180 * rng.random(changes)).tempo


@pytest.mark.parametrize(("beats", "rows"), [(0.5, 64), (4.0, 64), (4.001, 128), (100.0, 1_600)])
def test_rows_fill_whole_bars(beats, rows):
    assert whole_bar_rows(beats, 16) == rows


def test_constant_tempo_equals_numpy_interp():
    frames = np.random.default_rng(0).uniform(-80, 0, (400, 80)).astype(np.float32)
    times_s = grid_beats(300, 16) * 60.0 / 128.3
    got = sample_rows(frames, times_s, HOP_S, 400 * HOP_S, -80.0)
    expected = [np.interp(times_s, np.arange(400) * HOP_S, band) for band in frames.T.astype(np.float64)]
    assert np.abs(got - np.transpose(expected)).max() < 1e-4


def test_beyond_the_audio_is_outside_and_the_last_frame_holds_until_then():
    frames = np.array([[1.0], [2.0]], np.float32)
    got = sample_rows(frames, np.array([-0.01, 0.0, 0.5, 1.0, 1.4, 1.5, 1.51]), 1.0, 1.5, -80.0)
    assert got[:, 0].tolist() == [-80.0, 1.0, 1.5, 2.0, 2.0, 2.0, -80.0]


def test_a_song_of_one_frame_is_constant():
    got = sample_rows(np.array([3.0], np.float32), np.array([0.0, 0.01]), HOP_S, 0.02, 0.0)
    assert got.tolist() == [3.0, 3.0]


@given(st.lists(st.floats(-5, 30), min_size=1, max_size=40), st.integers(2, 50))
def test_values_lie_between_their_frames_in_any_order_of_rows(times_s, count):
    frames = np.random.default_rng(count).random(count).astype(np.float32)
    times = np.array(times_s)
    got = sample_rows(frames, times, 0.5, count * 0.5, -1.0)
    inside = (times >= 0) & (times <= count * 0.5)
    assert (got[~inside] == -1.0).all()
    np.testing.assert_allclose(got[inside], np.interp(times[inside], np.arange(count) * 0.5, frames), atol=1e-5)


@pytest.mark.parametrize("seed", range(20))
def test_a_click_per_beat_is_loudest_within_one_row_of_its_beat(seed):
    tempo = random_tempo(np.random.default_rng(seed))
    seconds = 20.0
    pcm = np.rint(click_track(tempo, seconds, 22_050) * 32_767).astype(np.int16)
    song = song_frames(pcm, 22_050, 32_767.0, FeatureParams())
    beats = int(tempo.beat(seconds))
    times_s = tempo.time(grid_beats((beats + 1) * 16, 16))
    loudness = sample_rows(song.mel_db, times_s, song.hop_s, seconds, -80.0).mean(axis=1)
    # The first and the last beat have no full neighbourhood.
    for beat in range(1, beats):
        near = loudness[16 * beat - 7 : 16 * beat + 8]
        assert abs(int(near.argmax()) - 7) <= 1, f"beat {beat} of {beats}"
