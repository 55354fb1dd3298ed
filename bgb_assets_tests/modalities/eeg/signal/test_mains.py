import numpy as np
import pytest

from bgb_assets.modalities.eeg.signal.mains import louder_mains_hz
from bgb_assets_tests.modalities.eeg.stored_recordings import noise


def pieces(rate_hz, hum_hz, level, others=()):
    time_s = np.arange(round(4 * rate_hz)) / rate_hz
    for seed in range(3):
        hum = level * np.sin(2 * np.pi * hum_hz * time_s + seed)
        hum = hum + sum(5 * np.sin(2 * np.pi * other * time_s) for other in others)
        yield noise(4, rate_hz, 2, seed).T + hum


@pytest.mark.parametrize("rate_hz", [256.0, 200.0, 1000.0])
@pytest.mark.parametrize("hum_hz", [50.0, 60.0])
def test_the_hum_is_found(rate_hz, hum_hz):
    assert louder_mains_hz(pieces(rate_hz, hum_hz, 20.0), rate_hz) == hum_hz


def test_the_line_is_held_against_its_neighbours():
    # As much power lies at 50 as at 60 Hz, but at 50 Hz it is that of a broad band.
    assert louder_mains_hz(pieces(256.0, 60.0, 5.0, others=(46.5, 48, 50, 52, 53.5)), 256.0) == 60.0


def test_a_rate_that_holds_one_or_none():
    assert louder_mains_hz(pieces(120.0, 50.0, 0.0), 120.0) == 50.0
    assert louder_mains_hz(pieces(100.0, 40.0, 5.0), 100.0) is None


def test_silence_has_an_answer():
    assert louder_mains_hz([np.zeros((2, 1024))], 256.0) in (50.0, 60.0)
