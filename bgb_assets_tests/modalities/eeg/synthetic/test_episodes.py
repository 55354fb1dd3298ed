import dataclasses

import numpy as np
import pytest
from scipy.signal import welch

from bgb_assets.modalities.eeg.electrodes import CANONICAL
from bgb_assets.modalities.eeg.synthetic.episodes import add_episode, arrival_s
from bgb_assets.modalities.eeg.synthetic.plan import DISTRACTORS, SEIZURE, Episode

RATE_HZ = 256
FOCUS = CANONICAL.index("T3")
EPISODE = Episode(SEIZURE, 10.0, 60.0, 100.0, FOCUS, 0.8)
KINDS = (SEIZURE, *DISTRACTORS)


def drawn(kind, rate_hz=RATE_HZ, background=0.0, seed=0):
    signal = np.full((19, 90 * rate_hz), background, np.float32)
    add_episode(np.random.default_rng(seed), signal, dataclasses.replace(EPISODE, kind=kind), rate_hz)
    return signal


def main_frequency(part):
    hz, power = welch(part, RATE_HZ, nperseg=min(len(part), 4 * RATE_HZ))
    return hz[power.argmax()]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rate_hz", [200, 256])
def test_nothing_is_added_outside_an_episode_and_much_inside(kind, rate_hz):
    signal = drawn(kind, rate_hz)
    assert not signal[:, : 10 * rate_hz].any()
    assert not signal[:, 60 * rate_hz :].any()
    middle = signal[FOCUS, 20 * rate_hz : 50 * rate_hz]
    assert 30.0 < np.sqrt(2.0) * middle.std() < 120.0


def test_a_seizure_slows_down_while_a_distractor_keeps_its_frequency():
    frequencies = [main_frequency(drawn(SEIZURE)[FOCUS, at * RATE_HZ : (at + 3) * RATE_HZ]) for at in (11, 18, 28, 55)]
    assert frequencies == sorted(frequencies, reverse=True)
    assert frequencies[0] > 9.0
    assert 1.8 < frequencies[-1] < 4.0
    theta = drawn("theta")
    kept = [main_frequency(theta[FOCUS, at * RATE_HZ : (at + 6) * RATE_HZ]) for at in (14, 28, 48)]
    assert max(kept) - min(kept) < 0.6
    assert 4.2 < np.mean(kept) < 6.8


def test_a_seizure_travels_and_a_distractor_does_not():
    far = CANONICAL.index("T4")
    assert arrival_s(EPISODE)[FOCUS] == 10.0
    assert arrival_s(EPISODE)[far] == pytest.approx(10.0 + 0.25 * 2.0 * 50.0)
    seizure = drawn(SEIZURE)
    reached = np.argmax(np.abs(seizure) > 1e-3, axis=1) / RATE_HZ
    np.testing.assert_allclose(reached, arrival_s(EPISODE), atol=0.5)
    for kind in ("theta", "delta", "movement"):
        assert (np.argmax(np.abs(drawn(kind)) > 1e-3, axis=1) / RATE_HZ < 10.5).all()


@pytest.mark.parametrize("kind", KINDS)
def test_after_a_seizure_only_the_signal_is_suppressed_and_recovers_in_15_s(kind):
    after = drawn(kind, background=20.0)[:, 60 * RATE_HZ :]
    if kind != SEIZURE:
        assert (after == 20.0).all()
        return
    assert after[0, 0] == pytest.approx(0.45 * 20.0)
    assert after[0, 7 * RATE_HZ] == pytest.approx((0.45 + 0.55 * 7 / 15) * 20.0)
    assert (after[:, 15 * RATE_HZ :] == 20.0).all()


def test_chewing_comes_and_goes_once_or_twice_a_second():
    power = drawn("chewing")[:, 20 * RATE_HZ : 50 * RATE_HZ] ** 2
    loudness = power.mean(axis=0)
    assert 0.9 < main_frequency(loudness - loudness.mean()) < 2.3
    hz, spectrum = welch(drawn("chewing")[FOCUS, 20 * RATE_HZ : 50 * RATE_HZ], RATE_HZ, nperseg=RATE_HZ)
    assert spectrum[(hz >= 15) & (hz <= 80)].sum() > 0.97 * spectrum.sum()
