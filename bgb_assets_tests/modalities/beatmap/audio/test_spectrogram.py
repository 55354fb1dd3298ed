import os
import subprocess
import sys

import librosa
import numpy as np
import pytest
import soundfile

from bgb_assets.modalities.beatmap.audio.canonical_wav import map_pcm16
from bgb_assets.modalities.beatmap.audio.spectrogram import (
    StftShape,
    band_powers,
    onset_strength,
    relative_db,
    streamed_onset_strength,
)
from bgb_assets.modalities.beatmap.synth import write_ogg
from bgb_assets_tests.fixtures import shared_data
from bgb_assets_tests.modalities.beatmap.audio_stages import run_cache

# librosa reads files through audioread, which imports modules that Python 3.13 drops.
pytestmark = pytest.mark.filterwarnings("ignore:'(aifc|audioop|sunau)' is deprecated:DeprecationWarning")

RATE_HZ = 22_050
SHAPE = StftShape(RATE_HZ, 2_048, 512, (80, 128))
CLIPS = (
    "Hungarian_Dance_number_5_-_Allegro_in_F_sharp_minor_(string_orchestra).ogg",
    "Kevin_MacLeod_-_Vibe_Ace.hq.ogg",
    "Kevin_MacLeod_-_Vibe_Ace.ogg",
    "sorohanro_-_solo-trumpet-06.hq.ogg",
    "sorohanro_-_solo-trumpet-06.ogg",
)


def load(path):
    return librosa.load(path, sr=RATE_HZ)[0]


def librosa_mel_db(samples):
    power = librosa.feature.melspectrogram(y=samples, sr=RATE_HZ, n_fft=2_048, hop_length=512, n_mels=80)
    return librosa.power_to_db(power, ref=np.max).T


def ours(samples, scale=1.0):
    mel, onset = band_powers(samples, scale, SHAPE)
    return relative_db(mel, 80.0), onset_strength(onset, SHAPE, 80.0)


@pytest.mark.parametrize("name", CLIPS)
def test_equals_librosa_on_real_songs(name):
    samples = load(shared_data("beatmap") / "audio" / name)
    mel_db, onset = ours(samples)
    assert np.abs(mel_db - librosa_mel_db(samples)).max() < 2e-3
    assert np.abs(onset - librosa.onset.onset_strength(y=samples, sr=RATE_HZ)).max() < 1e-3


@pytest.mark.parametrize("name", CLIPS)
def test_the_cached_song_is_as_good_as_the_decoded_one(tmp_path, name):
    source = shared_data("beatmap") / "audio" / name
    result, out = run_cache(source, tmp_path)
    mel_db, _ = ours(map_pcm16(out / "audio.wav")[1], 1.0 / result.metadata["gain"])
    assert_close_above_the_floor(mel_db, librosa_mel_db(load(source)))


def test_so_is_one_whose_peak_is_1_9(tmp_path):
    samples = load(shared_data("beatmap") / "audio" / CLIPS[1])[: 20 * RATE_HZ]
    loud = samples * (1.9 / np.abs(samples).max())
    write_ogg(tmp_path / "loud.ogg", loud, RATE_HZ, quality=0.9)
    result, out = run_cache(tmp_path / "loud.ogg", tmp_path)
    assert result.metadata["peak"] == pytest.approx(1.9, abs=0.1)
    mel_db, _ = ours(map_pcm16(out / "audio.wav")[1], 1.0 / result.metadata["gain"])
    assert_close_above_the_floor(mel_db, librosa_mel_db(load(tmp_path / "loud.ogg")))


def assert_close_above_the_floor(mel_db, expected):
    frames = min(len(mel_db), len(expected))
    audible = expected[:frames] > -70.0
    assert np.abs(mel_db[:frames] - expected[:frames])[audible].max() < 0.15


@pytest.mark.filterwarnings("ignore:n_fft=2048 is too large:UserWarning")
@pytest.mark.parametrize("samples", [1, 511, 512, 1_024, 2_047, 512 * 128, 512 * 128 - 1, 70_000])
def test_equals_librosa_at_any_length(samples):
    noise = np.random.default_rng(samples).uniform(-0.5, 0.5, samples).astype(np.float32)
    mel_db, onset = ours(noise)
    expected = librosa_mel_db(noise)
    assert mel_db.shape == expected.shape
    assert np.abs(mel_db - expected).max() < 2e-3
    assert onset.shape == (len(expected),)


def test_a_frame_does_not_depend_on_where_its_block_begins():
    noise = np.random.default_rng(3).uniform(-0.5, 0.5, 400 * 512).astype(np.float32)
    whole = band_powers(noise, 1.0, SHAPE)[0]
    later = band_powers(noise[200 * 512 :], 1.0, SHAPE)[0]
    np.testing.assert_allclose(later[4:], whole[204:], rtol=2e-5)


def test_silence_is_the_floor_and_has_no_onset():
    mel_db, onset = ours(np.zeros(RATE_HZ, np.int16))
    assert (mel_db == -80.0).all()
    assert (onset == 0.0).all()


def test_the_powers_are_left_as_they_were():
    power = np.random.default_rng(0).random((10, 80)).astype(np.float32)
    before = power.copy()
    relative_db(power, 80.0)
    onset_strength(power, SHAPE, 80.0)
    np.testing.assert_array_equal(power, before)
    assert relative_db(power, 80.0, out=power) is power
    np.testing.assert_array_equal(power, relative_db(before, 80.0))


@pytest.mark.parametrize("frames", [1, 2, 5, 127, 128, 129, 300])
@pytest.mark.parametrize("n_fft", [1_024, 2_048])
def test_a_streamed_onset_strength_is_that_of_the_whole_song(frames, n_fft):
    samples = np.random.default_rng(frames).normal(0, 3_000, 512 * (frames - 1) + 7)
    pcm = (samples * np.linspace(0.0, 1.0, len(samples))).astype(np.int16)
    shape = StftShape(RATE_HZ, n_fft, 512, (128,))
    (power,) = band_powers(pcm, 1e-4, shape)
    assert len(power) == frames
    np.testing.assert_array_equal(streamed_onset_strength(pcm, 1e-4, shape, 80.0), onset_strength(power, shape, 80.0))


DIGEST = """
import hashlib, sys
import numpy as np
from bgb_assets.modalities.beatmap.features import FeatureParams, song_frames
pcm = np.random.default_rng(0).integers(-9000, 9000, 22050 * 20).astype(np.int16)
song = song_frames(pcm, 22050, 32767.0, FeatureParams())
assert not {"torch", "pandas", "matplotlib"} & set(sys.modules), "features must start without these"
print(hashlib.sha256(song.mel_db.tobytes() + song.onset.tobytes()).hexdigest())
"""


def test_other_processes_with_more_threads_give_the_same_bytes_and_need_no_torch():
    digests = set()
    for threads in ("1", "2"):
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": threads, "OMP_NUM_THREADS": threads}
        run = subprocess.run(
            [sys.executable, "-c", DIGEST], env=environment, capture_output=True, text=True, check=False
        )
        assert run.returncode == 0, run.stderr
        digests.add(run.stdout)
    assert len(digests) == 1


def test_soundfile_gives_librosa_what_it_gives_us():
    path = shared_data("beatmap") / "audio" / CLIPS[4]
    np.testing.assert_array_equal(load(path), soundfile.read(path, dtype="float32")[0])
