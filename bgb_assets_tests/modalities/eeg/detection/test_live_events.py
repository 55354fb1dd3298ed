import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bgb_assets.modalities.eeg.detection.live_events import LiveEvents
from bgb_assets.modalities.eeg.detection.postprocess import PostprocessParams, events_of

LEVELS = [0.05, 0.79, 0.8, 0.9, 1.0, float("nan")]


def live(timeline: np.ndarray, params: PostprocessParams, rate_hz: float, cuts: list[int]) -> list:
    stream = LiveEvents(params, rate_hz)
    found = [event for part in np.split(timeline, sorted(cuts)) for event in stream.push(part)]
    return found + stream.close()


params_drawn = st.builds(
    PostprocessParams,
    smooth_s=st.sampled_from([0.0, 0.5, 1.0, 2.0]),
    enter_s=st.sampled_from([0.0, 0.5, 1.5]),
    leave_s=st.sampled_from([0.0, 1.0, 2.5]),
    opening_s=st.sampled_from([0.043, 1.0]),
    closing_s=st.sampled_from([0.121, 0.0, 1.5]),
    min_event_s=st.sampled_from([0.0, 1.0, 3.0]),
    merge_gap_s=st.sampled_from([0.0, 2.0, 4.0]),
)
levelled = st.lists(st.tuples(st.sampled_from(LEVELS), st.integers(1, 12)), max_size=25)


@settings(max_examples=300, deadline=None)
@given(levelled, params_drawn, st.sampled_from([1.0, 3.0, 4.0]), st.lists(st.integers(0, 300), max_size=8))
def test_equals_the_rules_on_the_whole_timeline(levels, params, rate_hz, cuts) -> None:
    timeline = np.asarray([level for level, count in levels for _ in range(count)], dtype=np.float32)
    expected = events_of(timeline, params, rate_hz)
    found = live(timeline, params, rate_hz, cuts)
    assert [[event.first, event.last] for event in found] == expected.spans.tolist()
    assert [event.confidence for event in found] == expected.confidence.tolist()


def test_noise_that_crosses_the_thresholds_all_the_time_gives_the_same_events() -> None:
    noise = np.random.default_rng(7).random(20_000).astype(np.float32)
    params = PostprocessParams(tau_on=0.55, tau_off=0.48)
    expected = events_of(noise, params)
    found = live(noise, params, 16.0, list(range(0, 20_000, 37)))
    assert len(found) > 20
    assert [[event.first, event.last] for event in found] == expected.spans.tolist()


def test_an_event_is_told_once_no_other_can_be_merged_with_it() -> None:
    stream = LiveEvents(PostprocessParams(smooth_s=0.0), rate_hz=4.0)
    assert stream.push(np.full(12, 0.9)) == []
    assert stream.open_since == 0
    # 1 s to leave, and more than 2 s in all without another beginning.
    assert stream.push(np.full(8, 0.1)) == []
    assert stream.open_since is None
    (event,) = stream.push(np.full(1, 0.1))
    assert (event.first, event.last) == (0, 12)
    assert event.confidence == pytest.approx(0.9)
    assert stream.close() == []


def test_memory_does_not_grow_with_an_event_that_never_ends() -> None:
    import pickle

    stream = LiveEvents(PostprocessParams())
    stream.push(np.full(1_000, 0.99))
    before = len(pickle.dumps(stream))
    stream.push(np.full(50_000, 0.99))
    assert len(pickle.dumps(stream)) <= before + 64
    assert stream.open_since == 0
