"""Histograms of float16 probabilities, against scikit-learn on every step."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from bgb_assets.modalities.eeg.scoring import timeline
from bgb_assets.modalities.eeg.scoring.timeline import Histogram, histogram, step_labels
from bgb_assets.runtime.errors import BadInput


def random_steps(seed: int, steps: int = 20_000) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.random(steps) < 0.06
    logits = rng.normal(-3, 2, steps) + 3 * labels
    return (1 / (1 + np.exp(-logits))).astype(np.float16), labels


def test_every_float16_of_zero_to_one_has_a_place_in_order() -> None:
    values = timeline.values()
    assert len(values) == 15_361
    assert (values[0], values[-1]) == (0.0, 1.0)
    assert (np.diff(values) > 0).all()


@pytest.mark.parametrize("seed", range(4))
def test_areas_and_brier_are_those_of_scikit_learn(seed: int) -> None:
    p, labels = random_steps(seed)
    steps = histogram(p, labels)
    exact = p.astype(np.float64)
    assert timeline.auroc(steps) == pytest.approx(roc_auc_score(labels, exact), abs=1e-12)
    assert timeline.auprc(steps) == pytest.approx(average_precision_score(labels, exact), abs=1e-12)
    assert timeline.brier_score(steps) == pytest.approx(brier_score_loss(labels, exact), abs=1e-12)


def test_one_class_has_no_areas() -> None:
    p, _ = random_steps(5)
    for labels in (np.zeros(len(p), np.bool_), np.ones(len(p), np.bool_)):
        steps = histogram(p, labels)
        assert timeline.auroc(steps) is None
        assert timeline.auprc(steps) is None


def test_constant_zero_on_seizures_is_wholly_wrong() -> None:
    steps = histogram(np.zeros(96, np.float16), np.ones(96, np.bool_))
    assert timeline.reliability(steps, "width").error == 1.0
    assert timeline.reliability(steps, "mass").error == 1.0
    assert timeline.brier_score(steps) == 1.0


def test_histograms_add_up_and_minus_zero_is_zero() -> None:
    p, labels = random_steps(6)
    whole, parts = histogram(p, labels), histogram(p[:7_000], labels[:7_000]) + histogram(p[7_000:], labels[7_000:])
    assert (whole.row == parts.row).all()
    assert histogram(np.array([-0.0], np.float16), np.array([True])).positives[0] == 1


def test_what_was_not_evaluated_does_not_count() -> None:
    p, labels = random_steps(7, 1_000)
    evaluated = np.arange(1_000) % 3 > 0
    gappy = np.where(evaluated, p, np.float16(np.nan))
    assert (histogram(gappy, labels, evaluated).row == histogram(p[evaluated], labels[evaluated]).row).all()
    with pytest.raises(BadInput, match=r"334 of 1000 probabilities are not in \[0, 1\]"):
        histogram(gappy, labels)


@pytest.mark.parametrize("bad", [-1e-3, 1.5])
def test_what_is_no_probability_is_refused(bad: float) -> None:
    with pytest.raises(BadInput, match="are not in"):
        histogram(np.array([0.5, bad]), np.array([True, False]))
    with pytest.raises(BadInput, match="1 probabilities and 2 labels"):
        histogram(np.array([0.5]), np.array([True, False]))


def test_a_step_is_ictal_from_half_of_its_samples_on() -> None:
    labels = step_labels(np.array([(8, 40), (65, 80)], np.int64), 6)
    assert labels.tolist() == [True, True, True, False, True, False]
    assert step_labels(np.array([(9, 39)], np.int64), 3).tolist() == [False, True, False]
    assert step_labels(np.empty((0, 2), np.int64), 2).tolist() == [False, False]


def test_the_temperature_undoes_overconfidence() -> None:
    rng = np.random.default_rng(8)
    logits = rng.normal(0, 1.5, 50_000)
    labels = rng.random(50_000) < 1 / (1 + np.exp(-logits))
    sharpened = histogram((1 / (1 + np.exp(-3 * logits))).astype(np.float16), labels)
    assert timeline.fit_temperature(sharpened) == pytest.approx(3, rel=0.05)
    with pytest.raises(BadInput, match="no step was evaluated"):
        timeline.fit_temperature(timeline.empty_histogram())


def test_certain_errors_have_a_temperature_too() -> None:
    """0 and 1 have no finite logit; they are taken half-way to their neighbours."""
    steps = histogram(np.array([0, 0, 1, 1], np.float16), np.array([True, False, True, False]))
    assert isinstance(steps, Histogram)
    assert timeline.fit_temperature(steps) == pytest.approx(1e4)
