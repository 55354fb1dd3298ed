"""What a model directory says beyond its weights: tuned thresholds, a temperature, and what was found where.

`evaluation/probabilities.npy` holds the timelines of all validation recordings, one after the other, float16 at 16 Hz;
`evaluation/recordings.json` says whose steps are where, with true and detected events; `evaluation/scores.json` every
score with its interval over patients and the counts of each patient; `calibration.json` the temperature.

Belongs here: these files. Does not belong here: the scores themselves (`scoring`), the test split, which training never
opens.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bgb_assets.modalities.eeg.detection.postprocess import PostprocessParams
from bgb_assets.modalities.eeg.learning.recordings import Heard, at_threshold, f1_of, together
from bgb_assets.modalities.eeg.scoring.evaluation import Recording, evaluate
from bgb_assets.modalities.eeg.scoring.thresholds import candidate_thresholds
from bgb_assets.modalities.eeg.scoring.timeline import fit_temperature, reliability
from bgb_assets.storage.digests import canonical_json

FOLDER = "evaluation"
PROBABILITIES_FILE = "probabilities.npy"
RECORDINGS_FILE = "recordings.json"
SCORES_FILE = "scores.json"
CALIBRATION_FILE = "calibration.json"


def tune(heard: Sequence[Heard], params: PostprocessParams) -> PostprocessParams:
    """Return the params with the threshold of the largest event F1 among 200 quantiles of what occurs.

    Raises:
        BadInput: There is no recording, or none has a seizure.
    """
    return at_threshold(params, f1_of(heard, params, candidate_thresholds(together(heard)))[1])


def write_evaluation(out: Path, heard: Sequence[Heard], params: PostprocessParams) -> None:
    """Write the files.

    Args:
        out: The model directory.
        heard: The validation recordings.
        params: Thresholds, tuned on them.
    """
    folder = out / FOLDER
    folder.mkdir()
    np.save(folder / PROBABILITIES_FILE, np.concatenate([one.probabilities for one in heard]))
    events = [one.events(params) for one in heard]
    ends = np.cumsum([len(one.probabilities) for one in heard]).tolist()
    described = [_described(one, found.tolist(), end) for one, found, end in zip(heard, events, ends, strict=True)]
    (folder / RECORDINGS_FILE).write_bytes(canonical_json({"split": "val", "recordings": described}))
    scored = [
        Recording(one.key, one.patient, one.duration_s, one.reference, found, one.steps)
        for one, found in zip(heard, events, strict=True)
    ]
    (folder / SCORES_FILE).write_bytes(canonical_json({"split": "val", **evaluate(scored).to_json()}))
    steps = together(heard)
    errors = {f"ece_{kind}": reliability(steps, kind).error for kind in ("width", "mass")}
    calibration = {"split": "val", "temperature": fit_temperature(steps), **errors}
    (out / CALIBRATION_FILE).write_bytes(canonical_json(calibration))


def _described(one: Heard, found: list[list[float]], end: int) -> dict[str, Any]:
    return {
        "recording": one.key,
        "patient": one.patient,
        "duration_s": one.duration_s,
        "first_step": end - len(one.probabilities),
        "steps": len(one.probabilities),
        "reference": one.reference.tolist(),
        "detected": found,
    }


def _write(path: Path, content: Mapping[str, Any]) -> None:
    path.write_bytes(canonical_json(content))
