import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal

from bgb_assets.modalities.eeg.signal.resampling import (
    UNCHANGED,
    PolyphaseResampler,
    RateChange,
    rate_change,
    resample_by_fft,
    resampled_length,
)
from bgb_assets_tests.modalities.eeg.stored_recordings import cuts, noise, pushed


@pytest.mark.parametrize(
    ("rate_hz", "up", "down"),
    [(256, 1, 1), (250, 128, 125), (200, 32, 25), (400, 16, 25), (512, 1, 2), (1000, 32, 125), (975, 256, 975)],
)
def test_exact_fractions(rate_hz, up, down):
    assert rate_change(float(rate_hz)) == RateChange(up, down, 0.0)


def test_other_rates_get_the_nearest_fraction_and_its_error():
    change = rate_change(499.9071)
    assert change.down <= 10_000
    assert change.up / change.down == pytest.approx(256 / 499.9071, rel=1e-7)
    assert 0 < change.error < 1e-7
    assert rate_change(256 / 3).error == 0.0
    assert rate_change(256 / 3).up == 3


def test_length():
    assert [resampled_length(n, 512.0) for n in (0, 1, 2, 3, 5, 1_024)] == [0, 0, 1, 2, 2, 512]
    assert resampled_length(250 * 60, 250.0) == 15_360


@pytest.mark.parametrize("rate_hz", [250.0, 200.0, 1000.0, 512.0, 128.0, 975.0])
@pytest.mark.parametrize("seconds", [8, 0.05])
def test_the_values_are_scipys_above_the_line(rate_hz, seconds):
    samples = noise(seconds, rate_hz, 2).T + 200
    change = rate_change(rate_hz)
    count = samples.shape[1]
    slope = (samples[:, -1] - samples[:, 0]) / (count - 1)
    ours = pushed(PolyphaseResampler(change, slope), samples, [0, count])
    line = samples[:, :1] + slope[:, None] * np.arange(count)
    expected = signal.resample_poly(samples - line, change.up, change.down, axis=1)
    places = np.arange(expected.shape[1]) * change.down / change.up
    np.testing.assert_allclose(ours, expected + samples[:, :1] + slope[:, None] * places, atol=1e-9)
    # scipy lets its filter ripple on the line too.
    padded = signal.resample_poly(samples, change.up, change.down, axis=1, padtype="line")
    np.testing.assert_allclose(ours, padded, atol=1e-3 * np.abs(samples).max())


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    total=st.integers(1, 3_000),
    rate_hz=st.sampled_from([250.0, 200.0, 1000.0, 512.0, 100.0, 975.0, 499.9071, 256.0]),
    line=st.booleans(),
)
def test_any_cut_gives_the_same_bits(seed, total, rate_hz, line):
    samples = noise(3_000, 1, 2).T[:, :total]
    change, length = rate_change(rate_hz), resampled_length(total, rate_hz)
    slope = np.array([0.3, -2.0]) if line else None

    def resampled(bounds):
        given = pushed(PolyphaseResampler(change, slope), samples, bounds, length)
        return given[:, :length]

    if length:
        whole = resampled([0, total])
        assert whole.shape == (2, length)
        np.testing.assert_array_equal(resampled(cuts(total, seed)), whole)


def test_single_samples_come_out_as_soon_as_they_can():
    resampler = PolyphaseResampler(rate_change(512.0))
    given = [resampler.push(np.ones((1, 1))).shape[1] for _ in range(100)]
    # Ten of the slower rate's samples are waited for: 20 of 512 Hz.
    assert sum(given) == (100 - 1 - 20) // 2 + 1
    assert max(given) == 1


def test_a_constant_stays_a_constant_to_its_edges():
    given = pushed(PolyphaseResampler(rate_change(250.0)), np.full((1, 500), 7_000.0), [0, 500])
    np.testing.assert_array_equal(given, 7_000.0)


def test_a_drift_rings_less_at_its_edges_than_by_fft():
    time_s = np.arange(20 * 250) / 250
    drift = 30.0 * time_s + 20 * np.sin(2 * np.pi * 5.3 * time_s)
    out_s = np.arange(20 * 256) / 256
    truth = 30.0 * out_s + 20 * np.sin(2 * np.pi * 5.3 * out_s)
    slope = np.array([(drift[-1] - drift[0]) / (len(drift) - 1)])
    ours = pushed(PolyphaseResampler(rate_change(250.0), slope), drift[None], [0, len(drift)])[0]
    by_fft = resample_by_fft(drift, len(truth))
    edges = np.r_[0:128, -128:0]
    assert np.abs(ours - truth)[edges].max() < 0.25 * np.abs(by_fft - truth)[edges].max()
    assert np.sqrt(np.mean((ours - truth)[edges] ** 2)) < 0.25 * np.sqrt(np.mean((by_fft - truth)[edges] ** 2))


def test_an_unchanged_rate_is_handed_through():
    samples = noise(1, 256, 2).T
    resampler = PolyphaseResampler(UNCHANGED)
    np.testing.assert_array_equal(resampler.push(samples), samples)
    assert resampler.flush().shape == (2, 0)
    assert PolyphaseResampler(rate_change(250.0)).flush().shape[1] == 0


def test_a_rate_a_hair_off_is_filled_to_its_length():
    change = RateChange(1, 1, 1e-4)
    given = pushed(PolyphaseResampler(change), np.full((1, 10_000), 3.0), [0, 10_000], 10_001)
    np.testing.assert_array_equal(given, np.full((1, 10_001), 3.0))
