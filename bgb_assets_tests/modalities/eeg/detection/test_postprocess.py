import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgb_assets.modalities.eeg.detection.postprocess import (
    PostprocessParams,
    events_of,
    runs,
    smoothed,
    spans_of,
    steps_at_least,
    steps_at_most,
)
from bgb_assets.runtime.errors import ConfigError, ContractError

LEVELS = {"#": 0.9, "-": 0.8, ".": 0.1, "x": np.nan}
"""Above tau_on, between the two, below tau_off, not evaluated."""

UNSMOOTHED = PostprocessParams(smooth_s=0.0)

DRAWN = {
    # At 4 Hz: enter 2 steps, leave 4, shortest event 12, merged up to 8.
    "one event": ("....############....", [[4, 16]]),
    "too short": ("....###########.....", []),
    "one step does not enter": ("..#..--------------############....", [[19, 31]]),
    "held between the thresholds": ("..##--------------------....", [[2, 24]]),
    "a short fall does not leave": ("..######...######....", [[2, 17]]),
    "leaves at the first step of the fall": ("..############......---....", [[2, 14]]),
    "merged over 2 s": ("############........############", [[0, 32]]),
    "not merged over more": ("############.........############", [[0, 12], [21, 33]]),
    "short ones do not bridge": ("############......####......############", [[0, 12], [28, 40]]),
    "open at the end, short fall included": ("....############..", [[4, 18]]),
    "nothing crosses what is not evaluated": ("############xx######xx############", [[0, 12], [22, 34]]),
    "begins where evaluation begins": ("x#############.", [[1, 15]]),
}


def draw(text: str) -> np.ndarray:
    return np.asarray([LEVELS[letter] for letter in text], dtype=np.float32)


@pytest.mark.parametrize("name", DRAWN)
def test_drawn_timelines_give_exact_indices(name: str) -> None:
    text, expected = DRAWN[name]
    assert events_of(draw(text), UNSMOOTHED, rate_hz=4).spans.tolist() == expected


def test_the_same_rules_hold_at_any_rate() -> None:
    coarse = draw("...............############........############..............")
    fine = np.repeat(coarse, 64)
    assert events_of(coarse, UNSMOOTHED, rate_hz=4).events.tolist() == [[3.75, 11.75]]
    assert events_of(fine, UNSMOOTHED, rate_hz=256).events.tolist() == [[3.75, 11.75]]


def test_opening_and_closing_act_on_fine_timelines_only() -> None:
    eager = PostprocessParams(smooth_s=0, enter_s=0, leave_s=0, min_event_s=0, merge_gap_s=0)
    timeline = np.full(512, 0.1)
    timeline[100:110] = timeline[200:211] = timeline[241:300] = 0.9  # 10 and 11 steps of 256 Hz, then a gap of 30
    assert events_of(timeline, eager, rate_hz=256).spans.tolist() == [[200, 300]]
    assert events_of(timeline, eager, rate_hz=8).spans.tolist() == [[100, 110], [200, 211], [241, 300]]


def test_smoothing_is_a_centred_mean_that_shrinks_at_the_ends() -> None:
    timeline = np.asarray([0.0, 1.0, 0.0, 0.5, np.nan, 0.25])
    mean = smoothed(timeline, 3.0, 1.0, ~np.isnan(timeline))
    np.testing.assert_allclose(mean, [0.5, 1 / 3, 0.5, 0.25, np.nan, 0.25], atol=1e-9)


def test_a_stretch_is_smoothed_the_same_wherever_it_lies() -> None:
    noise = np.random.default_rng(5).random(4_000).astype(np.float32)
    whole = smoothed(noise, 2.0, 16.0, np.ones(4_000, dtype=bool))
    part = smoothed(noise[1_000:], 2.0, 16.0, np.ones(3_000, dtype=bool))
    assert np.array_equal(whole[1_016:], part[16:])


def test_confidence_is_the_mean_before_smoothing() -> None:
    timeline = np.concatenate([np.zeros(64), np.full(64, 0.9), np.full(64, 1.0), np.zeros(64)])
    found = events_of(timeline, PostprocessParams())
    first, last = found.spans[0]
    assert found.confidence[0] == pytest.approx(timeline[first:last].mean(), abs=1e-9)
    assert found.events.tolist() == [[first / 16, last / 16]]


def test_a_timeline_without_events_gives_empty_arrays() -> None:
    for timeline in (np.empty(0), np.zeros(100), np.full(100, np.nan)):
        found = events_of(timeline, PostprocessParams())
        assert found.events.shape == (0, 2)
        assert found.confidence.shape == (0,)


def test_a_mask_says_what_is_not_evaluated() -> None:
    valid = np.ones(200, dtype=bool)
    valid[100:102] = False
    found = events_of(np.ones(200), PostprocessParams(), valid=valid)
    assert found.spans.tolist() == [[0, 100], [102, 200]]
    assert found.confidence.tolist() == [1.0, 1.0]


def test_many_thresholds_share_one_smoothing() -> None:
    noise = np.random.default_rng(2).random(5_000)
    smooth = smoothed(noise, 2.0, 16.0, np.ones(5_000, dtype=bool))
    for tau_on in (0.45, 0.5, 0.55):
        params = PostprocessParams(tau_on=tau_on, tau_off=tau_on - 0.08)
        assert np.array_equal(spans_of(smooth, params), events_of(noise, params).spans)


def step_by_step(smooth, params, rate_hz):
    """The rules of entering and leaving as a person would read them."""
    enter, leave = steps_at_least(params.enter_s, rate_hz), steps_at_least(params.leave_s, rate_hz)
    spans, start = [], None
    for i in range(len(smooth)):
        if start is None and len(smooth) - i >= enter and (smooth[i : i + enter] >= params.tau_on).all():
            start = i
        elif start is not None and len(smooth) - i >= leave and (smooth[i : i + leave] < params.tau_off).all():
            spans.append([start, i])
            start = None
    return spans if start is None else [*spans, [start, len(smooth)]]


@given(st.lists(st.sampled_from([0.1, 0.8, 0.9]), max_size=80), st.sampled_from([1.0, 4.0, 7.0]))
def test_hysteresis_equals_walking_step_by_step(levels: list[float], rate_hz: float) -> None:
    params = dataclasses.replace(UNSMOOTHED, min_event_s=0.0, merge_gap_s=0.0)
    timeline = np.asarray(levels)
    assert events_of(timeline, params, rate_hz).spans.tolist() == step_by_step(timeline, params, rate_hz)


def test_a_step_at_a_threshold_enters_and_does_not_leave() -> None:
    """Exactly in binary: p >= tau_on enters, p < tau_off leaves."""
    params = PostprocessParams(tau_on=0.75, tau_off=0.5, smooth_s=0.0)
    timeline = np.repeat([0.25, 0.75, 0.5, 0.25], [8, 12, 8, 8])
    assert events_of(timeline, params, rate_hz=4).spans.tolist() == [[8, 28]]


@given(st.lists(st.floats(0, 1, width=32), max_size=300), st.sampled_from([2.0, 16.0]))
def test_events_are_sorted_apart_and_long_enough(values: list[float], rate_hz: float) -> None:
    params = PostprocessParams(tau_on=0.55, tau_off=0.45)
    spans = events_of(np.asarray(values), params, rate_hz).spans
    assert (spans[:, 1] - spans[:, 0] >= 3.0 * rate_hz).all()
    assert (spans[1:, 0] - spans[:-1, 1] > 2.0 * rate_hz).all()


def test_lengths_in_seconds_become_whole_steps() -> None:
    assert [steps_at_least(s, 10.0) for s in (0.0, 0.1, 0.11, 0.3)] == [1, 1, 2, 3]
    assert [steps_at_most(s, 10.0) for s in (0.0, 0.1, 0.19, 0.3)] == [0, 1, 1, 3]


def test_runs_are_half_open() -> None:
    assert runs(np.asarray([1, 1, 0, 1], dtype=bool)).tolist() == [[0, 2], [3, 4]]


@pytest.mark.parametrize("taus", [(0.5, 0.6), (1.1, 0.5), (0.5, 0.0), (float("nan"), 0.5)])
def test_thresholds_that_make_no_sense_are_refused(taus: tuple[float, float]) -> None:
    with pytest.raises(ConfigError, match="0 < tau_off <= tau_on <= 1"):
        PostprocessParams(*taus)


def test_a_length_that_is_no_length_is_refused() -> None:
    with pytest.raises(ConfigError, match="min_event_s"):
        PostprocessParams(min_event_s=-1.0)


@pytest.mark.parametrize("value", [-0.1, 1.5])
def test_what_is_no_probability_is_refused(value: float) -> None:
    with pytest.raises(ContractError, match=r"must lie in \[0, 1\]"):
        events_of(np.asarray([0.5, value]), PostprocessParams())
