"""What a model directory says about the recordings it was evaluated on, as pictures need it.

Belongs here: reading the folder `evaluation` of a model, and events at other thresholds. Does not belong here: writing
it (`learning.evaluation`), drawing (`scores`, `corpus`, `traces`).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bgb_assets.modalities.eeg.detection.postprocess import PostprocessParams, events_of
from bgb_assets.modalities.eeg.electrodes import RATE_HZ
from bgb_assets.modalities.eeg.pictures.corpus import Line
from bgb_assets.modalities.eeg.pictures.drawing import Spans
from bgb_assets.modalities.eeg.scoring.metrics import Scorer
from bgb_assets.modalities.eeg.scoring.thresholds import (
    OperatingPoints,
    Timeline,
    candidate_thresholds,
    operating_points,
)
from bgb_assets.modalities.eeg.scoring.timeline import Histogram, empty_histogram, histogram, step_labels
from bgb_assets.storage.manifest import read_rows
from bgb_assets.storage.splits import split_code

_FOLDER = "evaluation"
_THRESHOLDS = 60
"""Quantiles of the probabilities that the curve of a picture is made of."""


@dataclass(frozen=True, eq=False)
class Evaluated:
    """One recording; times are seconds of signal, gaps left out.

    Attributes:
        name: Key of its upload.
        patient: Whose it is.
        duration_s: How long it is.
        true: (k, 2) noted seizures.
        detected: (k, 2) detected ones.
        probabilities: (steps,) 16 a second.
    """

    name: str
    patient: str
    duration_s: float
    true: Spans
    detected: Spans
    probabilities: NDArray[np.float16]

    @property
    def steps(self) -> Histogram:
        """Its probabilities against its labels."""
        seizures = np.round(self.true * RATE_HZ).astype(np.int64)
        return histogram(self.probabilities, step_labels(seizures, len(self.probabilities)))


def read_evaluated(model: Path) -> tuple[int, list[Evaluated]]:
    """Return the split code and the recordings that a model was evaluated on; none where there is no evaluation."""
    path = model / _FOLDER / "recordings.json"
    if not path.is_file():
        return -1, []
    held = json.loads(path.read_bytes())
    steps = np.load(model / _FOLDER / "probabilities.npy", mmap_mode="r")
    return split_code(held["split"]), [_evaluated(row, steps) for row in held["recordings"]]


def read_by_patient(model: Path, scorer: str) -> Mapping[str, Mapping[str, float]]:
    """Return patient -> counts of a scorer; none where there is no evaluation."""
    path = model / _FOLDER / "scores.json"
    if not path.is_file():
        return {}
    held: Mapping[str, Mapping[str, Any]] = json.loads(path.read_bytes())["by_patient"]
    return {patient: scorers[scorer] for patient, scorers in held.items()}


def lines_of(split: int, evaluated: list[Evaluated]) -> list[Line]:
    """Return the recordings as rows of a timeline."""
    return [Line(one.name, split, one.duration_s, one.true, one.detected) for one in evaluated]


def all_steps(evaluated: list[Evaluated]) -> Histogram:
    """Return the steps of all recordings."""
    return sum((one.steps for one in evaluated), empty_histogram())


def points_of(evaluated: list[Evaluated], params: PostprocessParams) -> OperatingPoints:
    """Return what other thresholds would give, by NEDC's overlap."""
    distance = params.tau_on - params.tau_off

    def detect(probabilities: NDArray[Any], tau_on: float) -> Spans:
        tau_on = max(tau_on, 1e-6)
        cut = replace(params, tau_on=tau_on, tau_off=max(tau_on - distance, tau_on / 2))
        return events_of(probabilities.astype(np.float32), cut).events

    lines = [Timeline(one.patient, one.duration_s, one.true, one.probabilities) for one in evaluated]
    thresholds = candidate_thresholds(all_steps(evaluated), _THRESHOLDS)
    return operating_points(lines, detect, thresholds, Scorer.NEDC_OVERLAP)


def _evaluated(row: Mapping[str, Any], steps: NDArray[np.float16]) -> Evaluated:
    first = row["first_step"]
    return Evaluated(
        row["recording"],
        row["patient"],
        row["duration_s"],
        np.array(row["reference"], np.float64).reshape(-1, 2),
        np.array(row["detected"], np.float64).reshape(-1, 2),
        np.asarray(steps[first : first + row["steps"]]),
    )


def features_of(manifest: Path, root: Path, name: str) -> Path | None:
    """Return the entry of stage features that the manifest names for an upload, or None where it is not there."""
    rows = read_rows(manifest, ("row_id", "features")).to_pydict()
    found: str | None = dict(zip(rows["row_id"], rows["features"], strict=True)).get(name)
    if found is None or not (root / found).is_file():
        return None
    return (root / found).parent
