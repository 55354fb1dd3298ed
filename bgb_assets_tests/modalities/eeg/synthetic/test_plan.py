import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bgb_assets.modalities.eeg.electrodes import RATE_HZ
from bgb_assets.modalities.eeg.synthetic.plan import (
    DISTRACTORS,
    SEIZURE,
    SynthOptions,
    draw_episodes,
    gap_at_s,
    late_s,
    truth_of,
)
from bgb_assets.runtime.errors import UsageError


@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 2**32), seconds=st.integers(60, 7_200))
def test_episodes_come_one_after_the_other_within_the_recording_and_off_the_gap(seed, seconds):
    episodes = draw_episodes(np.random.default_rng(seed), seconds)
    edges = [edge for one in episodes for edge in (one.onset_s, one.offset_s)]
    assert edges == sorted(edges)
    assert edges[0] >= 3.9
    assert edges[-1] <= seconds - 0.9
    assert all(one.kind == SEIZURE or one.kind in DISTRACTORS for one in episodes)
    assert not any(one.onset_s <= gap_at_s(seconds) <= one.offset_s for one in episodes)
    assert SEIZURE in {one.kind for one in episodes}
    assert all(10.0 <= one.offset_s - one.onset_s <= 100.1 for one in episodes)


@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_times_lie_within_samples_not_at_their_edges(seed):
    for one in draw_episodes(np.random.default_rng(seed), 1_200):
        for at_s in (one.onset_s, one.offset_s):
            assert at_s == round(at_s, 4)
            assert 0.4 < at_s * RATE_HZ % 1 < 0.6


def test_seizures_and_distractors_are_as_large_as_long_and_as_wide():
    drawn = [one for seed in range(300) for one in draw_episodes(np.random.default_rng(seed), 1_200)]
    seizures = [one for one in drawn if one.kind == SEIZURE]
    others = [one for one in drawn if one.kind != SEIZURE]
    assert (len(seizures), len(others)) == (600, 1_500)
    for measure in (lambda one: one.amplitude_uv, lambda one: one.offset_s - one.onset_s, lambda one: one.spread):
        first, second = ([measure(one) for one in group] for group in (seizures, others))
        assert np.median(first) == pytest.approx(np.median(second), rel=0.06)
        assert min(first) == pytest.approx(min(second), rel=0.1)
    assert np.median([one.offset_s - one.onset_s for one in drawn]) == pytest.approx(45.0, rel=0.08)


def test_without_seizures_the_distractors_stay_where_they_were():
    both, alone = (draw_episodes(np.random.default_rng(5), 1_200, seizures) for seizures in (True, False))
    assert alone == tuple(one for one in both if one.kind != SEIZURE)
    assert len(both) == len(alone) + 2


def test_what_comes_after_a_gap_is_later_on_the_clock():
    episodes = draw_episodes(np.random.default_rng(1), 120)
    assert gap_at_s(120) == 60
    options = SynthOptions(gap_s=20)
    assert [late_s(one, options, 120) for one in episodes] == [0, 20]
    truth = truth_of(episodes, options, 120)
    assert truth["gap_s"] == [60, 20]
    assert sorted(times[0] for [times] in truth["episodes"].values()) == pytest.approx(
        [episodes[0].onset_s, episodes[1].onset_s + 20]
    )


@pytest.mark.parametrize(
    ("options", "told"), [({"rate_hz": 100}, "rate_hz"), ({"without": ("Fp3",)}, "Fp3"), ({"gap_s": -1}, "gap_s")]
)
def test_options_that_mean_nothing_are_refused(options, told):
    with pytest.raises(UsageError, match=told):
        SynthOptions(**options)
