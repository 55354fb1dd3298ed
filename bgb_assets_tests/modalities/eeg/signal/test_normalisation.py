import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bgb_assets.modalities.eeg.signal.normalisation import (
    ChannelStatistics,
    FixedNormaliser,
    NoNormaliser,
    RunningNormaliser,
    quantise,
)
from bgb_assets_tests.modalities.eeg.stored_recordings import cuts, pushed

SIGNAL = np.random.default_rng(0).normal(3.0, 20.0, (2, 60 * 256))


def test_fixed_statistics():
    given = FixedNormaliser(np.array([1.0, 0.0]), np.array([2.0, 0.0])).push(np.array([[5.0], [0.0]]))
    np.testing.assert_allclose(given, [[2.0], [0.0]], rtol=1e-8)


def test_nothing_is_done_without_a_norm():
    normaliser = NoNormaliser(2)
    np.testing.assert_array_equal(normaliser.push(SIGNAL), SIGNAL)
    assert normaliser.flush().shape == (2, 0)


def test_statistics_over_blocks():
    statistics = ChannelStatistics(2)
    for start in range(0, SIGNAL.shape[1], 1_000):
        statistics.add(SIGNAL[:, start : start + 1_000].astype(np.float32))
    mean, std = statistics.mean_and_std()
    np.testing.assert_allclose(mean, SIGNAL.mean(axis=1), rtol=1e-6)
    np.testing.assert_allclose(std, SIGNAL.std(axis=1), rtol=1e-6)


def by_the_book(channel):
    """Exponential statistics of whole seconds, written out: each second by those before, 30 s by their own."""
    seconds = channel.reshape(-1, 256)
    scaled = []
    for number, second in enumerate(seconds):
        past = seconds[: max(number, 30)]
        weights = 0.5 ** (np.arange(len(past))[::-1] / 300)
        mean = np.average(past.mean(axis=1), weights=weights)
        std = np.sqrt(np.average((past**2).mean(axis=1), weights=weights) - mean**2)
        scaled.append((second - mean) / (std + 1e-8))
    return np.concatenate(scaled)


def test_running_statistics_are_those_of_the_past():
    drifting = SIGNAL * np.linspace(1, 4, SIGNAL.shape[1])
    given = pushed(RunningNormaliser(2), drifting, [0, SIGNAL.shape[1]])
    for channel, expected in zip(given, drifting, strict=True):
        np.testing.assert_allclose(channel, by_the_book(expected), rtol=1e-9, atol=1e-9)


def test_half_of_the_weight_is_older_than_300_s():
    level = np.repeat([0.0, 100.0], [900 * 256, 300 * 256])[None]
    normaliser = RunningNormaliser(1)
    normaliser.push(level)
    # Of all the past 1 - 1/16 counts: half of that in the last 300 s, and a bit.
    assert normaliser.mean[0] == pytest.approx(100 * 0.5 / (1 - 0.5**4), rel=1e-6)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**31), total=st.integers(1, 40 * 256))
def test_any_cut_gives_the_same_bits(seed, total):
    whole = pushed(RunningNormaliser(2), SIGNAL[:, :total], [0, total])
    assert whole.shape == (2, total)
    np.testing.assert_array_equal(pushed(RunningNormaliser(2), SIGNAL[:, :total], cuts(total, seed)), whole)


def test_after_the_warm_up_every_sample_comes_at_once():
    normaliser = RunningNormaliser(2)
    assert normaliser.push(SIGNAL[:, : 30 * 256 - 1]).shape == (2, 0)
    assert normaliser.push(SIGNAL[:, :1]).shape == (2, 30 * 256)
    assert normaliser.push(SIGNAL[:, :1]).shape == (2, 1)
    assert normaliser.flush().shape == (2, 0)


def test_a_silent_recording_is_no_division_by_zero():
    assert not pushed(RunningNormaliser(1), np.zeros((1, 100)), [0, 100]).any()
    assert RunningNormaliser(1).flush().shape == (1, 0)


def test_steps_and_clipping():
    step = 10 / 32_767
    scaled = np.array([[0.0, 9.9999, 10.0, 10.1, -25.0, 1.0]])
    steps, clipped = quantise(scaled, step)
    assert steps.dtype == np.int16
    assert steps.tolist() == [[0, 32_767, 32_767, 32_767, -32_767, 3_277]]
    assert clipped == 2


@given(st.floats(-10, 10))
def test_a_step_is_half_a_step_wide(value):
    steps, _ = quantise(np.array([[value]]), 10 / 32_767)
    assert abs(float(steps[0, 0]) * 10 / 32_767 - value) <= 1.53e-4
