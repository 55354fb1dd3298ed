import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgb_assets.modalities.eeg.annotations.intervals import (
    clip,
    seconds_in_segments,
    segments_at_rate,
    symmetric_difference,
    to_samples,
    to_samples_of_segments,
    total,
    unite,
)

SPAN = 40
PAIRS = st.lists(st.tuples(st.integers(0, SPAN), st.integers(0, SPAN)), max_size=12)


def array(pairs, dtype=np.int64):
    return np.array(pairs, dtype).reshape(-1, 2)


def covered(pairs):
    mask = np.zeros(SPAN, np.bool_)
    for start, stop in pairs:
        mask[start:stop] = True
    return mask


@given(PAIRS)
def test_a_union_covers_what_its_members_cover_and_has_the_fewest_intervals(pairs):
    united = unite(array(pairs))
    assert np.array_equal(covered(united), covered(pairs))
    assert total(united) == covered(pairs).sum()
    assert (united[:, 0] < united[:, 1]).all()
    assert (united[1:, 0] > united[:-1, 1]).all()


@given(PAIRS, st.integers(0, SPAN), st.integers(0, SPAN))
def test_clipping_keeps_what_is_inside(pairs, low, width):
    clipped = clip(array(pairs), low, low + width)
    inside = covered(pairs)
    inside[:low] = inside[low + width :] = False
    assert np.array_equal(covered(clipped), inside)


@given(PAIRS, PAIRS)
def test_symmetric_difference_counts_what_only_one_covers(first, second):
    expected = (covered(first) ^ covered(second)).sum()
    assert symmetric_difference(unite(array(first)), unite(array(second))) == expected


@given(st.lists(st.tuples(st.floats(-5, 30), st.floats(-5, 30)), max_size=8), st.integers(0, 6000))
def test_samples_are_those_whose_floor_is_inside(pairs, samples):
    mask = np.zeros(samples, np.bool_)
    for onset_s, offset_s in pairs:
        mask[max(0, int(np.floor(onset_s * 256))) : max(0, int(np.floor(offset_s * 256)))] = True
    found = np.zeros(samples, np.bool_)
    for start, stop in to_samples(array(pairs, np.float64), samples):
        assert 0 <= start < stop <= samples
        found[start:stop] = True
    assert np.array_equal(found, mask)


def test_both_ends_are_floored_and_half_open():
    seconds = np.array([[0.0, 1 / 256], [0.5, 0.503], [1.0, 1.0], [2.0039, 2.01]])
    assert to_samples(seconds, 600).tolist() == [[0, 1], [512, 514]], "0.5 to 0.503 s holds no whole sample"


def test_segments_become_those_of_256_hz():
    segments = segments_at_rate([[0, 1001, 0.0], [1001, 250, 10.5]], 250.0)
    assert segments.samples.tolist() == [1025, 256]
    assert segments.start_sample.tolist() == [0, 1025]
    assert segments.onset_s.tolist() == [0.0, 10.5]


def test_a_seizure_across_a_gap_is_two_intervals_that_meet():
    segments = segments_at_rate([[0, 2560, 0.0], [2560, 2560, 60.0], [5120, 2560, 100.0]], 256.0)
    seizures_s = np.array([[8.0, 61.0], [75.0, 80.0], [109.0, 200.0]])
    assert to_samples_of_segments(seizures_s, segments).tolist() == [[2048, 2560], [2560, 2816], [7424, 7680]]
    assert seconds_in_segments(seizures_s, segments) == 4.0


def test_no_seizure_is_no_interval():
    segments = segments_at_rate([[0, 2560, 0.0]], 256.0)
    empty = np.empty((0, 2))
    assert to_samples_of_segments(empty, segments).shape == unite(empty).shape == (0, 2)
    assert seconds_in_segments(empty, segments) == 0.0


@pytest.mark.parametrize("dtype", [np.int64, np.float64])
def test_types_stay(dtype):
    assert unite(array([[0, 2], [1, 3]], dtype)).dtype == clip(array([[0, 2]], dtype), 0, 1).dtype == dtype
