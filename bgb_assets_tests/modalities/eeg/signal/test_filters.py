import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal

from bgb_assets.modalities.eeg.signal import filters
from bgb_assets.modalities.eeg.signal.filters import (
    CausalFilter,
    filter_both_ways,
    notches_hz,
    sections,
    usable_band,
)
from bgb_assets_tests.modalities.eeg.stored_recordings import cuts, noise, pushed

COEFFICIENTS = sections((0.5, 120.0), (60.0,))


def response_db(coefficients, frequency_hz):
    return 20 * np.log10(np.abs(signal.sosfreqz(coefficients, [frequency_hz], fs=256)[1][0]) + 1e-30)


def test_band_and_notch_are_where_they_are_asked_for():
    for edge_hz in (0.5, 120.0):
        assert response_db(COEFFICIENTS, edge_hz) == pytest.approx(-3.01, abs=0.1)
    assert response_db(COEFFICIENTS, 60.0) < -100
    assert response_db(COEFFICIENTS, 50.0) > -0.1
    assert response_db(sections((0.5, 120.0), (50.0,)), 50.0) < -100
    assert response_db(sections((1.0, 40.0), ()), 60.0) < -10


def test_the_upper_edge_stays_below_the_recordings_own_rate():
    assert usable_band((0.5, 120.0), 512.0) == (0.5, 120.0)
    assert usable_band((0.5, 120.0), 200.0) == (0.5, 98.0)
    assert usable_band((0.5, 200.0), 1000.0) == (0.5, pytest.approx(125.44))


def test_harmonics_only_if_asked_and_below_nyquist():
    assert notches_hz(50.0, 512.0, harmonics=False) == (50.0,)
    assert notches_hz(50.0, 512.0, harmonics=True) == (50.0, 100.0)
    assert notches_hz(60.0, 200.0, harmonics=True) == (60.0,)
    assert notches_hz(50.0, 100.0, harmonics=True) == ()
    assert notches_hz(None, 512.0, harmonics=True) == ()


def test_causal_is_scipys_from_the_steady_state_of_the_first_sample():
    samples = noise(20, 256, 3).T + 5_000
    steady = signal.sosfilt_zi(COEFFICIENTS)
    for channel, filtered in zip(samples, CausalFilter(COEFFICIENTS).push(samples), strict=True):
        expected, _ = signal.sosfilt(COEFFICIENTS, channel, zi=steady * channel[0])
        np.testing.assert_allclose(filtered, expected, atol=1e-7)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**31), total=st.integers(1, 2_000))
def test_any_cut_gives_the_same_bits(seed, total):
    samples = noise(8, 256, 2).T[:, :total] + 300.0
    whole = CausalFilter(COEFFICIENTS).push(samples)
    np.testing.assert_array_equal(pushed(CausalFilter(COEFFICIENTS), samples, cuts(total, seed)), whole)


def test_a_flat_channel_stays_exactly_zero():
    assert not CausalFilter(COEFFICIENTS).push(np.full((1, 10_000), 312_345.678)).any()


@pytest.mark.parametrize("block", [64, 65_536])
@pytest.mark.parametrize("samples", [2_000, 28])
def test_both_ways_is_scipys_in_blocks(samples, block, monkeypatch):
    monkeypatch.setattr(filters, "_BLOCK", block)
    channel = noise(8, 256, 1)[:samples, 0]
    expected = signal.sosfiltfilt(COEFFICIENTS, channel)
    filter_both_ways(channel, COEFFICIENTS)
    np.testing.assert_allclose(channel, expected, atol=1e-9)


@pytest.mark.parametrize("samples", [0, 1, 2, 20])
def test_both_ways_takes_what_is_too_short_for_scipy(samples):
    channel = noise(1, 256, 1)[:samples, 0]
    filter_both_ways(channel, COEFFICIENTS)
    assert np.isfinite(channel).all()
