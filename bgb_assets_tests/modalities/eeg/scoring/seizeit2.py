"""The 44 real label files of SeizeIT2, and a made-up detector's output for them, whose figures are known.

Each seizure is shifted by 20 s and keeps 75 % of its length; every third recording has a false alarm at 600 s.
"""

from pathlib import Path

import numpy as np

from bgb_assets.modalities.eeg.annotations.intervals import clip, unite
from bgb_assets.modalities.eeg.scoring.evaluation import Recording
from bgb_assets.modalities.eeg.scoring.folders import pair_folders

FALSE_ALARM_S = (600.0, 660.0)


def recordings(folder: Path) -> list[Recording]:
    """Return the recordings in the order of their paths."""
    true = pair_folders(folder, folder).recordings
    return [_detected(place, one) for place, one in enumerate(true)]


def _detected(place: int, true: Recording) -> Recording:
    length_s = true.reference[:, 1] - true.reference[:, 0]
    onset_s = true.reference[:, 0] + 20
    events = np.stack([onset_s, onset_s + 0.75 * length_s], 1)
    if place % 3 == 0 and true.duration_s >= FALSE_ALARM_S[1]:
        events = np.concatenate([events, [FALSE_ALARM_S]])
    hypothesis = unite(clip(events, 0.0, true.duration_s))
    return Recording(true.name, true.patient, true.duration_s, true.reference, hypothesis)
