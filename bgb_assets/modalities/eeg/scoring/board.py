"""The figures of SzCORE's public board: patients count alike, however long they were recorded.

Belongs here: what the board does otherwise than `szcore_event`. Does not belong here: intervals (`evaluation`).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bgb_assets.modalities.eeg.annotations.intervals import unite
from bgb_assets.modalities.eeg.scoring.counts import Counts
from bgb_assets.modalities.eeg.scoring.events import Events, prepared
from bgb_assets.modalities.eeg.scoring.szcore import SAMPLE_HZ, szcore_event
from bgb_assets.runtime.errors import BadInput


@dataclass(frozen=True)
class OverPatients:
    """A figure over patients; those where it is undefined are left out.

    Attributes:
        mean: None where no patient has it.
        std: Of the patients as they are (divided by their number), as the board writes it.
        patients: How many have it.
    """

    mean: float | None
    std: float | None
    patients: int


def szcore_board(reference: Events, hypothesis: Events, duration_s: float) -> Counts:
    """Count events as `szcore_event`, taken from masks of one sample a second as the board's software takes them.

    Args:
        reference: (k, 2) seconds.
        hypothesis: (k, 2) seconds.
        duration_s: Of the recording.

    Raises:
        BadInput: An event is no interval of finite times, or the recording is shorter than a second.
    """
    if duration_s < 1 / SAMPLE_HZ:
        raise BadInput(f"a recording of {duration_s!r} s has no second to score", "leave it out of the board")
    whole_s = float(np.floor(duration_s))
    references, hypotheses = (_masked(prepared(one, duration_s)) for one in (reference, hypothesis))
    return szcore_event(references, hypotheses, whole_s)


def over_patients(figures: NDArray[np.float64]) -> OverPatients:
    """Return mean and standard deviation of one figure a patient, (patients,), NaN where undefined."""
    known = figures[~np.isnan(figures)]
    if not known.size:
        return OverPatients(None, None, 0)
    return OverPatients(float(known.mean()), float(known.std()), len(known))


def _masked(events: Events) -> Events:
    """Return the events of a mask whose ends were cut to whole seconds; touching ones become one."""
    return unite(np.trunc(events * SAMPLE_HZ) / SAMPLE_HZ)
