"""How well times agree with reference times, one-to-one within a tolerance: the scorer of onsets.

Belongs here: merging near times and matching them. Does not belong here: where reference times come from: another
map, or the peaks of the audio (`onset_peaks`). Next in the flow: `quality`, `comparison`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Float64 = NDArray[np.float64]

TOLERANCE_S = 0.05
NARROW_TOLERANCE_S = 0.025
"""The second tolerance at which a map is scored against another one."""
MERGE_S = 0.01
"""Note times this close are one onset."""


@dataclass(frozen=True)
class OnsetScore:
    """How well times agree with reference times: shares, 0 to 1.

    Attributes:
        f1: Harmonic mean of precision and recall.
        precision: Times that met a reference time, over all times.
        recall: Reference times that were met, over all reference times.
    """

    f1: float
    precision: float
    recall: float


def onset_score(times_s: ArrayLike, reference_s: ArrayLike, tolerance_s: float = TOLERANCE_S) -> OnsetScore:
    """Return F1, precision and recall of times against reference times; all 0 where either has none.

    Both are merged within `MERGE_S` first; then it is `mir_eval.onset.f_measure`: the most pairs, each time in one
    at most, that are no further apart than the tolerance, borders included.

    Args:
        times_s: Seconds, any order.
        reference_s: Seconds, any order.
        tolerance_s: Largest distance of a pair.
    """
    found, wanted = merged(times_s), merged(reference_s)
    if not len(found) or not len(wanted):
        return OnsetScore(0.0, 0.0, 0.0)
    hits = _matches(found, wanted, tolerance_s)
    precision, recall = hits / len(found), hits / len(wanted)
    return OnsetScore(2.0 * hits / (len(found) + len(wanted)), precision, recall)


def merged(times_s: ArrayLike) -> Float64:
    """Return sorted times without those at most `MERGE_S` after one that is kept."""
    kept: list[float] = []
    for time in np.sort(np.asarray(times_s, np.float64)).tolist():
        if not kept or time - kept[-1] > MERGE_S:
            kept.append(time)
    return np.array(kept, np.float64)


def _matches(found: Float64, wanted: Float64, tolerance_s: float) -> int:
    """Return the most pairs; on a line, matching each time with the earliest free one in reach is a maximum."""
    hits, place = 0, 0
    for time in found.tolist():
        while place < len(wanted) and wanted[place] < time - tolerance_s:
            place += 1
        if place < len(wanted) and wanted[place] <= time + tolerance_s:
            hits, place = hits + 1, place + 1
    return hits
