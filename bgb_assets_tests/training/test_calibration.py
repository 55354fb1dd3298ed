"""Calibration: worked examples, scikit-learn's Brier score, scipy's minimum."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from sklearn.metrics import brier_score_loss, log_loss

from bgb_assets.training.calibration import brier_score, fit_temperature, reliability


@pytest.mark.parametrize("binned_by", ["width", "mass"])
def test_constant_zero_on_positives_is_wholly_wrong(binned_by: str) -> None:
    assert reliability(np.zeros(50), np.ones(50), binned_by=binned_by).error == 1.0  # type: ignore[arg-type]
    assert reliability(np.ones(50), np.zeros(50), binned_by=binned_by).error == 1.0  # type: ignore[arg-type]
    assert reliability(np.ones(50), np.ones(50), binned_by=binned_by).error == 0.0  # type: ignore[arg-type]


def test_equal_width_by_hand() -> None:
    """Bins [0, .5) and [.5, 1]: |0.2 - 1/3| over three samples and |0.75 - 1/2| over two."""
    bins = reliability(np.array([0.1, 0.2, 0.3, 0.5, 1.0]), np.array([0, 1, 0, 1, 0]), bins=2)
    assert bins.weight.tolist() == [3, 2]
    assert bins.probability.tolist() == pytest.approx([0.2, 0.75])
    assert bins.outcome.tolist() == pytest.approx([1 / 3, 1 / 2])
    assert bins.error == pytest.approx(3 / 5 * (1 / 3 - 0.2) + 2 / 5 * 0.25)


def test_equal_mass_by_hand() -> None:
    """Two bins of three samples each, though five of six probabilities lie in one half."""
    bins = reliability(
        np.array([0.01, 0.02, 0.03, 0.04, 0.05, 0.99]), np.array([0, 0, 0, 0, 1, 1]), bins=2, binned_by="mass"
    )
    assert bins.weight.tolist() == [3, 3]
    assert bins.error == pytest.approx(0.5 * 0.02 + 0.5 * (2 / 3 - 0.36))


def test_equal_probabilities_stay_together_in_any_order() -> None:
    rng = np.random.default_rng(0)
    p, y = np.round(rng.random(500), 1), rng.random(500) < 0.4
    order = rng.permutation(500)
    found = reliability(p, y, binned_by="mass")
    assert found.error == pytest.approx(reliability(p[order], y[order], binned_by="mass").error, abs=1e-12)
    assert len(found.weight) <= 11


def test_rows_with_weights_are_samples_counted() -> None:
    rng = np.random.default_rng(1)
    p, y = np.round(rng.random(400), 2), (rng.random(400) < 0.3).astype(np.float64)
    values, place = np.unique(p, return_inverse=True)
    weights = np.bincount(place).astype(np.float64)
    shares = np.bincount(place, weights=y) / weights
    for kind in ("width", "mass"):
        one, other = reliability(p, y, binned_by=kind), reliability(values, shares, weights, binned_by=kind)
        assert one.error == pytest.approx(other.error, abs=1e-12)
    assert brier_score(p, y) == pytest.approx(brier_score(values, shares, weights), abs=1e-12)
    logits = values * 6 - 3
    assert fit_temperature(logits, shares, weights) == pytest.approx(fit_temperature(p * 6 - 3, y), rel=1e-10)


def test_brier_is_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(2)
    p, y = rng.random(300), rng.random(300) < 0.5
    assert brier_score(p, y) == pytest.approx(brier_score_loss(y, p), abs=1e-12)


def test_temperature_is_the_least_log_loss() -> None:
    rng = np.random.default_rng(3)
    logits = rng.normal(0, 4, 2_000)
    y = rng.random(2_000) < 1 / (1 + np.exp(-logits / 2.5))
    found = fit_temperature(logits, y)
    least = minimize_scalar(
        lambda t: log_loss(y, 1 / (1 + np.exp(-logits / t))),
        bounds=(0.1, 20),
        method="bounded",
        options={"xatol": 1e-9},
    )
    assert found == pytest.approx(2.5, rel=0.15)
    assert found == pytest.approx(least.x, rel=1e-5)


def test_two_classes_are_the_sigmoid_of_their_difference() -> None:
    rng = np.random.default_rng(4)
    pair = rng.normal(0, 3, (500, 2))
    y = (rng.random(500) < 1 / (1 + np.exp(pair[:, 0] - pair[:, 1]))).astype(np.int64)
    assert fit_temperature(pair, y) == pytest.approx(fit_temperature(pair[:, 1] - pair[:, 0], y), rel=1e-9)


def test_samples_that_are_all_right_or_say_nothing_give_an_end() -> None:
    assert fit_temperature(np.array([2.0, -2.0]), np.array([1, 0])) == pytest.approx(1e-4, rel=1e-6)
    assert fit_temperature(np.array([2.0, -2.0]), np.array([0, 1])) == pytest.approx(1e4, rel=1e-6)


def test_nothing_has_no_error() -> None:
    nothing = np.empty(0)
    assert reliability(nothing, nothing).error is None
    assert brier_score(nothing, nothing) is None
    with pytest.raises(ValueError, match="needs samples"):
        fit_temperature(nothing, nothing)


@pytest.mark.parametrize("bad", [-0.1, 1.1, np.nan])
def test_what_is_no_probability_is_refused(bad: float) -> None:
    with pytest.raises(ValueError, match=r"probability must lie in \[0, 1\]"):
        brier_score(np.array([0.5, bad]), np.array([0, 1]))
    with pytest.raises(ValueError, match="outcome must lie"):
        reliability(np.array([0.5]), np.array([bad]))


def test_a_logit_without_end_is_refused() -> None:
    with pytest.raises(ValueError, match="1 of 2 logits are not finite"):
        fit_temperature(np.array([0.5, np.inf]), np.array([0, 1]))
