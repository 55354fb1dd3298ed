"""Signed ranks and Holm's adjustment, against scipy."""

import numpy as np
import pytest
from scipy.stats import wilcoxon

from bgb_assets.training.comparison import holm, signed_ranks


@pytest.mark.parametrize("pairs", [5, 9, 14, 30, 50, 51, 250])
@pytest.mark.parametrize("decimals", [12, 1])
def test_p_values_are_those_of_scipy(pairs: int, decimals: int) -> None:
    """One decimal makes ties and equal pairs."""
    rng = np.random.default_rng(pairs)
    for shift in (0.0, 0.3, 1.0):
        first = np.round(rng.normal(size=pairs), decimals)
        second = np.round(first + rng.normal(shift, 1, pairs), decimals)
        expected = wilcoxon(first, second)
        found = signed_ranks(first, second)
        assert found.statistic == pytest.approx(expected.statistic, abs=1e-12)
        assert found.p_value == pytest.approx(expected.pvalue, abs=1e-12)


def test_equal_pairs_are_left_out_and_only_equal_ones_say_nothing() -> None:
    first = np.array([0.1, 0.2, 0.3, 0.4])
    assert signed_ranks(first, first) == signed_ranks(first[:1], first[:1])
    assert signed_ranks(first, first).p_value == 1.0
    assert signed_ranks(first, first + np.array([0, 1, 2, 4])).pairs == 3


def test_figures_must_be_paired_and_finite() -> None:
    with pytest.raises(ValueError, match="must be paired"):
        signed_ranks(np.zeros(3), np.zeros(4))
    with pytest.raises(ValueError, match="not finite"):
        signed_ranks(np.array([1.0, np.nan]), np.zeros(2))


def test_holm_by_hand() -> None:
    """0.01 * 4, then 0.02 * 3, then the running maximum over 0.03 * 2 and 0.9 * 1."""
    found = holm(np.array([0.03, 0.01, 0.9, 0.02]))
    assert found.tolist() == pytest.approx([0.06, 0.04, 0.9, 0.06])
    assert holm(np.array([0.5, 0.6])).tolist() == [1.0, 1.0]
    assert holm(np.empty(0)).tolist() == []


def test_holm_of_thirteen_is_that_of_its_definition() -> None:
    p = np.random.default_rng(13).random(13) / 10
    order = np.argsort(p)
    expected = np.empty(13)
    running = 0.0
    for place, index in enumerate(order):
        running = max(running, p[index] * (13 - place))
        expected[index] = min(1.0, running)
    assert holm(p).tolist() == pytest.approx(expected.tolist(), abs=1e-12)
