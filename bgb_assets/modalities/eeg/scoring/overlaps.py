"""How two lists of intervals meet: which overlap, and by how much.

All lists are (k, 2), half-open, with starts and stops in ascending order (united lists, and lists widened on both
sides). Belongs here: that arithmetic, by binary search. Does not belong here: a scorer's rules.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def first_and_past_last(queries: NDArray[Any], among: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return for each query (k, 2) the range of places in `among` that overlap it: first, and one past the last.

    Touching ends do not overlap. Neither may hold empty intervals; the range is empty where nothing overlaps.
    """
    first = np.searchsorted(among[:, 1], queries[:, 0], side="right")
    return first, np.maximum(first, np.searchsorted(among[:, 0], queries[:, 1], side="left"))


def overlapping(queries: NDArray[Any], among: NDArray[Any]) -> NDArray[np.bool_]:
    """Return which queries (k,) overlap any of `among`; empty intervals overlap nothing."""
    solid = among[among[:, 1] > among[:, 0]]
    first, past = first_and_past_last(queries, solid)
    return (past > first) & (queries[:, 1] > queries[:, 0])


def common(first: NDArray[np.int64], second: NDArray[np.int64]) -> int:
    """Return the length that two lists of disjoint whole-numbered intervals have in common."""
    return int((length_before(second, first[:, 1]) - length_before(second, first[:, 0])).sum())


def length_before(intervals: NDArray[np.int64], places: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return for each place (k,) how much of the disjoint intervals lies before it."""
    lengths = np.concatenate([[0], np.cumsum(intervals[:, 1] - intervals[:, 0])])
    index = np.searchsorted(intervals[:, 0], places, side="right")
    last = np.maximum(index - 1, 0)
    if not len(intervals):
        return np.zeros(len(places), np.int64)
    beyond = np.minimum(np.maximum(intervals[last, 1] - places, 0), intervals[last, 1] - intervals[last, 0])
    return np.asarray(np.where(index > 0, lengths[index] - beyond, 0), np.int64)
