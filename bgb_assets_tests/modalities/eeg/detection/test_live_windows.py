import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bgb_assets.modalities.eeg.detection.inference import WindowNetwork
from bgb_assets.modalities.eeg.detection.live_windows import LiveTimeline, heard_afterwards, hearings_of
from bgb_assets_tests.modalities.eeg.detection.networks import Constant, Place, Whole

MASK = np.ones(19, dtype=bool)


def noise(n: int) -> np.ndarray:
    return np.random.default_rng(n).integers(-3_000, 3_000, (n, 19)).astype(np.int16)


def live(network, signal: np.ndarray, cuts: list[int]) -> np.ndarray:
    stream = LiveTimeline(network, 19)
    found = [stream.push(part) for part in np.split(signal, sorted(cuts))]
    return np.concatenate([*found, stream.close()])


@given(st.integers(0, 100_000))
def test_every_step_is_told_once(n: int) -> None:
    hearings = list(hearings_of(n))
    assert hearings[0].first == 0
    assert hearings[-1].last == -(-n // 16)
    assert all(one.last == following.first for one, following in itertools.pairwise(hearings))
    for start, _, first, last in hearings:
        assert start % 16 == 0
        assert start // 16 <= first <= last <= start // 16 + 960


def test_a_step_is_told_from_a_window_that_reaches_four_seconds_further() -> None:
    for start, stop, first, last in list(hearings_of(60_000))[40:-1]:
        assert stop == start + 15_360
        assert stop / 256 - last / 16 == 4.0
        assert (last - first) / 16 == 2.0


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 30_000), st.lists(st.integers(0, 30_000), max_size=6))
def test_any_cut_gives_the_same_bits_and_what_is_heard_afterwards(n: int, cuts: list[int]) -> None:
    network, signal = WindowNetwork(Whole(), 0.001, MASK), noise(n)
    whole = live(network, signal, [])
    assert np.array_equal(live(network, signal, [cut for cut in cuts if cut < n]), whole, equal_nan=True)
    np.testing.assert_allclose(heard_afterwards(network, signal), whole, atol=1e-6)


@pytest.mark.parametrize("n", [0, 1, 7_679, 7_680, 7_681, 9_000, 15_360, 20_005])
def test_all_but_the_first_30_seconds_are_evaluated_tail_included(n: int) -> None:
    found = live(WindowNetwork(Constant(0.0), 0.001, MASK), noise(n), list(range(0, n, 777)))
    assert found.shape == (-(-n // 16),)
    assert np.isnan(found[:480]).all()
    assert (found[480:] == 0.5).all()


def test_what_a_step_holds_shows_at_that_step() -> None:
    signal = np.zeros((40_011, 19), dtype=np.int16)
    signal[:40_000, 0] = np.repeat(np.random.default_rng(1).integers(-900, 900, 2_500), 16)
    found = live(WindowNetwork(Place(), 0.001, MASK), signal, [5_000, 5_001, 30_000])
    np.testing.assert_allclose(found[480:2_500], 1 / (1 + np.exp(-signal[7_680:40_000:16, 0] * 0.001)), rtol=1e-6)


def test_a_step_is_known_four_to_six_seconds_later() -> None:
    stream = LiveTimeline(WindowNetwork(Constant(0.0), 0.001, MASK), 19)
    known = 0
    for second in range(1, 60):
        known += len(stream.push(noise(256)))
        assert known == max(second // 2 * 2 - 4, 0) * 16


def test_what_is_held_is_bounded() -> None:
    stream = LiveTimeline(WindowNetwork(Constant(0.0), 0.001, MASK), 19)
    for _ in range(20):
        stream.push(noise(9_001))
        assert len(stream._held) <= 60 * 256 + 512
