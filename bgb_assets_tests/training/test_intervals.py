"""Bootstrap intervals: seeded, of groups, and as sure as they say."""

import numpy as np
import pytest
from numpy.typing import NDArray

from bgb_assets.training.intervals import Interval, bootstrap, bootstrap_sums, group_sums


def mean(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    empty = np.full(len(sums), np.nan)
    return np.asarray(np.divide(sums[:, 0], sums[:, 1], out=empty, where=sums[:, 1] > 0))


def table(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.stack([values, np.ones_like(values)], 1)


def test_same_seed_same_interval_whatever_the_blocks() -> None:
    values = np.random.default_rng(0).normal(size=30)
    one = bootstrap_sums(table(values), mean, seed=5)

    def weighted(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        return weights @ values / 30

    small_blocks = bootstrap(weighted, 30, seed=5, row_bytes=1 << 22)
    assert bootstrap_sums(table(values), mean, seed=5) == one
    assert bootstrap_sums(table(values), mean, seed=6) != one
    assert (small_blocks.low, small_blocks.high) == pytest.approx((one.low, one.high), abs=1e-12)
    assert one.value == pytest.approx(values.mean(), abs=1e-12)


def test_the_interval_is_that_of_resampling_one_at_a_time() -> None:
    values = np.random.default_rng(1).exponential(size=25)
    rng = np.random.default_rng(2)
    means = [rng.choice(values, 25).mean() for _ in range(20_000)]
    one = bootstrap_sums(table(values), mean, resamples=20_000)
    assert (one.low, one.high) == pytest.approx(tuple(np.quantile(means, [0.025, 0.975])), rel=0.02)


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    """Sensitivity over patients who differ in how many seizures they have and how well these are found."""
    rng = np.random.default_rng(3)
    covered = 0
    for seed in range(200):
        seizures = rng.integers(1, 12, 40)
        found = rng.binomial(seizures, rng.beta(4, 2, 40))
        one = bootstrap_sums(np.stack([found, seizures], 1), mean, seed=seed)
        assert one.low is not None
        assert one.high is not None
        covered += one.low <= 4 / 6 <= one.high
    assert 0.90 <= covered / 200 <= 0.99


def test_a_resample_takes_whole_groups() -> None:
    values = np.array([[1.0, 1], [1, 1], [3, 1], [5, 1]])
    sums = group_sums(values, np.array([0, 0, 1, 1]), 2)
    assert sums.tolist() == [[2, 2], [8, 2]]
    one = bootstrap_sums(sums, mean)
    assert (one.low, one.high, one.groups) == (1.0, 4.0, 2)


def test_draws_without_the_figure_are_replaced_and_counted() -> None:
    rare = np.zeros((8, 2))
    rare[0] = (1, 1)
    one = bootstrap_sums(rare, mean, resamples=500, seed=1)
    assert (one.value, one.low, one.high, one.resamples) == (1.0, 1.0, 1.0, 500)
    assert one.redrawn / (one.redrawn + 500) == pytest.approx((7 / 8) ** 8, abs=0.06)


def test_a_figure_that_is_never_defined_has_no_interval() -> None:
    assert bootstrap_sums(np.zeros((5, 2)), mean, resamples=50) == Interval(None, None, None, 5, 0, 1_000)


@pytest.mark.parametrize(("groups", "resamples"), [(0, 10), (3, 0)])
def test_no_groups_and_no_draws_are_refused(groups: int, resamples: int) -> None:
    with pytest.raises(ValueError, match="needs groups and resamples"):
        bootstrap_sums(np.zeros((groups, 2)), mean, resamples=resamples)
