from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bgb_assets.modalities.eeg.signal.quality import ChannelQuality, seconds_by_channel
from bgb_assets_tests.modalities.eeg.stored_recordings import cuts

RATE_HZ = 100.0


def quality_of(samples, bounds=None):
    quality = ChannelQuality(samples.min(axis=1), samples.max(axis=1), RATE_HZ)
    bounds = bounds or [0, samples.shape[1]]
    for start, stop in pairwise(bounds):
        quality.add(samples[:, start:stop])
    quality.end_segment()
    return quality.flat_s(), quality.saturated_s()


def wavy(count):
    return np.tile(np.array([0, 5, 9, 5], np.int16), count // 4 + 1)[:count]


def test_flat_lines_of_a_second_and_more():
    channel = wavy(1_000)
    channel[100:250] = 3
    channel[300:399] = 3
    channel[500:600] = 4
    flat_s, saturated_s = quality_of(channel[None])
    assert flat_s == [pytest.approx(2.5)]
    assert saturated_s == [0.0]


def test_saturation_is_a_run_at_the_limits():
    channel = wavy(1_000)
    channel[100:150] = 900
    channel[200:203] = -900
    channel[300:302] = 900
    assert quality_of(channel[None])[1] == [pytest.approx(0.53)]


def test_a_flat_line_at_the_limit_is_flat_only():
    channel = wavy(1_000)
    channel[800:] = 9
    assert quality_of(channel[None]) == ([2.0], [0.0])


def test_a_dead_channel_is_flat_and_not_saturated():
    flat_s, saturated_s = quality_of(np.stack([np.full(1_000, 7, np.int16), wavy(1_000)]))
    assert flat_s == [10.0, 0.0]
    assert saturated_s == [0.0, 0.0]


def test_a_run_does_not_cross_a_gap():
    quality = ChannelQuality(np.array([0]), np.array([9]), RATE_HZ)
    for _ in range(2):
        quality.add(np.full((1, 60), 5, np.int16))
        quality.end_segment()
    assert quality.flat_s() == [0.0]


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**31), total=st.integers(1, 2_000))
def test_any_cut_counts_the_same(seed, total):
    rng = np.random.default_rng(seed)
    samples = np.repeat(rng.integers(-2, 3, (3, 60)), rng.integers(1, 200, 60), axis=1)[:, :total].astype(np.int16)
    whole = quality_of(samples)
    assert quality_of(samples, cuts(samples.shape[1], seed)) == whole
    assert whole[0] == [by_hand(channel) for channel in samples]


def by_hand(channel):
    edges = np.flatnonzero(np.diff(channel)) + 1
    lengths = np.diff([0, *edges, len(channel)])
    return float(lengths[lengths >= RATE_HZ].sum()) / RATE_HZ


def test_seconds_of_a_montage():
    assert seconds_by_channel(["Fp1", "Cz"], ["Fp1", "F3"], [1.0, 2.0]) == [1.0, 0.0]
    assert seconds_by_channel(["Fp1-F3", "F3-C3"], ["Fp1", "F3"], [1.0, 2.0]) == [2.0, 2.0]
    assert seconds_by_channel(["Fp1-F3"], ["Fp1-F3", "F3-C3"], [1.0, 2.0]) == [1.0]
    assert seconds_by_channel(["F3"], ["Fp1-F3", "F3-C3"], [1.0, 2.0]) == [2.0]
