"""Windows as arithmetic: where they start and how many samples of seizure they hold, without a signal.

All positions are samples at 256 Hz on the timeline of a recording whose segments lie one after the other. No window
crosses a gap. Belongs here: pure functions of segments and intervals. Does not belong here: which windows are drawn
(`balance`), reading them (`index`).
"""

from collections.abc import Iterable
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bgb_assets.modalities.eeg.manifest_params import STEP_SAMPLES, ManifestParams
from bgb_assets.runtime.errors import ContractError

NO_SEIZURE, PARTIAL, FULL = 0, 1, 2
CATEGORY_NAMES = {NO_SEIZURE: "none", PARTIAL: "partial", FULL: "full"}

Intervals: TypeAlias = NDArray[np.int64]
"""Half-open [start, stop) pairs, (k, 2): sorted, disjoint."""
Segments: TypeAlias = NDArray[np.int64]
"""[start, samples] pairs, (k, 2): one after the other from 0."""


class Windows(NamedTuple):
    """The windows of one or more recordings, one value each.

    Attributes:
        start: First sample, int64.
        valid: Samples that the recording has; the rest of the window is padding on the right. int32.
        positives: Samples within a seizure, int32.
        category: `NO_SEIZURE`, `PARTIAL` or `FULL`, int8.
    """

    start: NDArray[np.int64]
    valid: NDArray[np.int32]
    positives: NDArray[np.int32]
    category: NDArray[np.int8]


def windows_of(segments: Segments, intervals: Intervals, params: ManifestParams) -> Windows:
    """Return the windows of a recording in the order of their starts.

    A segment of n samples has (n - window) // stride + 1; one shorter than a window has one, padded; an empty one
    has none.

    Raises:
        ContractError: The segments or intervals are not what their types promise, or an interval lies outside.
    """
    _check(segments, intervals)
    size, stride = params.window_samples, params.stride_samples
    starts = [np.arange(start, start + max(0, n - size) + 1, stride) for start, n in segments.tolist() if n]
    start = np.concatenate([np.zeros(0, np.int64), *starts])
    counts = [len(one) for one in starts]
    valid = np.repeat(np.minimum(segments[segments[:, 1] > 0, 1], size), counts)
    positives = positives_before(intervals, start + valid) - positives_before(intervals, start)
    category = (positives > 0).astype(np.int8) + (positives >= params.full_share * size).astype(np.int8)
    return Windows(start, valid.astype(np.int32), positives.astype(np.int32), category)


def positives_before(intervals: Intervals, at: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how many samples before each of `at` lie within an interval."""
    if not len(intervals):
        return np.zeros(np.shape(at), np.int64)
    starts, lengths = intervals[:, 0], intervals[:, 1] - intervals[:, 0]
    before = np.cumsum(lengths) - lengths
    last = np.searchsorted(starts, at, side="right") - 1
    found: NDArray[np.int64] = before[last] + np.clip(at - starts[last], 0, lengths[last])
    return np.where(last >= 0, found, 0)


def positives_by_step(intervals: Intervals, start: int, valid: int, steps: int) -> NDArray[np.uint8]:
    """Return the samples of seizure in each step of a window, (steps,), 0 to 16; padding has none."""
    if not len(intervals) or intervals[-1, 1] <= start or intervals[0, 0] >= start + valid:
        return np.zeros(steps, np.uint8)
    edges = start + np.minimum(np.arange(steps + 1) * STEP_SAMPLES, valid)
    return np.diff(positives_before(intervals, edges)).astype(np.uint8)


def segments_of(listed: Iterable[Iterable[float]]) -> Segments:
    """Return `[start, samples, onset_s]` rows, as `features.json` lists them, without their onsets."""
    rows = [list(row)[:2] for row in listed]
    return np.array(rows, np.int64).reshape(-1, 2)


def _check(segments: Segments, intervals: Intervals) -> None:
    edges = np.concatenate([[0], np.cumsum(segments[:, 1])])
    if (segments[:, 1] < 0).any() or not np.array_equal(edges[:-1], segments[:, 0]):
        raise ContractError(f"segments must lie one after the other from sample 0, got {segments.tolist()!r}")
    flat = intervals.reshape(-1)
    if (np.diff(flat) < 0).any():
        raise ContractError(f"intervals must be sorted and disjoint, got {intervals.tolist()!r}")
    if len(flat) and (flat[0] < 0 or flat[-1] > edges[-1]):
        raise ContractError(f"intervals must lie within [0, {edges[-1]}), got {intervals.tolist()!r}")
