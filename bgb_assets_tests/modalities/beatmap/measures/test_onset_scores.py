import warnings

import mir_eval
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bgb_assets.modalities.beatmap.measures.onset_scores import MERGE_S, merged, onset_score

TIMES = st.lists(st.floats(0, 5) | st.integers(0, 100).map(lambda ticks: ticks * 0.025), max_size=40)


@given(TIMES, TIMES, st.sampled_from([0.025, 0.05]))
@example([], [], 0.05)
@example([], [1.0], 0.05)
@example([1.0], [], 0.05)
@example([1.0, 1.0, 1.0], [1.05], 0.05)
@example([0.0, 0.05, 0.1], [0.05, 0.1, 0.15], 0.05)
def test_scores_are_those_of_mir_eval(found, wanted, tolerance_s):
    ours = onset_score(found, wanted, tolerance_s)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*onsets are empty", UserWarning)
        theirs = mir_eval.onset.f_measure(merged(wanted), merged(found), window=tolerance_s)
    assert (ours.f1, ours.precision, ours.recall) == pytest.approx(theirs, abs=1e-12)


@given(TIMES)
def test_merged_times_are_apart_and_stand_for_all(times):
    kept = merged(times)
    assert (np.diff(kept) > MERGE_S).all()
    assert set(kept) <= set(times)
    assert all(any(0 <= time - one <= MERGE_S for one in kept) for time in times)


def test_times_within_10_ms_are_one_onset():
    assert merged([1.009, 1.0, 1.02]).tolist() == [1.0, 1.02]
    # The second is 8 ms after the first, the third 16 ms: it is no more than 10 ms from one that was left out.
    assert merged([1.0, 1.008, 1.016]).tolist() == [1.0, 1.016]
    assert onset_score([1.0, 1.001, 1.002], [1.0]).precision == 1.0


def test_precision_is_of_the_times_and_recall_of_the_reference():
    score = onset_score([1.0, 2.0, 3.0, 4.0], [1.0, 2.0])
    assert (score.precision, score.recall, score.f1) == (0.5, 1.0, pytest.approx(2 / 3))


def test_each_time_is_in_one_pair_at_most():
    assert onset_score([1.0], [0.97, 1.03]).recall == 0.5
    # The greedy nearest pair (1.00, 1.01) would leave the others without one.
    assert onset_score([0.96, 1.0], [1.01, 1.05], 0.051).f1 == 1.0


def test_a_map_agrees_with_itself_and_not_with_itself_moved():
    times = np.arange(2.0, 30.0, 0.25)
    assert onset_score(times, times).f1 == onset_score(times + 0.04, times).f1 == 1.0
    assert onset_score(times + 0.06, times).f1 == 0.0
    assert onset_score(times + 0.02, times, 0.025).f1 == 1.0
    assert onset_score(times + 0.04, times, 0.025).f1 == 0.0
