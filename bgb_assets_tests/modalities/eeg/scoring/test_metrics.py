"""Keys of figures: one for one thing, and none for nothing."""

import pytest

from bgb_assets.modalities.eeg.scoring.metrics import Figure, Metric, Scorer, Scores, all_metrics, parse_metric
from bgb_assets.runtime.errors import UsageError
from bgb_assets.training.intervals import Interval

TEN = Metric(Scorer.NEDC_OVERLAP, Figure.SENSITIVITY_AT, 10)


def test_ten_and_ten_point_zero_are_one_key() -> None:
    assert Metric(Scorer.NEDC_OVERLAP, Figure.SENSITIVITY_AT, 10.0) == TEN
    assert TEN.name == "nedc_overlap_sensitivity_at_10_fa_per_24h"
    assert parse_metric("nedc_overlap_sensitivity_at_10.0_fa_per_24h") == TEN
    assert Scores({TEN: Interval(0.7, None, None, 3, 0, 0)})[parse_metric(TEN.name)].value == 0.7


def test_every_key_is_read_from_its_name() -> None:
    metrics = all_metrics()
    assert len({metric.name for metric in metrics}) == len(metrics)
    assert [parse_metric(metric.name) for metric in metrics] == metrics
    assert parse_metric("szcore_event_f1") == Metric(Scorer.SZCORE_EVENT, Figure.F1)


@pytest.mark.parametrize(
    "name", ["sensitivity_at_10fa", "szcore_event_auroc", "f1", "szcore_event_sensitivity_at_10_fa_per_24h", ""]
)
def test_a_name_of_nothing_is_an_error(name: str) -> None:
    with pytest.raises(UsageError):
        parse_metric(name)


def test_a_key_that_no_scorer_has_cannot_be_made() -> None:
    with pytest.raises(UsageError, match="nedc_taes has no auroc; it has sensitivity"):
        Metric(Scorer.NEDC_TAES, Figure.AUROC)
    with pytest.raises(UsageError, match="a limit is for"):
        Metric(Scorer.NEDC_OVERLAP, Figure.F1, 10)
    with pytest.raises(UsageError, match="a limit is for"):
        Metric(Scorer.NEDC_OVERLAP, Figure.SENSITIVITY_AT)


def test_asking_for_what_was_not_computed_is_an_error_and_not_zero() -> None:
    scores = Scores({TEN: Interval(0.7, 0.5, 0.9, 3, 2_000, 0)})
    with pytest.raises(
        UsageError, match="'szcore_event_f1' was not computed; there are nedc_overlap_sensitivity_at_10"
    ):
        scores[Metric(Scorer.SZCORE_EVENT, Figure.F1)]
    with pytest.raises(UsageError, match="was not computed"):
        scores["nedc_overlap_sensitivity_at_10_fa_per_24h"]  # type: ignore[index]
    assert scores.to_json()[TEN.name]["high"] == 0.9
