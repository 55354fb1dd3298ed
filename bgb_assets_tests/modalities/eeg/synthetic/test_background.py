import numpy as np
import pytest
from scipy.signal import welch

from bgb_assets.modalities.eeg.electrodes import CANONICAL
from bgb_assets.modalities.eeg.synthetic.background import Patient, background, draw_patient, falls_from, mains

RATE_HZ = 256
PATIENT = Patient(level_uv=15.0, alpha_hz=10.0, alpha_uv=25.0)
PLACE = {name: number for number, name in enumerate(CANONICAL)}


@pytest.fixture(scope="module")
def signal():
    return background(np.random.default_rng(3), PATIENT, 300 * RATE_HZ, RATE_HZ)


def test_patients_are_drawn_as_documented():
    drawn = [draw_patient(np.random.default_rng(seed)) for seed in range(200)]
    for low, high, values in (
        (12.0, 22.0, [one.level_uv for one in drawn]),
        (8.5, 11.5, [one.alpha_hz for one in drawn]),
        (10.0, 25.0, [one.alpha_uv for one in drawn]),
    ):
        assert low <= min(values) < low + 0.2 * (high - low)
        assert high >= max(values) > high - 0.2 * (high - low)


def test_alpha_is_strongest_at_the_back(signal):
    hz, power = welch(signal, RATE_HZ, nperseg=4 * RATE_HZ)
    alpha = power[:, (hz >= 9.0) & (hz <= 11.0)].mean(axis=1)
    beside = power[:, ((hz >= 6.0) & (hz <= 7.5)) | ((hz >= 13.0) & (hz <= 15.0))].mean(axis=1)
    ratio = alpha / beside
    assert ratio[PLACE["O1"]] > 4.0
    assert ratio[PLACE["O1"]] > 2.0 * ratio[PLACE["F3"]]


def test_the_eyes_blink_in_front_about_every_8_s(signal):
    front = signal[[PLACE["Fp1"], PLACE["Fp2"]]].mean(axis=0)
    smooth = np.convolve(front, np.full(32, 1 / 32), "same")
    peaks = np.flatnonzero((smooth[1:-1] > 45.0) & (smooth[1:-1] > smooth[:-2]) & (smooth[1:-1] >= smooth[2:]))
    apart = np.diff(peaks, prepend=-RATE_HZ) > RATE_HZ // 2
    assert 24 <= apart.sum() <= 45
    assert signal[PLACE["Fp1"]].max() > 1.5 * signal[PLACE["O1"]].max() - 20


def test_the_mains_hum_at_their_frequency_only():
    for mains_hz in (50.0, 60.0):
        hum = mains(np.random.default_rng(0), 10 * RATE_HZ, RATE_HZ, mains_hz)
        hz, power = welch(hum, RATE_HZ, nperseg=10 * RATE_HZ)
        assert (hz[power.argmax(axis=1)] == mains_hz).all()
        peaks = np.sqrt(2.0) * hum.std(axis=1)
        assert (peaks > 0.6).all()
        assert (peaks < 6.1).all()


def test_a_source_falls_with_the_distance():
    weights = falls_from(PLACE["T3"], 0.5)
    assert weights[PLACE["T3"]] == 1.0
    assert weights[PLACE["T4"]] == pytest.approx(np.exp(-4.0))


@pytest.mark.parametrize("seconds", [1, 2, 5, 31])
def test_short_signals_are_given_too(seconds):
    drawn = background(np.random.default_rng(0), PATIENT, seconds * 200, 200)
    assert drawn.shape == (19, seconds * 200)
    assert np.isfinite(drawn).all()
