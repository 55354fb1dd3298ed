"""Whether a generated map shows where its windows meet: parity violations at the seams against those elsewhere.

Belongs here: counting around given beats. Does not belong here: where the windows of a generation meet (`decoding`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bgb_assets.modalities.beatmap.formats.objects import Columns
from bgb_assets.modalities.beatmap.measures.swings import find_swings

NEAR_BEATS = 1.0
_SLACK_BEATS = 1e-6


@dataclass(frozen=True)
class SeamCounts:
    """Swings and parity violations near seams and elsewhere.

    Attributes:
        near_swings: Swings whose first note is at most `NEAR_BEATS` from a seam.
        near_violations: Those of them that are violations.
        other_swings: All other swings.
        other_violations: Those of them that are violations.
    """

    near_swings: int
    near_violations: int
    other_swings: int
    other_violations: int

    @property
    def ratio(self) -> float | None:
        """Violations per swing near seams over those elsewhere; None where there is no violation elsewhere.

        None too where there are no swings near a seam.
        """
        if not self.near_swings or not self.other_violations:
            return None
        return (self.near_violations / self.near_swings) / (self.other_violations / self.other_swings)


def count_at_seams(notes: Columns, times_s: NDArray[np.float64], seam_beats: Sequence[float]) -> SeamCounts:
    """Count swings and violations near seams and elsewhere.

    Args:
        notes: Canonical notes; fakes are left out.
        times_s: Seconds of each note.
        seam_beats: The beats at which one window of a generation gives way to the next, in the beats of the notes.
    """
    swings = find_swings(notes, times_s)
    seams = np.sort(np.asarray(seam_beats, np.float64))
    reach = NEAR_BEATS + _SLACK_BEATS
    near = np.searchsorted(seams, swings.beat - reach) < np.searchsorted(seams, swings.beat + reach, side="right")
    return SeamCounts(
        near_swings=int(near.sum()),
        near_violations=int((near & swings.violation).sum()),
        other_swings=int((~near).sum()),
        other_violations=int((~near & swings.violation).sum()),
    )


def seam_ratio(notes: Columns, times_s: NDArray[np.float64], seam_beats: Sequence[float]) -> float | None:
    """Return `SeamCounts.ratio`: 1 where seams do not show; the lower the better."""
    return count_at_seams(notes, times_s, seam_beats).ratio
