import numpy as np
import pytest
import soundfile
import soxr

from bgb_assets.modalities.beatmap.audio.bpm import DOUBTFUL, SURE, estimate_tempo, first_beat, onset_envelope
from bgb_assets_tests.fixtures import shared_data
from bgb_assets_tests.modalities.beatmap.click_tracks import RATE_HZ, clicks


def track(bpm, offset_s, seconds=30.0, seed=0, noise=0.01):
    return clicks(np.arange(offset_s, seconds, 60 / bpm), seconds, seed, noise)


def song(name):
    samples, rate_hz = soundfile.read(shared_data("beatmap") / "audio" / name, always_2d=True)
    mono = soxr.resample(samples.mean(axis=1), rate_hz, RATE_HZ)
    return (mono / np.abs(mono).max() * 32_767).astype(np.int16)


def test_24_click_tracks_of_30_s_in_noise():
    random = np.random.default_rng(1)
    right_octave = 0
    for seed in range(24):
        bpm = random.uniform(70, 200)
        offset_s = random.uniform(0, 60 / bpm)
        noise = random.choice([0.002, 0.01, 0.05])
        found = estimate_tempo(onset_envelope(track(bpm, offset_s, seed=seed, noise=noise), RATE_HZ))
        octave = 2.0 ** np.round(np.log2(found.bpm / bpm))
        assert found.bpm / octave == pytest.approx(bpm, abs=0.02)
        right_octave += octave == 1
        late_s = (found.first_beat_s - offset_s + 30 / bpm) % (60 / bpm) - 30 / bpm
        assert octave != 1 or abs(late_s) < 0.005
        assert found.confidence >= DOUBTFUL
        assert not found.variable
        assert len(found.candidates) == 5
    assert right_octave >= 22


@pytest.mark.parametrize("name", ["Kevin_MacLeod_-_Vibe_Ace.hq.ogg", "Kevin_MacLeod_-_Vibe_Ace.ogg"])
def test_a_song_of_steady_tempo(name):
    found = estimate_tempo(onset_envelope(song(name), RATE_HZ))
    assert found.bpm == pytest.approx(130.0, abs=0.05)
    assert found.confidence >= SURE
    assert not found.variable
    assert found.candidates[0] == (pytest.approx(130.0, abs=0.1), 1.0)


@pytest.mark.parametrize("name", ["sorohanro_-_solo-trumpet-06.ogg", "Hungarian_Dance_number_5_*.ogg"])
def test_music_without_a_steady_tempo_is_not_trusted(name):
    folder = shared_data("beatmap") / "audio"
    (path,) = folder.glob(name)
    assert estimate_tempo(onset_envelope(song(path.name), RATE_HZ)).confidence < DOUBTFUL


def test_two_tempi_are_seen():
    times = np.concatenate([np.arange(0.0, 45.0, 60 / 120), np.arange(45.0, 90.0, 60 / 131)])
    found = estimate_tempo(onset_envelope(clicks(times, 90.0), RATE_HZ))
    assert found.variable
    assert [start_s for start_s, _ in found.windows] == pytest.approx([0, 15, 30, 45, 60], abs=0.01)
    assert found.windows[0][1] == pytest.approx(120, rel=0.01)
    assert found.windows[-1][1] == pytest.approx(131, rel=0.01)


def test_silence_has_no_tempo():
    assert estimate_tempo(onset_envelope(np.zeros(RATE_HZ * 5, np.int16), RATE_HZ)).confidence == 0.0


def test_the_first_beat_of_a_known_tempo():
    envelope = onset_envelope(track(100.0, 0.25), RATE_HZ)
    assert first_beat(envelope, 100.0) == pytest.approx(0.25, abs=0.005)
