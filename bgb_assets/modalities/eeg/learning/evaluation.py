"""What a model directory says beyond its weights: tuned thresholds, a temperature, and what was found where.

`evaluation/probabilities.npy` holds the timelines of all validation recordings, one after the other, float16 at 16 Hz;
`evaluation/recordings.json` says whose steps are where, with true and detected events in seconds of signal, gaps left
out; `evaluation/scores.json` every score with its interval over patients, by the clock of each recording, and what each
patient adds to it; `calibration.json` the temperature and how far probabilities are from shares.

Belongs here: these files. Does not belong here: the scores themselves (`scoring`), the test split, which training never
opens.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bgb_assets.modalities.eeg.detection.postprocess import PostprocessParams
from bgb_assets.modalities.eeg.learning.recordings import Heard, at_threshold, f1_of, points_of, together
from bgb_assets.modalities.eeg.scoring.evaluation import Recording, evaluate
from bgb_assets.modalities.eeg.scoring.events import Events
from bgb_assets.modalities.eeg.scoring.metrics import Scorer, Scores
from bgb_assets.modalities.eeg.scoring.thresholds import candidate_thresholds, sensitivities
from bgb_assets.modalities.eeg.scoring.timeline import Histogram, brier_score, fit_temperature, reliability
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
    described = [_described(one, found, end) for one, found, end in zip(heard, events, ends, strict=True)]
    (folder / RECORDINGS_FILE).write_bytes(canonical_json({"split": "val", "recordings": described}))
    (folder / SCORES_FILE).write_bytes(canonical_json({"split": "val", **scores_of(heard, events, params)}))
    (out / CALIBRATION_FILE).write_bytes(canonical_json({"split": "val", **_calibration(together(heard))}))


def scores_of(heard: Sequence[Heard], events: Sequence[Events], params: PostprocessParams) -> dict[str, Any]:
    """Return every figure of every scorer, sensitivities at the limits of false alarms among them."""
    scored = [
        Recording(one.key, one.patient, one.duration_s, one.reference, found, one.steps, one.evaluated_s)
        for one, found in zip(heard, events, strict=True)
    ]
    found = evaluate(scored)
    points = points_of(heard, params, candidate_thresholds(together(heard)), Scorer.NEDC_OVERLAP)
    limited = Scores(sensitivities(points))
    whole = found.to_json()
    whole["scores"] |= limited.to_json()
    return whole


def _calibration(steps: Histogram) -> dict[str, Any]:
    """Return the temperature, and calibration error and Brier score as they are without it."""
    errors = {f"ece_{kind}": reliability(steps, kind).error for kind in ("width", "mass")}
    return {"temperature": fit_temperature(steps), "brier": brier_score(steps), **errors}


def _described(one: Heard, found: Events, end: int) -> dict[str, Any]:
    return {
        "recording": one.key,
        "patient": one.patient,
        "duration_s": one.duration_s,
        "first_step": end - len(one.probabilities),
        "steps": len(one.probabilities),
        "reference": one.without_gaps(one.reference).tolist(),
        "detected": one.without_gaps(found).tolist(),
    }
