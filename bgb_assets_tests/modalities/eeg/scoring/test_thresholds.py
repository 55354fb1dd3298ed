"""Operating points: every threshold tried anew, the best within a limit."""

import numpy as np
import pytest
from numpy.typing import NDArray

from bgb_assets.modalities.eeg.scoring.events import Events
from bgb_assets.modalities.eeg.scoring.metrics import Figure, Metric, Scorer
from bgb_assets.modalities.eeg.scoring.nedc import nedc_overlap
from bgb_assets.modalities.eeg.scoring.thresholds import (
    OperatingPoints,
    Timeline,
    best_threshold,
    candidate_thresholds,
    operating_points,
    sensitivities,
    sensitivity_at,
)
from bgb_assets.modalities.eeg.scoring.timeline import empty_histogram, histogram
from bgb_assets.runtime.errors import BadInput
from bgb_assets_tests.modalities.eeg.scoring.random_events import EMPTY, events

STEPS_PER_S = 16
DURATION_S = 21_600.0


def detect(probabilities: NDArray[np.float16], threshold: float) -> Events:
    """Return the runs at or above a threshold."""
    above = np.concatenate([[False], probabilities >= threshold, [False]])
    return np.flatnonzero(np.diff(above)).reshape(-1, 2) / STEPS_PER_S


def timeline(patient: str, parts: list[tuple[float, float, float]], reference: Events) -> Timeline:
    """Return a timeline at 0.01 but for (onset, offset, probability) parts."""
    p = np.full(int(DURATION_S) * STEPS_PER_S, 0.01, np.float16)
    for onset, offset, value in parts:
        p[int(onset * STEPS_PER_S) : int(offset * STEPS_PER_S)] = value
    return Timeline(patient, DURATION_S, reference, p)


CORPUS = [
    timeline("a", [(100, 200, 0.9), (1_000, 1_060, 0.6)], events((100, 200))),
    timeline("b", [(500, 560, 0.5), (900, 960, 0.7), (2_000, 2_060, 0.4)], events((500, 560), (900, 960))),
]
THRESHOLDS = np.array([0.3, 0.45, 0.55, 0.65, 0.8, 0.95])


def points() -> OperatingPoints:
    return operating_points(CORPUS, detect, THRESHOLDS, Scorer.NEDC_OVERLAP)


def test_every_threshold_is_scored_on_every_recording() -> None:
    found = points()
    for row, one in enumerate(CORPUS):
        expected = [
            nedc_overlap(one.reference, detect(one.probabilities, at), one.duration_s).row for at in THRESHOLDS.tolist()
        ]
        assert found.table[row].tolist() == [list(each) for each in expected]
    assert found.sensitivity.tolist() == pytest.approx([1, 1, 2 / 3, 2 / 3, 1 / 3, 0])
    assert found.false_alarms_per_day.tolist() == pytest.approx([4, 2, 2, 0, 0, 0])


def test_the_best_sensitivity_within_a_limit() -> None:
    found = points()
    assert sensitivity_at(found, 5) == (1.0, 0.45)
    assert sensitivity_at(found, 2) == (1.0, 0.45)
    assert sensitivity_at(found, 1) == (pytest.approx(2 / 3), 0.65)
    noisy = OperatingPoints(found.scorer, found.thresholds[:2], found.table[:, :2])
    assert sensitivity_at(noisy, 1) == (0.0, None)


def test_no_references_have_no_sensitivity() -> None:
    silent = operating_points([timeline("a", [], EMPTY)], detect, THRESHOLDS, Scorer.NEDC_OVERLAP)
    assert sensitivity_at(silent, 10) == (None, None)
    with pytest.raises(BadInput, match="no threshold is better"):
        best_threshold(silent)


def test_the_best_f1_is_that_of_the_highest_of_equal_thresholds() -> None:
    assert best_threshold(points()) == 0.45
    one = operating_points([CORPUS[0]], detect, THRESHOLDS, Scorer.SZCORE_EVENT)
    assert one.f1.tolist() == pytest.approx([2 / 3, 2 / 3, 2 / 3, 1, 1, 0])
    assert best_threshold(one) == 0.8


def test_each_limit_has_an_interval_over_patients() -> None:
    found = sensitivities(points(), (1, 5.0), resamples=200)
    one = found[Metric(Scorer.NEDC_OVERLAP, Figure.SENSITIVITY_AT, 1.0)]
    assert one.value == pytest.approx(2 / 3)
    assert (one.low, one.high, one.groups) == (pytest.approx(2 / 3), 1.0, 2)


def test_candidates_are_the_distinct_quantiles_that_occur() -> None:
    p = np.sort(np.random.default_rng(0).random(4_001).astype(np.float16))
    steps = histogram(p, np.zeros(len(p), np.bool_))
    expected = np.unique(np.quantile(p.astype(np.float64), np.arange(201) / 200, method="inverted_cdf"))
    assert candidate_thresholds(steps).tolist() == expected.tolist()
    flat = histogram(np.full(1_000, 0.25, np.float16), np.zeros(1_000, np.bool_))
    assert candidate_thresholds(flat).tolist() == [0.25]


def test_nothing_has_no_thresholds() -> None:
    with pytest.raises(BadInput, match="no step was evaluated"):
        candidate_thresholds(empty_histogram())
    with pytest.raises(BadInput, match="no timeline"):
        operating_points([], detect, THRESHOLDS, Scorer.NEDC_OVERLAP)
