"""Lists of events as the scorers want them.

Belongs here: the checks and the order. Does not belong here: arithmetic of intervals in general
(`annotations.intervals`).
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from bgb_assets.modalities.eeg.annotations.intervals import clip, unite
from bgb_assets.runtime.errors import BadInput

Events: TypeAlias = NDArray[np.float64]
"""(k, 2) seconds of [onset, offset)."""


def prepared(events: Events, duration_s: float) -> Events:
    """Return events sorted, united and inside [0, duration).

    Raises:
        BadInput: A time is not finite, an event stops before it starts, or the duration is not above 0.
    """
    if not 0 < duration_s < np.inf:
        raise BadInput(f"a recording must last, got {duration_s!r} s", "give its duration in seconds")
    table = np.asarray(events, np.float64).reshape(-1, 2)
    wrong = ~np.isfinite(table).all(1) | (table[:, 1] < table[:, 0])
    if wrong.any():
        start, stop = table[wrong][0].tolist()
        raise BadInput(f"an event from {start!r} to {stop!r} s cannot be scored", "give finite times, stop after start")
    return unite(clip(table, 0.0, duration_s))
