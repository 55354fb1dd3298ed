"""Rankings against scikit-learn, and by hand."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from bgb_assets.training.ranking import auroc, average_precision, counts_of, equal_error_rate


@pytest.mark.parametrize("decimals", [0, 1, 3, 12])
def test_areas_are_those_of_scikit_learn(decimals: int) -> None:
    rng = np.random.default_rng(decimals)
    for _ in range(50):
        labels = rng.random(200) < rng.uniform(0.05, 0.95)
        scores = np.round(rng.random(200) + 0.3 * labels, decimals)
        positives, negatives, _ = counts_of(scores, labels)
        assert float(auroc(positives, negatives)) == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
        expected = average_precision_score(labels, scores)
        assert float(average_precision(positives, negatives)) == pytest.approx(expected, abs=1e-12)


def test_one_class_has_no_area() -> None:
    some, none = np.array([1.0, 2.0]), np.zeros(2)
    for figure in (auroc, average_precision, equal_error_rate):
        assert np.isnan(figure(some, none))
        assert np.isnan(figure(none, some))


def test_leading_axes_are_rankings_of_their_own() -> None:
    rng = np.random.default_rng(4)
    positives, negatives = rng.integers(0, 5, (2, 3, 7, 20)).astype(np.float64)
    for figure in (auroc, average_precision, equal_error_rate):
        together = figure(positives, negatives)
        assert together.shape == (3, 7)
        assert together[1, 4] == figure(positives[1, 4], negatives[1, 4])


def test_equal_error_rate_by_hand() -> None:
    """At 0.35 one of four positives is missed and one of four negatives passes."""
    scores = np.array([0.1, 0.2, 0.3, 0.3, 0.4, 0.5, 0.6, 0.7])
    labels = np.array([0, 0, 0, 1, 0, 1, 1, 1], np.bool_)
    assert float(equal_error_rate(*counts_of(scores, labels)[:2])) == pytest.approx(0.25)
    assert float(equal_error_rate(np.array([0.0, 4.0]), np.array([4.0, 0.0]))) == 0.0
    assert float(equal_error_rate(np.array([3.0]), np.array([5.0]))) == pytest.approx(0.5)


def test_a_score_that_is_no_number_has_no_rank() -> None:
    with pytest.raises(ValueError, match="1 of 2 scores are NaN"):
        counts_of(np.array([0.1, np.nan]), np.array([True, False]))
