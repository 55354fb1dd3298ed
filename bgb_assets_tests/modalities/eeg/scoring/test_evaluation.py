"""All figures of a set of recordings, and what they are made of."""

from dataclasses import replace

import numpy as np
import pytest

from bgb_assets.modalities.eeg.scoring import evaluation, timeline
from bgb_assets.modalities.eeg.scoring.counts import Counts
from bgb_assets.modalities.eeg.scoring.evaluation import Recording, evaluate
from bgb_assets.modalities.eeg.scoring.metrics import Figure, Metric, Scorer
from bgb_assets.modalities.eeg.scoring.szcore import szcore_event
from bgb_assets.runtime.errors import BadInput
from bgb_assets_tests.fixtures import shared_data
from bgb_assets_tests.modalities.eeg.scoring.random_events import EMPTY, events, random_pair
from bgb_assets_tests.modalities.eeg.scoring.seizeit2 import recordings


def corpus(seed: int, *, steps: bool = False) -> list[Recording]:
    rng = np.random.default_rng(seed)
    made = []
    for place in range(20):
        reference, hypothesis, duration_s = random_pair(rng)
        labels = rng.random(500) < 0.2
        histogram = timeline.histogram(np.clip(rng.random(500) * 0.7 + 0.3 * labels, 0, 1), labels)
        patient = f"p{place % 6}"
        made.append(Recording(f"r{place}", patient, duration_s, reference, hypothesis, histogram if steps else None))
    return made


def value(found: evaluation.Evaluation, scorer: Scorer, figure: Figure) -> float | None:
    return found.scores[Metric(scorer, figure)].value


def test_figures_are_of_summed_counts() -> None:
    made = corpus(0)
    found = evaluate(made, resamples=50)
    total = sum((szcore_event(one.reference, one.hypothesis, one.duration_s) for one in made), Counts(0, 0, 0, 0))
    assert found.total(Scorer.SZCORE_EVENT).row == pytest.approx(total.row)
    assert value(found, Scorer.SZCORE_EVENT, Figure.F1) == pytest.approx(total.f1)
    assert value(found, Scorer.SZCORE_EVENT, Figure.FALSE_ALARMS) == pytest.approx(total.false_alarms_per_day)
    assert found.patients == ("p0", "p1", "p2", "p3", "p4", "p5")
    assert found.recordings == 20


def test_real_labels_score_as_known_with_every_scorer() -> None:
    found = evaluate(recordings(shared_data("eeg") / "seizeit2"), resamples=200)
    assert value(found, Scorer.SZCORE_EVENT, Figure.F1) == pytest.approx(0.887417, abs=5e-7)
    assert value(found, Scorer.SZCORE_EVENT, Figure.FALSE_ALARMS) == pytest.approx(0.881216, abs=5e-7)
    assert value(found, Scorer.SZCORE_BOARD, Figure.F1) == pytest.approx(0.803731, abs=5e-7)
    assert value(found, Scorer.SZCORE_BOARD, Figure.F1_STD) == pytest.approx(0.220846, abs=5e-7)
    assert value(found, Scorer.NEDC_OVERLAP, Figure.LATENCY) == pytest.approx(20.0)
    epochs = found.total(Scorer.NEDC_EPOCH)
    per_day = epochs.fp * 0.25 * 86_400 / 1_470_695
    assert value(found, Scorer.NEDC_EPOCH, Figure.FALSE_ALARMS) == pytest.approx(per_day)
    for metric, interval in found.scores.items():
        if interval.low is not None and interval.high is not None and interval.value is not None:
            assert interval.low <= interval.value <= interval.high, metric.name


def test_the_same_seed_gives_the_same_intervals_in_any_order_of_recordings() -> None:
    made = corpus(1, steps=True)
    one, other = evaluate(made, resamples=100), evaluate(made[::-1], resamples=100)
    for metric, interval in one.scores.items():
        assert (interval.low, interval.high) == pytest.approx((other.scores[metric].low, other.scores[metric].high))
    assert evaluate(made, resamples=100, seed=1).scores.to_json() != one.scores.to_json()


def test_the_timeline_is_scored_where_every_recording_has_one() -> None:
    made = corpus(2, steps=True)
    found = evaluate(made, resamples=100)
    assert found.steps is not None
    assert value(found, Scorer.TIMELINE, Figure.AUROC) == pytest.approx(timeline.auroc(found.steps), abs=1e-12)
    assert value(found, Scorer.TIMELINE, Figure.AUPRC) == pytest.approx(timeline.auprc(found.steps), abs=1e-12)
    assert value(found, Scorer.TIMELINE, Figure.ECE_MASS) == timeline.reliability(found.steps, "mass").error
    lacking = evaluate([*made[:-1], replace(made[-1], steps=None)], resamples=10)
    assert lacking.steps is None
    assert not any(metric.scorer is Scorer.TIMELINE for metric in lacking.scores)


def test_a_detection_at_the_wrong_time_finds_nothing_however_windows_were_cut() -> None:
    """Half an hour with one seizure: found, it is one of one; one false alarm is 48 in 24 hours, not 336."""
    one = Recording("r", "p", 1_800.0, events((600, 660)), events((605, 650), (1_200, 1_230)))
    found = evaluate([one], resamples=10)
    assert value(found, Scorer.SZCORE_EVENT, Figure.FALSE_ALARMS) == 48.0
    assert value(found, Scorer.NEDC_OVERLAP, Figure.FALSE_ALARMS) == 48.0
    assert found.total(Scorer.SZCORE_EVENT).reference == 1
    wrong = evaluate([replace(one, hypothesis=events((1_200, 1_260)))], resamples=10)
    assert value(wrong, Scorer.NEDC_TAES, Figure.SENSITIVITY) == 0.0


def test_what_nobody_can_say_is_none() -> None:
    found = evaluate([Recording("r", "p", 60.0, EMPTY, EMPTY)], resamples=10)
    assert value(found, Scorer.SZCORE_EVENT, Figure.F1) is None
    assert value(found, Scorer.SZCORE_BOARD, Figure.F1_STD) is None
    assert value(found, Scorer.SZCORE_EVENT, Figure.FALSE_ALARMS) == 0.0


def test_what_cannot_be_scored_is_named() -> None:
    good = Recording("good", "p", 60.0, EMPTY, EMPTY)
    with pytest.raises(BadInput, match="short: a recording must last"):
        evaluate([good, replace(good, name="short", duration_s=0.0)])
    with pytest.raises(BadInput, match="no recording to score"):
        evaluate([])
