import json
import tracemalloc
import wave

import numpy as np
import pytest
import soundfile
import soxr

from bgb_assets.modalities.beatmap import cache
from bgb_assets.modalities.beatmap.audio.canonical_wav import map_pcm16
from bgb_assets.modalities.beatmap.audio.landmarks import find_landmarks, landmarks_digest
from bgb_assets.modalities.beatmap.features import FeatureParams, song_frames
from bgb_assets.modalities.beatmap.synth import write_ogg
from bgb_assets.runtime import monitoring
from bgb_assets.runtime.errors import BadInput
from bgb_assets_tests.fixtures import shared_data
from bgb_assets_tests.modalities.beatmap.audio_stages import run_cache

RATE_HZ = 22_050


def tone(seconds, rate_hz=RATE_HZ, level=0.5):
    return (level * np.sin(2 * np.pi * 440 * np.arange(round(seconds * rate_hz)) / rate_hz)).astype(np.float32)


def facts_of(out):
    return json.loads((out / "audio.json").read_text())


def decoded(out):
    """The amplitudes that the cache stands for."""
    return map_pcm16(out / "audio.wav")[1] / facts_of(out)["gain"]


@pytest.mark.parametrize(
    "name",
    [
        "Kevin_MacLeod_-_Vibe_Ace.hq.ogg",
        "sorohanro_-_solo-trumpet-06.ogg",
        "sorohanro_-_solo-trumpet-06.hq.ogg",
    ],
)
def test_equals_decoding_the_whole_song_at_once(tmp_path, name):
    source = shared_data("beatmap") / "audio" / name
    result, out = run_cache(source, tmp_path)
    samples, source_rate_hz = soundfile.read(source, dtype="float32", always_2d=True)
    expected = soxr.resample(samples.mean(axis=1), source_rate_hz, RATE_HZ, quality="HQ")
    facts = facts_of(out)
    assert abs(facts["frames"] - len(expected)) <= 1
    frames = min(facts["frames"], len(expected))
    half_step = 0.51 / facts["gain"]
    assert np.abs(decoded(out)[:frames] - expected[:frames]).max() < half_step + 2e-6
    assert facts["peak"] == pytest.approx(np.abs(expected).max(), abs=1e-6)
    assert facts["rms"] == pytest.approx(np.sqrt(np.mean(expected.astype(np.float64) ** 2)), rel=1e-5)
    assert np.abs(map_pcm16(out / "audio.wav")[1]).max() == 32_767
    assert result.warnings == ()
    assert result.metadata["codec"] == "OGG/VORBIS"


def test_a_peak_above_one_is_scaled_not_clipped(tmp_path):
    loud = tone(1.0, level=1.9)
    soundfile.write(tmp_path / "loud.wav", loud, RATE_HZ, subtype="FLOAT")
    _, out = run_cache(tmp_path / "loud.wav", tmp_path)
    assert facts_of(out)["peak"] == pytest.approx(1.9, abs=1e-3)
    np.testing.assert_allclose(decoded(out), loud, atol=1.9 / 32_767)


def test_silence_at_the_ends_is_measured(tmp_path):
    quiet = np.zeros(RATE_HZ // 2, np.float32)
    soundfile.write(tmp_path / "a.wav", np.concatenate([quiet, tone(1.0), quiet, quiet]), RATE_HZ)
    _, out = run_cache(tmp_path / "a.wav", tmp_path)
    facts = facts_of(out)
    assert facts["seconds"] == pytest.approx(2.5)
    assert facts["leading_silence_s"] == pytest.approx(0.5, abs=0.002)
    assert facts["trailing_silence_s"] == pytest.approx(1.0, abs=0.002)


def test_silence_is_kept_and_said(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(RATE_HZ), RATE_HZ)
    result, out = run_cache(tmp_path / "a.wav", tmp_path)
    facts = facts_of(out)
    assert (facts["gain"], facts["rms"], facts["leading_silence_s"]) == (1.0, 0.0, 1.0)
    assert result.warnings == ("the audio is silent: every sample is 0",)


@pytest.mark.parametrize(
    ("rate_hz", "channels", "subtype"), [(192_000, 1, "PCM_24"), (44_100, 6, "PCM_16"), (8_000, 2, "PCM_U8")]
)
def test_any_rate_width_and_channel_count_is_averaged_and_resampled(tmp_path, rate_hz, channels, subtype):
    weights = np.arange(1, channels + 1) / channels
    soundfile.write(tmp_path / "a.wav", tone(1.0, rate_hz)[:, None] * weights, rate_hz, subtype=subtype)
    _, out = run_cache(tmp_path / "a.wav", tmp_path)
    middle = slice(RATE_HZ // 4, 3 * RATE_HZ // 4)
    np.testing.assert_allclose(decoded(out)[middle], (tone(1.0) * weights.mean())[middle], atol=0.01)
    assert len(decoded(out)) == pytest.approx(RATE_HZ, abs=1)


@pytest.mark.parametrize(
    ("kind", "subtype", "rate_hz"),
    [
        ("OGG", "VORBIS", 44_100),
        ("OGG", "OPUS", 48_000),
        ("MP3", "MPEG_LAYER_III", 44_100),
        ("FLAC", "PCM_24", 48_000),
        ("WAV", "FLOAT", 44_100),
    ],
)
def test_every_kind_of_file_is_decoded_by_its_content(tmp_path, kind, subtype, rate_hz):
    sound = np.stack([tone(2.0, rate_hz), 0.5 * tone(2.0, rate_hz)], axis=1)
    soundfile.write(tmp_path / "song.egg", sound, rate_hz, format=kind, subtype=subtype)
    result, out = run_cache(tmp_path / "song.egg", tmp_path)
    assert result.metadata["codec"] == f"{kind}/{subtype}"
    assert facts_of(out)["seconds"] == pytest.approx(2.0, abs=0.1)
    middle = decoded(out)[RATE_HZ // 2 : 3 * RATE_HZ // 2]
    assert np.sqrt(np.mean(middle.astype(np.float64) ** 2)) == pytest.approx(0.375 / np.sqrt(2), rel=0.03)


def test_the_suffix_does_not_matter(tmp_path):
    write_ogg(tmp_path / "song.raw", tone(1.0), RATE_HZ)
    result, _ = run_cache(tmp_path / "song.raw", tmp_path)
    assert result.metadata["codec"] == "OGG/VORBIS"


def test_equal_sound_in_another_file_is_one_facet(tmp_path):
    samples = np.round(tone(0.5) * 32_768) / 32_768
    soundfile.write(tmp_path / "a.wav", samples, RATE_HZ, subtype="PCM_16")
    soundfile.write(tmp_path / "b.flac", samples, RATE_HZ, subtype="PCM_16")
    first, out = run_cache(tmp_path / "a.wav", tmp_path / "1")
    second, again = run_cache(tmp_path / "b.flac", tmp_path / "2")
    assert first.facets == second.facets
    for name in ("audio.wav", "audio.json"):
        assert (out / name).read_bytes() == (again / name).read_bytes()
    louder, _ = run_cache_of(samples * 1.5, tmp_path / "3")
    assert louder.facets != first.facets


def run_cache_of(samples, work):
    work.mkdir()
    soundfile.write(work / "a.wav", samples, RATE_HZ)
    return run_cache(work / "a.wav", work)


def test_a_song_without_audio_is_absent(tmp_path):
    result, out = run_cache(None, tmp_path)
    assert result.absent == "no audio"
    assert list(out.iterdir()) == []


def test_landmarks_are_a_facet_of_their_own(tmp_path):
    melody = np.concatenate([tone(0.3) * np.float32(k % 3 + 1) * 0.3 for k in range(20)])
    result, out = run_cache_of(melody, tmp_path / "a")
    landmarks = np.load(out / "landmarks.npy")
    assert landmarks.dtype == np.dtype("<u8")
    assert len(landmarks) == result.metadata["landmarks"] > 0
    assert result.facets["landmarks"] == landmarks_digest(landmarks)
    np.testing.assert_array_equal(landmarks, find_landmarks(map_pcm16(out / "audio.wav")[1]))
    silent, _ = run_cache_of(np.zeros(RATE_HZ, np.float32), tmp_path / "b")
    assert silent.metadata["landmarks"] == 0


def test_one_decode_is_counted_and_the_spool_is_no_output(tmp_path):
    with monitoring.counting() as counts:
        _, out = run_cache_of(tone(0.1), tmp_path / "a")
    assert counts == {"decodes": 1}
    assert sorted(path.name for path in out.iterdir()) == ["audio.json", "audio.wav", "landmarks.npy"]


def test_a_truncated_ogg_is_used_and_flagged(tmp_path):
    write_ogg(tmp_path / "whole.ogg", tone(8.0), RATE_HZ)
    data = (tmp_path / "whole.ogg").read_bytes()
    (tmp_path / "cut.ogg").write_bytes(data[: len(data) * 7 // 10])
    result, out = run_cache(tmp_path / "cut.ogg", tmp_path)
    assert result.metadata["truncated"] is True
    seconds = facts_of(out)["seconds"]
    assert 1.0 < seconds < 7.0
    assert result.warnings == (f"the OGG/VORBIS audio is cut off: its first {seconds:.1f} s decode and are used",)


def test_an_ogg_cut_within_its_last_page_is_flagged(tmp_path):
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 5 * RATE_HZ).astype(np.float32)
    write_ogg(tmp_path / "whole.ogg", noise, RATE_HZ)
    (tmp_path / "cut.ogg").write_bytes((tmp_path / "whole.ogg").read_bytes()[:-10])
    result, _ = run_cache(tmp_path / "cut.ogg", tmp_path / "cut")
    whole, _ = run_cache(tmp_path / "whole.ogg", tmp_path / "whole")
    assert (result.metadata["truncated"], whole.metadata["truncated"]) == (True, False)


@pytest.mark.parametrize("content", [b"", b"not audio at all" * 100, b"OggS", b"RIFF\0\0\0\0WAVE"])
def test_what_cannot_be_decoded_is_refused(tmp_path, content):
    (tmp_path / "a.ogg").write_bytes(content)
    with pytest.raises(BadInput, match=r"a\.ogg: cannot be decoded .*; replace it by an Ogg Vorbis"):
        run_cache(tmp_path / "a.ogg", tmp_path)


def test_what_cannot_be_decoded_is_named_with_codec_and_seconds(tmp_path):
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 5 * RATE_HZ).astype(np.float32)
    write_ogg(tmp_path / "a.ogg", noise, RATE_HZ)
    content = bytearray((tmp_path / "a.ogg").read_bytes())
    content[200:4_000] = bytes(3_800)
    (tmp_path / "a.ogg").write_bytes(content)
    with pytest.raises(BadInput, match=r"a\.ogg: cannot be decoded as audio \(codec vorbis, 5\.0 s, 1 channels, \d+ b"):
        run_cache(tmp_path / "a.ogg", tmp_path)


def test_audio_of_no_channels_is_refused(tmp_path):
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setparams((1, 2, RATE_HZ, 0, "NONE", ""))
        file.writeframes(bytes(4_000))
    content = bytearray((tmp_path / "a.wav").read_bytes())
    content[22:24] = bytes(2)  # the number of channels
    (tmp_path / "a.wav").write_bytes(content)
    with pytest.raises(BadInput, match=r"a\.wav: cannot be decoded as audio \(codec wav, .*0 channels, 4044 bytes\)"):
        run_cache(tmp_path / "a.wav", tmp_path)


def test_audio_without_samples_is_refused(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(0), RATE_HZ)
    with pytest.raises(BadInput, match=r"a\.wav: WAV/PCM_16 with no samples"):
        run_cache(tmp_path / "a.wav", tmp_path)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused(tmp_path, bad):
    samples = tone(5.0)
    samples[4 * RATE_HZ] = bad
    soundfile.write(tmp_path / "a.wav", samples, RATE_HZ, subtype="FLOAT")
    with pytest.raises(BadInput, match=r"WAV/FLOAT holds samples that are not finite .* export the audio again"):
        run_cache(tmp_path / "a.wav", tmp_path)


def test_channels_whose_mean_is_no_number_are_refused_without_a_warning(tmp_path):
    samples = np.full((1_000, 2), 0.1, np.float32)
    samples[500] = np.inf, -np.inf
    soundfile.write(tmp_path / "a.wav", samples, RATE_HZ, subtype="FLOAT")
    with pytest.raises(BadInput, match=r"WAV/FLOAT holds samples that are not finite after 0\.0 s"):
        run_cache(tmp_path / "a.wav", tmp_path)


def test_a_peak_that_no_spectrum_could_hold_is_refused(tmp_path):
    samples = tone(1.0)
    for peak in (2.0**31, 1e20):
        samples[1_000] = peak
        soundfile.write(tmp_path / f"{peak:.0e}.wav", samples, RATE_HZ, subtype="FLOAT")
    _, out = run_cache(tmp_path / "2e+09.wav", tmp_path / "1")
    facts = facts_of(out)
    song = song_frames(map_pcm16(out / "audio.wav")[1], RATE_HZ, facts["gain"], FeatureParams())
    assert np.isfinite(song.mel_db).all()
    assert np.isfinite(song.onset).all()
    with pytest.raises(BadInput, match=r"1e\+20\.wav: WAV/FLOAT holds samples as large as 1\.0e\+20, full scale is 1"):
        run_cache(tmp_path / "1e+20.wav", tmp_path / "2")


def test_more_than_an_hour_is_refused_with_its_length(tmp_path):
    rate_hz = 1_000
    soundfile.write(tmp_path / "a.wav", np.zeros(61 * 60 * rate_hz, np.int16), rate_hz, subtype="PCM_U8")
    with pytest.raises(BadInput, match=r"a\.wav: WAV/PCM_U8 of 3660\.0 s, more than 3600 s; cut the song"):
        run_cache(tmp_path / "a.wav", tmp_path)


def test_a_broken_stream_names_how_far_it_went(tmp_path):
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 10 * RATE_HZ)
    soundfile.write(tmp_path / "a.flac", noise, RATE_HZ)
    data = (tmp_path / "a.flac").read_bytes()
    (tmp_path / "a.flac").write_bytes(data[: len(data) // 2])
    with pytest.raises(BadInput, match=r"a\.flac: FLAC/PCM_16 breaks off after [1-5]\.\d of 10\.0 s: .*; replace"):
        run_cache(tmp_path / "a.flac", tmp_path)


def test_memory_does_not_grow_with_the_song(tmp_path):
    def peak_bytes(minutes):
        path = tmp_path / f"{minutes}.wav"
        soundfile.write(path, np.tile(tone(1.0), 60 * minutes), RATE_HZ)
        tracemalloc.start()
        try:
            run_cache(path, tmp_path / f"work-{minutes}", cache.CacheParams(rate_hz=11_025))
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak_bytes(1)
    assert peak_bytes(8) < peak_bytes(2) + (1 << 20)
