import numpy as np
import pytest

from bgb_assets.modalities.eeg.detection.findings import Timeline, complement, findings_of
from bgb_assets.modalities.eeg.detection.postprocess import PostprocessParams

PARAMS = PostprocessParams(smooth_s=0.0)


def line(onset_s: float, *levels: tuple[float, float], cut_s: float = 0.0) -> Timeline:
    """A segment of (probability, seconds) pieces; its last step reaches `cut_s` beyond its end."""
    values = np.concatenate([np.full(round(seconds * 16), level, np.float32) for level, seconds in levels])
    return Timeline(onset_s, len(values) / 16 - cut_s, values)


def test_times_count_from_the_start_of_the_recording() -> None:
    found = findings_of("r", [line(0.0, (0.1, 10), (0.9, 10)), line(100.25, (0.9, 8), (0.1, 12))], PARAMS)
    assert found.events.tolist() == [[10.0, 20.0], [100.25, 108.25]]
    assert found.duration_s == 120.25
    assert found.probabilities.shape == (640,)


def test_an_event_ends_with_its_segment() -> None:
    found = findings_of("r", [line(2.0, (0.1, 4), (0.9, 6), cut_s=0.03)], PARAMS)
    assert found.events.tolist() == [[6.0, pytest.approx(11.97)]]


def test_gaps_and_steps_without_a_probability_are_not_evaluated() -> None:
    timelines = [line(0.0, (np.nan, 30), (0.1, 30)), line(70.0, (0.1, 20), (np.nan, 10))]
    found = findings_of("r", timelines, PARAMS, duration_s=105.0)
    assert found.not_evaluated_s.tolist() == [[0, 30], [60, 70], [90, 105]]


def test_background_is_as_sure_as_the_mean_says() -> None:
    found = findings_of("r", [line(0.0, (0.25, 20), (0.9, 10), (np.nan, 30))], PARAMS)
    assert found.background_rows() == [(0.0, 20.0, 0.75), (30.0, 60.0, 0.0)]


def test_all_of_it_goes_into_json() -> None:
    found = findings_of("r", [line(0.0, (0.0, 20), (1.0, 10))], PARAMS, start="2001-02-03T04:05:06", made_with={"a": 1})
    assert found.as_json() == {
        "format": 1,
        "recording": "r",
        "start": "2001-02-03T04:05:06",
        "duration_s": 30.0,
        "events": [{"onset_s": 20.0, "offset_s": 30.0, "confidence": 1.0}],
        "not_evaluated_s": [],
        "made_with": {"a": 1},
    }


def test_the_complement_has_no_empty_pieces() -> None:
    assert complement(np.asarray([[0.0, 2.0], [5.0, 9.0]]), 9.0).tolist() == [[2.0, 5.0]]
    assert complement(np.empty((0, 2)), 9.0).tolist() == [[0.0, 9.0]]
