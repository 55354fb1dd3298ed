"""Intervals that meet, against masks."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from bgb_assets.modalities.eeg.annotations.intervals import unite
from bgb_assets.modalities.eeg.scoring.overlaps import common, length_before, overlapping

LENGTH = 40
lists = st.lists(st.tuples(st.integers(0, LENGTH), st.integers(0, LENGTH)).map(sorted), max_size=8).map(
    lambda pairs: unite(np.array(pairs, np.int64).reshape(-1, 2))
)


def mask(intervals: NDArray[np.int64]) -> NDArray[np.bool_]:
    places = np.arange(LENGTH)
    return ((intervals[:, None, 0] <= places) & (places < intervals[:, None, 1])).any(0)


@given(lists, lists)
def test_common_length_is_that_of_both_masks(first: NDArray[np.int64], second: NDArray[np.int64]) -> None:
    assert common(first, second) == int((mask(first) & mask(second)).sum())


@given(lists)
def test_length_before_is_the_running_sum_of_the_mask(intervals: NDArray[np.int64]) -> None:
    expected = np.concatenate([[0], np.cumsum(mask(intervals))])
    assert length_before(intervals, np.arange(LENGTH + 1)).tolist() == expected.tolist()


@given(lists, lists)
def test_what_overlaps_shares_a_place(queries: NDArray[np.int64], among: NDArray[np.int64]) -> None:
    covered = mask(among)
    expected = [bool(covered[start:stop].any()) for start, stop in queries.tolist()]
    assert overlapping(queries, among).tolist() == expected


def test_lists_of_overlapping_and_of_empty_intervals() -> None:
    widened = np.array([(0, 10), (5, 15), (12, 30)])
    queries = np.array([(15, 15), (14, 16), (30, 40)])
    assert overlapping(queries, widened).tolist() == [False, True, False]
    assert overlapping(widened, np.array([(9, 9), (29, 31)])).tolist() == [False, False, True]
