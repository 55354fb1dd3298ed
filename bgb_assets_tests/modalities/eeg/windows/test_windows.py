import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bgb_assets.modalities.eeg.manifest_params import ManifestParams
from bgb_assets.modalities.eeg.windows.windows import (
    FULL,
    NO_SEIZURE,
    PARTIAL,
    positives_before,
    positives_by_step,
    segments_of,
    windows_of,
)
from bgb_assets.runtime.errors import ConfigError, ContractError

W, S = 15_360, 2_560


def pairs(*rows: tuple[int, int]) -> np.ndarray:
    return np.array(rows, np.int64).reshape(-1, 2)


@pytest.mark.parametrize(
    ("samples", "expected"),
    [(0, 0), (1, 1), (W - 1, 1), (W, 1), (W + S - 1, 1), (W + S, 2), (W + 10 * S, 11), (1800 * 256, 175)],
)
def test_last_exact_window_and_short_segments_are_there(samples: int, expected: int) -> None:
    windows = windows_of(pairs((0, samples)), pairs(), ManifestParams())
    assert len(windows.start) == expected
    if expected:
        assert windows.valid[-1] == min(samples, W)
        assert windows.start.tolist() == [S * i for i in range(expected)]


@pytest.mark.parametrize(
    ("positives", "category"), [(0, NO_SEIZURE), (1, PARTIAL), (15_206, PARTIAL), (15_207, FULL), (W, FULL)]
)
def test_categories(positives: int, category: int) -> None:
    found = windows_of(pairs((0, W)), pairs((0, positives)) if positives else pairs(), ManifestParams())
    assert found.category.tolist() == [category]
    assert found.positives.tolist() == [positives]


@pytest.mark.parametrize(("share", "positives"), [(1.0, W), (0.5, W // 2)])
def test_a_window_that_holds_just_the_share_is_full(share: float, positives: int) -> None:
    for held, category in ((positives - 1, PARTIAL), (positives, FULL)):
        found = windows_of(pairs((0, W)), pairs((0, held)), ManifestParams(full_share=share))
        assert found.category.tolist() == [category]


def test_no_window_crosses_a_gap() -> None:
    segments = pairs((0, W + S), (W + S, 100), (W + S + 100, 0), (W + S + 100, W))
    found = windows_of(segments, pairs((0, 2 * W + S + 100)), ManifestParams())
    assert found.start.tolist() == [0, S, W + S, W + S + 100]
    assert found.valid.tolist() == [W, W, 100, W]
    assert found.positives.tolist() == [W, W, 100, W]
    assert found.category.tolist() == [FULL, FULL, PARTIAL, FULL]


@st.composite
def recordings(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    sizes = draw(st.lists(st.integers(0, 900), min_size=1, max_size=4))
    edges = sorted(draw(st.sets(st.integers(0, sum(sizes)), max_size=10)))
    starts = np.cumsum([0, *sizes[:-1]])
    even = edges[: len(edges) // 2 * 2]
    return np.stack([starts, sizes], axis=1).astype(np.int64), pairs(*zip(even[::2], even[1::2], strict=True))


@settings(max_examples=500)
@given(recordings(), st.sampled_from([16, 48, 160]), st.sampled_from([1, 7, 32, 200]))
def test_counts_equal_those_of_every_sample(recording: tuple[np.ndarray, np.ndarray], size: int, stride: int) -> None:
    segments, intervals = recording
    params = ManifestParams(window_s=size / 256, stride_s=stride / 256)
    label = np.zeros(int(segments[:, 1].sum()), bool)
    for start, stop in intervals:
        label[start:stop] = True
    expected = []
    for first, count in segments.tolist():
        at = 0
        while count and (at == 0 or at + size <= count):
            piece = label[first + at : first + min(at + size, count)]
            kind = NO_SEIZURE if not piece.any() else FULL if piece.sum() >= 0.99 * size else PARTIAL
            expected.append((first + at, len(piece), int(piece.sum()), kind))
            at += stride
    found = windows_of(segments, intervals, params)
    assert list(zip(*(column.tolist() for column in found), strict=True)) == expected
    assert [column.dtype for column in found] == [np.int64, np.int32, np.int32, np.int8]
    for start, valid, positives, _ in expected:
        steps = positives_by_step(intervals, start, valid, size // 16)
        padded = np.zeros(size, bool)
        padded[:valid] = label[start : start + valid]
        assert steps.tolist() == padded.reshape(-1, 16).sum(1).tolist()
        assert steps.sum() == positives


@given(recordings())
def test_positives_before_is_a_running_sum(recording: tuple[np.ndarray, np.ndarray]) -> None:
    segments, intervals = recording
    at = np.arange(segments[:, 1].sum() + 2)
    counted = np.zeros(len(at), np.int64)
    for start, stop in intervals:
        counted += np.clip(at - start, 0, stop - start)
    assert np.array_equal(positives_before(intervals, at), counted)


@pytest.mark.parametrize(
    ("segments", "intervals", "message"),
    [
        (pairs((5, 10)), pairs(), "one after the other"),
        (pairs((0, 10), (11, 5)), pairs(), "one after the other"),
        (pairs((0, 100)), pairs((10, 20), (15, 30)), "sorted and disjoint"),
        (pairs((0, 100)), pairs((20, 10)), "sorted and disjoint"),
        (pairs((0, 100)), pairs((90, 101)), r"within \[0, 100\)"),
        (pairs((0, 100)), pairs((-1, 5)), r"within \[0, 100\)"),
    ],
)
def test_what_does_not_fit_together_is_refused(segments: np.ndarray, intervals: np.ndarray, message: str) -> None:
    with pytest.raises(ContractError, match=message):
        windows_of(segments, intervals, ManifestParams())


def test_segments_lose_their_onsets() -> None:
    assert segments_of([[0, 10, 0.0], [10, 5, 107.5]]).tolist() == [[0, 10], [10, 5]]
    assert segments_of([]).shape == (0, 2)


@pytest.mark.parametrize("values", [{"window_s": 0.0}, {"window_s": 60.01}, {"stride_s": 0.0}, {"full_share": 0.0}])
def test_params_that_make_no_windows_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="manifest: "):
        ManifestParams(**values)
