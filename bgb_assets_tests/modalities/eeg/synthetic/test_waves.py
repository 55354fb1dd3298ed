import numpy as np
import pytest
from scipy.signal import welch

from bgb_assets.modalities.eeg.electrodes import CANONICAL
from bgb_assets.modalities.eeg.synthetic.waves import band, distances, head_noise, power_law, slow

RATE_HZ = 256


def test_the_background_falls_with_the_frequency_and_with_the_distance():
    noise = head_noise(np.random.default_rng(0), 600 * RATE_HZ, RATE_HZ, power_law(1.2, 0.4))
    assert (noise.dtype, noise.shape) == (np.float32, (len(CANONICAL), 600 * RATE_HZ))
    assert noise.var(axis=1) == pytest.approx(1.0, abs=0.15)
    hz, power = welch(noise, RATE_HZ, nperseg=16 * RATE_HZ)
    inside = (hz >= 1.0) & (hz <= 100.0)
    slope = np.polyfit(np.log(hz[inside]), np.log(power.mean(axis=0)[inside]), 1)[0]
    assert slope == pytest.approx(-1.2, abs=0.05)
    assert np.abs(np.corrcoef(noise) - np.exp(-distances() / 0.6)).max() < 0.15


@pytest.mark.parametrize("samples", [1, 255, 256, 1_009])
def test_any_length_is_given(samples):
    assert head_noise(np.random.default_rng(0), samples, RATE_HZ, band(20.0, 70.0)).shape[1] == samples


def test_a_band_holds_its_power():
    noise = head_noise(np.random.default_rng(0), 60 * RATE_HZ, RATE_HZ, band(20.0, 70.0))
    hz, power = welch(noise, RATE_HZ, nperseg=4 * RATE_HZ)
    inside = (hz >= 18.0) & (hz <= 77.0)
    assert power[:, inside].sum() / power.sum() > 0.99
    assert noise.std() == pytest.approx(1.0, abs=0.05)


def test_a_slow_curve_turns_only_at_its_points():
    curve = slow(np.random.default_rng(0), 10 * RATE_HZ, RATE_HZ, 2.0)
    bends = np.abs(np.diff(curve.astype(np.float64), 2)) > 1e-4
    assert set((np.flatnonzero(bends) + 1).tolist()) <= {2 * RATE_HZ * k for k in range(1, 5)}
    assert curve.std() > 0.1


def test_distances_are_those_of_the_flat_head():
    place = {name: number for number, name in enumerate(CANONICAL)}
    assert distances()[place["T3"], place["T4"]] == pytest.approx(2.0)
    assert distances()[place["Cz"], place["Fz"]] == pytest.approx(0.5)
    np.testing.assert_array_equal(distances(), distances().T)
