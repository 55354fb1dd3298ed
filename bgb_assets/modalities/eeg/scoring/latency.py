"""How long after a seizure's onset it was detected.

Belongs here: the latency of each found seizure. Does not belong here: which are found by other rules (`szcore`).
"""

import numpy as np
from numpy.typing import NDArray

from bgb_assets.modalities.eeg.scoring.events import Events, prepared
from bgb_assets.modalities.eeg.scoring.overlaps import first_and_past_last


def latencies_s(reference: Events, hypothesis: Events, duration_s: float) -> NDArray[np.float64]:
    """Return (found,) seconds from the onset of each seizure found by `nedc_overlap` to its first detection's.

    Below 0 where the detection began before the seizure.

    Args:
        reference: (k, 2) seconds.
        hypothesis: (k, 2) seconds.
        duration_s: Of the recording.

    Raises:
        BadInput: An event is no interval of finite times.
    """
    references, hypotheses = prepared(reference, duration_s), prepared(hypothesis, duration_s)
    first, past = first_and_past_last(references, hypotheses)
    found = past > first
    return np.asarray(hypotheses[first[found], 0] - references[found, 0], np.float64)
