import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bgb_assets.modalities.eeg.detection.inference import WINDOW_SAMPLES, WindowNetwork, covering_starts, timeline
from bgb_assets.runtime.errors import TrainingError
from bgb_assets_tests.modalities.eeg.detection.networks import Constant, Loudness, Place

MASK = np.ones(19, dtype=bool)


def noise(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(-3_000, 3_000, (n, 19)).astype(np.int16)


@given(st.integers(1, 400_000))
def test_every_sample_is_in_a_window(n: int) -> None:
    starts = covering_starts(n)
    assert starts[0] == 0
    assert starts[-1] + WINDOW_SAMPLES >= n
    assert (np.diff(starts) > 0).all()
    assert (np.diff(starts) <= WINDOW_SAMPLES // 2).all()
    assert len(starts) == 1 or starts[-1] + WINDOW_SAMPLES == n


@pytest.mark.parametrize("n", [1, 100, 15_359, 15_360, 15_361, 23_040, 50_007])
def test_a_constant_network_gives_that_constant_at_every_step_tail_included(n: int) -> None:
    found = timeline(WindowNetwork(Constant(0.3), 0.001, MASK), noise(n))
    assert found.shape == (-(-n // 16),)
    assert np.unique(found).tolist() == [torch.sigmoid(torch.tensor(0.3)).item()]


def test_what_a_step_holds_shows_at_that_step() -> None:
    signal = np.zeros((60_000, 19), dtype=np.int16)
    signal[:, 0] = np.repeat(np.random.default_rng(1).integers(-900, 900, 60_000 // 16), 16)
    found = timeline(WindowNetwork(Place(), 0.001, MASK), signal)
    np.testing.assert_allclose(found, 1 / (1 + np.exp(-signal[::16, 0] * 0.001)), rtol=1e-6)


def test_the_tail_of_a_recording_that_ends_between_steps_is_evaluated() -> None:
    signal = np.zeros((30_007, 19), dtype=np.int16)
    signal[29_900:] = 5_000
    found = timeline(WindowNetwork(Place(), 0.001, MASK), signal)
    assert len(found) == 1_876
    assert found[-1] == pytest.approx(1 / (1 + np.exp(-5.0)), rel=1e-6)
    assert found[0] == 0.5


def test_a_masked_channel_changes_nothing() -> None:
    mask = MASK.copy()
    mask[7] = False
    signal = noise(20_000)
    before = timeline(WindowNetwork(Loudness(), 0.001, mask), signal)
    signal[:, 7] = 32_767
    assert np.array_equal(timeline(WindowNetwork(Loudness(), 0.001, mask), signal), before)


def test_a_network_that_gives_no_numbers_is_refused() -> None:
    with pytest.raises(TrainingError, match="gives nan for a window"):
        timeline(WindowNetwork(Constant(float("nan")), 0.001, MASK), noise(100))
