"""The scorers of SzCORE: by event with its tolerances, and by sample.

Equal to `timescoring` 0.0.7 on sorted, united lists; unlike it, lists are sorted and united here first, as unsorted
ones were mis-scored there. No mask is made: event lists are searched, those of many recordings at once. Belongs here:
the two rules. Does not belong here: means over patients (`board`).
"""

import numpy as np
from numpy.typing import NDArray

from bgb_assets.modalities.eeg.scoring.batch import Batch, EventTable, batch_of
from bgb_assets.modalities.eeg.scoring.counts import Counts
from bgb_assets.modalities.eeg.scoring.events import Events
from bgb_assets.modalities.eeg.scoring.overlaps import length_before, overlapping

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
    return Counts(*szcore_events(batch_of([reference], [hypothesis], [duration_s]))[0].tolist())


def szcore_sample(reference: Events, hypothesis: Events, duration_s: float) -> Counts:
    """Count seconds: times rounded to seconds, half to even.

    Args:
        reference: (k, 2) seconds.
        hypothesis: (k, 2) seconds.
        duration_s: Of the recording.

    Raises:
        BadInput: An event is no interval of finite times.
    """
    return Counts(*szcore_samples(batch_of([reference], [hypothesis], [duration_s]))[0].tolist())


def szcore_events(batch: Batch) -> NDArray[np.float64]:
    """Return (recordings, 4) counts in the order of `counts.COLUMNS`, by the rule of `szcore_event`."""
    samples = np.rint(batch.duration_s * EVENT_HZ).astype(np.int64)
    references, hypotheses = _split(_merged(batch.references)), _split(_merged(batch.hypotheses))
    ends_s = (samples / EVENT_HZ)[references.recording, None]
    widened = EventTable(np.clip(references.times_s + WIDENED_S, 0, ends_s), references.recording)
    stretches, detected = (one.on_axis(EVENT_HZ, samples) for one in (widened, hypotheses))
    found = overlapping(stretches, detected)
    false = ~overlapping(detected, stretches[found])
    count = len(samples)
    columns = (
        np.bincount(references.recording[found], minlength=count),
        np.bincount(hypotheses.recording[false], minlength=count),
        np.bincount(references.recording, minlength=count),
        samples / EVENT_HZ,
    )
    return np.stack(columns, 1, dtype=np.float64)


def szcore_samples(batch: Batch) -> NDArray[np.float64]:
    """Return (recordings, 4) counts in the order of `counts.COLUMNS`, by the rule of `szcore_sample`."""
    samples = np.rint(batch.duration_s * SAMPLE_HZ).astype(np.int64)
    references, hypotheses = (one.on_axis(SAMPLE_HZ, samples) for one in (batch.references, batch.hypotheses))
    common = np.diff(length_before(hypotheses, references.reshape(-1)).reshape(-1, 2))[:, 0]
    both, true, detected = (
        np.bincount(table.recording, lengths, len(samples))
        for table, lengths in (
            (batch.references, common),
            (batch.references, references[:, 1] - references[:, 0]),
            (batch.hypotheses, hypotheses[:, 1] - hypotheses[:, 0]),
        )
    )
    return np.stack((both, detected - both, true, samples / SAMPLE_HZ), 1)


def _merged(events: EventTable) -> EventTable:
    """Return events with gaps under 90 s closed."""
    times_s, recording = events.times_s, events.recording
    if not len(times_s):
        return events
    edges = np.ones(len(times_s) + 1, np.bool_)
    edges[1:-1] = (times_s[1:, 0] - times_s[:-1, 1] >= MERGE_BELOW_S) | (recording[1:] != recording[:-1])
    first, last = edges[:-1], edges[1:]
    return EventTable(np.stack([times_s[first, 0], times_s[last, 1]], 1), recording[first])


def _split(events: EventTable) -> EventTable:
    """Return events cut every 300 s.

    The cuts are added up one after the other, as `timescoring` does: a product differs from it in the last bit, and
    so, now and then, in the tenth of a second that a cut is rounded to.
    """
    start, stop = events.times_s.T
    if not (stop - start > LONGEST_S).any():
        return events
    pieces, recordings, rest, recording = [], [], events.times_s, events.recording
    while len(rest):
        long = rest[:, 1] - rest[:, 0] > LONGEST_S
        cut = np.where(long, rest[:, 0] + LONGEST_S, rest[:, 1])
        pieces.append(np.stack([rest[:, 0], cut], 1))
        recordings.append(recording)
        rest, recording = np.stack([cut, rest[:, 1]], 1)[long], recording[long]
    times_s, of = np.concatenate(pieces), np.concatenate(recordings)
    order = np.lexsort((times_s[:, 0], of))
    return EventTable(times_s[order], of[order])
