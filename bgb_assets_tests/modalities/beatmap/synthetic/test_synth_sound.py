import numpy as np
import pytest

from bgb_assets.modalities.beatmap.synthetic.synth_score import Hit, Score, Section, Tone
from bgb_assets.modalities.beatmap.synthetic.synth_sound import play

RATE_HZ = 22_050


def score_with(hits=(), tones=()):
    return Score(120.0, ((2.0, 60.0),), (Section("verse", 0, 1),), tuple(hits), tuple(tones))


def sound(score):
    return play(score, RATE_HZ, np.random.default_rng(0))


def test_length_follows_the_tempo_and_the_peak_is_fixed():
    samples = sound(score_with([Hit(0.0, "kick")]))
    # Two beats at 120, two at 60, and the tail.
    assert len(samples) == round((1.0 + 2.0 + 0.6) * RATE_HZ)
    assert np.abs(samples).max() == pytest.approx(0.8)
    assert samples.dtype == np.float32


@pytest.mark.parametrize("drum", ["kick", "snare", "hat", "crash"])
def test_a_stroke_begins_at_its_beat(drum):
    samples = sound(score_with([Hit(3.0, drum)]))
    first = np.flatnonzero(np.abs(samples) > 0.05)[0] / RATE_HZ
    assert first == pytest.approx(2.0, abs=0.005)


@pytest.mark.parametrize("voice", ["bass", "chord", "melody"])
def test_a_tone_has_its_pitch_and_ends(voice):
    samples = sound(score_with(tones=[Tone(0.0, 1.0, 69, voice)]))
    spectrum = np.abs(np.fft.rfft(samples[: RATE_HZ // 2]))
    assert 2.0 * spectrum.argmax() == pytest.approx(440.0, abs=4.0)
    assert (samples[RATE_HZ // 2 + 1 :] == 0.0).all()
