import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgb_assets.modalities.eeg.detection.stitching import stitch, triangle
from bgb_assets.runtime.errors import ContractError

WINDOW = 15_360


def window_starts(n: int, stride: int = 7_680) -> np.ndarray:
    """Every 30 s plus one that ends at the last sample."""
    starts = list(range(0, max(n - WINDOW, 0) + 1, stride))
    return np.asarray(starts if n <= WINDOW or starts[-1] == n - WINDOW else [*starts, n - WINDOW])


@given(st.integers(1, 200_000), st.floats(0, 1, width=32))
def test_a_constant_stitches_to_that_constant_at_every_step(n: int, constant: float) -> None:
    starts = window_starts(n)
    timeline = stitch(np.full((len(starts), 960), constant, np.float32), starts, n)
    assert timeline.dtype == np.float32
    assert timeline.shape == (-(-n // 16),)
    assert np.array_equal(timeline, np.full_like(timeline, constant))


def by_loops(probabilities, starts, lengths, n):
    """One sample at a time."""
    weights = triangle(probabilities.shape[1])
    total, weight = np.zeros(-(-n // 16)), np.zeros(-(-n // 16))
    for window, start, length in zip(probabilities, starts, lengths, strict=True):
        for sample in range(min(length, n - start)):
            total[(start + sample) // 16] += weights[sample // 16] * window[sample // 16]
            weight[(start + sample) // 16] += weights[sample // 16]
    return np.divide(total, weight, out=np.full_like(total, np.nan), where=weight > 0)


@given(st.integers(1, 400), st.integers(0, 2**32 - 1))
def test_equals_one_sample_at_a_time(n: int, seed: int) -> None:
    draw = np.random.default_rng(seed)
    probabilities = draw.random((4, 9))
    starts = draw.integers(0, n, 4)
    lengths = draw.integers(0, 145, 4)
    expected = by_loops(probabilities, starts, lengths, n)
    np.testing.assert_allclose(stitch(probabilities, starts, n, lengths), expected, rtol=1e-6)


def test_the_order_of_the_windows_does_not_matter() -> None:
    starts = window_starts(50_000)
    probabilities = np.random.default_rng(3).random((len(starts), 960))
    backwards = stitch(probabilities[::-1], starts[::-1], 50_000)
    np.testing.assert_allclose(stitch(probabilities, starts, 50_000), backwards, rtol=1e-6)


def test_what_no_window_reaches_is_not_a_number() -> None:
    timeline = stitch(np.ones((1, 4)), np.asarray([32]), 160)
    assert np.isnan(timeline).tolist() == [True] * 2 + [False] * 4 + [True] * 4


def test_padding_counts_for_nothing() -> None:
    timeline = stitch(np.asarray([[0.25, 0.5, 1.0], [0.75, 0.75, 0.75]]), np.asarray([0, 32]), 80, np.asarray([32, 48]))
    assert timeline.tolist() == [0.25, 0.5, 0.75, 0.75, 0.75]


def test_the_middle_of_a_window_weighs_most() -> None:
    assert triangle(5).tolist() == [1 / 3, 2 / 3, 1.0, 2 / 3, 1 / 3]
    assert triangle(960).min() > 0.0


@pytest.mark.parametrize("start", [-16, 160, 176])
def test_a_window_outside_the_recording_is_refused(start: int) -> None:
    with pytest.raises(ContractError, match=f"start at \\[{start}\\], outside the 160 samples"):
        stitch(np.ones((1, 4)), np.asarray([start]), 160)


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ContractError, match=r"starts \(2,\)"):
        stitch(np.ones((1, 4)), np.asarray([0, 16]), 160)
