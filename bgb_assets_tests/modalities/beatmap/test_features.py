import json

import numpy as np
import pytest
import soundfile

from bgb_assets.modalities.beatmap import features
from bgb_assets.modalities.beatmap.features import (
    FeatureParams,
    SongFrames,
    beat_grid,
    mel_file,
    run,
    song_frames,
)
from bgb_assets.modalities.beatmap.formats.tempo import tempo_from_events
from bgb_assets.modalities.beatmap.synth import click_track
from bgb_assets.runtime import monitoring
from bgb_assets.runtime.errors import BadInput
from bgb_assets_tests.modalities.beatmap.audio_stages import run_cache, run_features, write_tempo

RATE_HZ = 22_050
STEADY = tempo_from_events(120.0, [], []).tempo
CHANGING = tempo_from_events(120.0, [8.0, 12.0], [60.0, 240.0]).tempo
IDS = {"a" * 64: STEADY, "b" * 64: CHANGING}


@pytest.fixture(scope="module")
def cached(tmp_path_factory):
    """A song of noise bursts on the changing beats, 9.3 s, as stage cache leaves it."""
    work = tmp_path_factory.mktemp("song")
    noise = np.random.default_rng(0).uniform(-0.001, 0.001, round(9.3 * RATE_HZ))
    soundfile.write(work / "a.wav", click_track(CHANGING, 9.3, RATE_HZ) + noise, RATE_HZ)
    return run_cache(work / "a.wav", work)[1]


@pytest.fixture
def tempo(tmp_path):
    write_tempo(tmp_path / "raw", IDS)
    return tmp_path / "raw"


def test_files_shapes_and_scales(cached, tempo, tmp_path):
    result = run_features(cached, tempo, tmp_path / "out")
    names = {mel_file(tempo_id) for tempo_id in IDS}
    assert {path.name for path in (tmp_path / "out").iterdir()} == names | {"onset.npy", "features.json"}
    onset = np.load(tmp_path / "out" / "onset.npy")
    assert (onset.dtype, onset.shape) == (np.float32, (1 + round(9.3 * RATE_HZ) // 512,))
    described = json.loads((tmp_path / "out" / "features.json").read_text())
    assert described["frames"] == len(onset)
    # 9.3 s are 18.6 beats at 120 and, 4 s + 4 s + 1.3 s, 8 + 4 + 5.2 beats with the changes: five bars both.
    for tempo_id in IDS:
        grid = np.load(tmp_path / "out" / mel_file(tempo_id), mmap_mode="r")
        assert (grid.dtype, grid.shape, grid.flags.c_contiguous) == (np.float16, (320, 81), True)
        assert described["tempo_maps"][tempo_id] == {"file": mel_file(tempo_id), "rows": 320}
        assert grid[:, :80].max() == pytest.approx(1.0, abs=0.05)
        assert 0.5 < grid[:, 80].max() <= 1.0
        assert grid.min() == 0.0
    assert set(result.facets) == {"mel", "onset"}
    assert result.warnings == ()


def test_rows_beyond_the_audio_are_silence(cached, tempo, tmp_path):
    run_features(cached, tempo, tmp_path / "out")
    grid = np.load(tmp_path / "out" / mel_file("b" * 64))
    times_s = CHANGING.time(np.arange(320) / 16)
    assert (grid[times_s > 9.3] == 0.0).all()
    assert grid[times_s < 9.3, :80].any(axis=1).all()


def test_clicks_peak_at_their_beats_only_on_their_own_tempo_map(cached, tempo, tmp_path):
    run_features(cached, tempo, tmp_path / "out")

    def share_on_beats(tempo_id):
        loudness = np.load(tmp_path / "out" / mel_file(tempo_id))[:, :80].astype(np.float32).mean(axis=1)
        beats = 16 * np.arange(13, 17)
        return loudness[beats].mean() - loudness[beats + 8].mean()

    assert share_on_beats("b" * 64) > share_on_beats("a" * 64) + 0.1


def test_equal_inputs_give_equal_bytes(cached, tempo, tmp_path):
    first = run_features(cached, tempo, tmp_path / "1")
    second = run_features(cached, tempo, tmp_path / "2")
    assert first == second
    for path in (tmp_path / "1").iterdir():
        assert path.read_bytes() == (tmp_path / "2" / path.name).read_bytes()


def test_another_tempo_map_leaves_the_onset_facet(cached, tempo, tmp_path):
    both = run_features(cached, tempo, tmp_path / "1")
    write_tempo(tmp_path / "other", {"c" * 64: tempo_from_events(121.0, [], []).tempo})
    other = run_features(cached, tmp_path / "other", tmp_path / "2")
    assert other.facets["onset"] == both.facets["onset"]
    assert other.facets["mel"] != both.facets["mel"]


def test_one_spectrogram_serves_all_tempo_maps(cached, tempo, tmp_path):
    with monitoring.counting() as counts:
        run_features(cached, tempo, tmp_path / "out")
    assert counts == {"spectrograms": 1}


def test_params_are_followed(cached, tempo, tmp_path):
    params = FeatureParams(n_mels=40, frames_per_beat=4)
    run_features(cached, tempo, tmp_path / "out", params)
    assert np.load(tmp_path / "out" / mel_file("a" * 64)).shape == (80, 41)


def test_a_song_without_audio_is_absent(tempo, tmp_path):
    (tmp_path / "out").mkdir()
    result = run({"raw": tempo}, FeatureParams(), tmp_path / "out")
    assert result.absent == "no audio"
    assert result.facets == {}
    assert list((tmp_path / "out").iterdir()) == []


def test_a_tempo_of_millions_is_refused(cached, tmp_path):
    write_tempo(tmp_path / "raw", {"d" * 64: tempo_from_events(120.0, [4.0], [5e6]).tempo})
    with pytest.raises(BadInput, match=r"9\.3 s of audio are \d+ bars .* fastest tempo is 5e\+06 BPM; mend the map"):
        run_features(cached, tmp_path / "raw", tmp_path / "out")


def test_one_tempo_of_millions_takes_nothing_from_the_others(cached, tmp_path):
    absurd = tempo_from_events(120.0, [4.0], [5e6]).tempo
    write_tempo(tmp_path / "raw", {"a" * 64: STEADY, "d" * 64: absurd})
    result = run_features(cached, tmp_path / "raw", tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").glob("mel_*")] == [mel_file("a" * 64)]
    assert result.metadata["rows"] == {"a" * 64: 320}
    (warning,) = result.warnings
    assert warning.startswith("a difficulty has no mel: 9.3 s of audio are")
    assert warning.endswith("mend the map's BPM or its BPM changes")


def test_the_onset_column_is_over_its_percentile():
    onset = np.linspace(0, 10, 1_000, dtype=np.float32)
    song = SongFrames(np.zeros((1_000, 80), np.float32), onset, 512 / RATE_HZ, 1_000 * 512 / RATE_HZ)
    column = beat_grid(song, STEADY, FeatureParams())[:, 80]
    middle = np.interp(STEADY.time(100 / 16), np.arange(1_000) * song.hop_s, onset)
    assert column[100] == pytest.approx(middle / np.percentile(onset, 99.5), rel=1e-3)


@pytest.mark.parametrize("sounding", [0, 1])
def test_a_song_that_hardly_sounds_is_no_division_by_zero(sounding):
    onset = np.zeros(1_000, np.float32)
    onset[500 : 500 + sounding] = 3.0
    song = SongFrames(np.full((1_000, 80), -80.0, np.float32), onset, 512 / RATE_HZ, 23.2)
    grid = beat_grid(song, STEADY, FeatureParams()).astype(np.float32)
    assert np.isfinite(grid).all()
    assert grid.max() <= 1.0
    assert (grid[:, 80].max() > 0.2) == bool(sounding)


def test_a_silent_song_is_zero_throughout():
    song = song_frames(np.zeros(RATE_HZ, np.int16), RATE_HZ, 1.0, FeatureParams())
    assert not beat_grid(song, STEADY, FeatureParams()).any()


def test_a_long_song_has_the_frames_it_would_have_in_one_transform(monkeypatch):
    pcm = np.random.default_rng(0).integers(-9_000, 9_000, 22_050 * 9).astype(np.int16)
    at_once = features.song_frames(pcm, 22_050, 32_767.0, FeatureParams())
    monkeypatch.setattr(features, "_MANY_FRAMES", 100)
    streamed = features.song_frames(pcm, 22_050, 32_767.0, FeatureParams())
    np.testing.assert_array_equal(streamed.mel_db, at_once.mel_db)
    np.testing.assert_array_equal(streamed.onset, at_once.onset)
