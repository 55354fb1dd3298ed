"""The scorers of SzCORE: by event with its tolerances, and by sample.

Equal to `timescoring` 0.0.7 on sorted, united lists; unlike it, lists are sorted and united here first, as unsorted
ones were mis-scored there. Belongs here: the two rules. Does not belong here: means over patients (`board`).
"""

import numpy as np
from numpy.typing import NDArray

from bgb_assets.modalities.eeg.scoring.counts import Counts
from bgb_assets.modalities.eeg.scoring.events import Events, prepared
from bgb_assets.modalities.eeg.scoring.overlaps import common, overlapping

EVENT_HZ = 10
SAMPLE_HZ = 1
MERGE_BELOW_S = 90.0
LONGEST_S = 300.0
WIDENED_S = np.array([-30.0, 60.0])
"""How far a reference reaches beyond its start and its end."""


def szcore_event(reference: Events, hypothesis: Events, duration_s: float) -> Counts:
    """Count events, any overlap (Dan et al. 2024, SzCORE).

    Events less than 90 s apart become one, then pieces of at most 300 s. A reference piece, from 30 s before to 60 s
    after it, is found where it overlaps a hypothesis; a hypothesis piece is false where it overlaps no such stretch
    of a found one. Times are rounded to tenths of a second, half to even, where overlaps are looked at.

    Args:
        reference: (k, 2) seconds.
        hypothesis: (k, 2) seconds.
        duration_s: Of the recording.

    Raises:
        BadInput: An event is no interval of finite times.
    """
    samples = round(duration_s * EVENT_HZ)
    references = _split(_merged(prepared(reference, duration_s)))
    hypotheses = _split(_merged(prepared(hypothesis, duration_s)))
    stretches_s = np.clip(references + WIDENED_S, 0, samples / EVENT_HZ)
    stretches = on_grid(stretches_s, EVENT_HZ, samples)
    detected = on_grid(hypotheses, EVENT_HZ, samples)
    found = overlapping(stretches, detected)
    false = ~overlapping(detected, stretches[found])
    return Counts(int(found.sum()), int(false.sum()), len(references), samples / EVENT_HZ)


def szcore_sample(reference: Events, hypothesis: Events, duration_s: float) -> Counts:
    """Count seconds: times rounded to seconds, half to even.

    Args:
        reference: (k, 2) seconds.
        hypothesis: (k, 2) seconds.
        duration_s: Of the recording.

    Raises:
        BadInput: An event is no interval of finite times.
    """
    samples = round(duration_s * SAMPLE_HZ)
    references = on_grid(prepared(reference, duration_s), SAMPLE_HZ, samples)
    hypotheses = on_grid(prepared(hypothesis, duration_s), SAMPLE_HZ, samples)
    both = common(references, hypotheses)
    detected, true = (int((one[:, 1] - one[:, 0]).sum()) for one in (hypotheses, references))
    return Counts(both, detected - both, true, samples / SAMPLE_HZ)


def on_grid(events: Events, rate_hz: int, samples: int) -> NDArray[np.int64]:
    """Return events in samples, rounded half to even, inside a recording of so many."""
    return np.asarray(np.clip(np.rint(events * rate_hz), 0, samples), np.int64)


def _merged(events: Events) -> Events:
    """Return sorted events with gaps under 90 s closed."""
    if not len(events):
        return events
    apart = events[1:, 0] - events[:-1, 1] >= MERGE_BELOW_S
    starts = np.concatenate([[True], apart])
    return np.stack([events[starts, 0], events[np.concatenate([apart, [True]]), 1]], 1)


def _split(events: Events) -> Events:
    """Return events cut every 300 s.

    The cuts are added up one after the other, as `timescoring` does: a product differs from it in the last bit, and
    so, now and then, in the tenth of a second that a cut is rounded to.
    """
    pieces, rest = [], events
    while len(rest):
        long = rest[:, 1] - rest[:, 0] > LONGEST_S
        cut = np.where(long, rest[:, 0] + LONGEST_S, rest[:, 1])
        pieces.append(np.stack([rest[:, 0], cut], 1))
        rest = np.stack([cut, rest[:, 1]], 1)[long]
    split = np.concatenate([np.empty((0, 2)), *pieces])
    return split[np.argsort(split[:, 0], kind="stable")]
