"""What a person looks at: which pictures there are of a recording, of all recordings, and of a model.

Belongs here: stage -> pictures. Does not belong here: how they are drawn (package `pictures`), rendering
(`bgb_assets.runtime.rendering`).
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from bgb_assets.modalities.eeg.detection.postprocess import TIMELINE_HZ, PostprocessParams
from bgb_assets.modalities.eeg.electrodes import RATE_HZ
from bgb_assets.modalities.eeg.pictures import corpus, evaluations, quality, scores, traces
from bgb_assets.modalities.eeg.pictures.drawing import Spans
from bgb_assets.modalities.eeg.pictures.evaluations import Evaluated
from bgb_assets.modalities.eeg.pictures.pages import moments_on_the_clock, on_the_clock, read_features, read_page
from bgb_assets.modalities.eeg.scoring.metrics import Scorer
from bgb_assets.modalities.eeg.scoring.timeline import reliability
from bgb_assets.training.curves import read_curves

Entries: TypeAlias = Mapping[str, Path]
Figures: TypeAlias = Mapping[str, Any]


def pictures(stage: str, entries: Entries, root: Path) -> Figures:
    """Return the figures of one stage by name, those left out for which there is no data.

    Args:
        stage: A stage that `entries` has. `features` gives `traces` (the first page), `quality` and `spectrum`; `notes`
            gives `traces` (the page of the first seizure); `manifest` gives `timeline` and `windows`; `model` gives
            `timeline`, `detection`, `false_alarms`, `reliability`, `patients` and `curves`.
        entries: Stage -> directory, for the entries of one recording, or of the corpus; `logs` of a model.
        root: The store root, to which the listings of the manifest are relative.
    """
    draw: Mapping[str, Callable[[Entries, Path], Figures]] = {
        "features": _of_features,
        "notes": _of_notes,
        "manifest": _of_manifest,
        "model": _of_model,
    }
    drawn = draw[stage](entries, root) if stage in draw else {}
    return {name: figure for name, figure in drawn.items() if figure is not None}


def _of_features(entries: Entries, root: Path) -> Figures:
    del root
    features = entries["features"]
    described = read_features(features)
    drawn = {
        "traces": traces.trace_page(read_page(features, 0.0, traces.PAGE_S), "The first page"),
        "quality": quality.quality_page(described),
    }
    if "cache" in entries:
        spectra = quality.read_spectra(entries["cache"], features, described)
        drawn["spectrum"] = quality.spectrum_page(*spectra, described["band_hz"], described["notched_hz"])
    return drawn


def _of_notes(entries: Entries, root: Path) -> Figures:
    del root
    seizures = _noted(entries["notes"])
    if "features" not in entries or not len(seizures):
        return {}
    features = entries["features"]
    true = on_the_clock(seizures, read_features(features)["segments"])
    page = read_page(features, true[0, 0] - traces.LEAD_S, traces.PAGE_S)
    return {"traces": traces.trace_page(page, f"Seizure 1 of {len(true)}, from {true[0, 0]:.1f} s", true)}


def _of_manifest(entries: Entries, root: Path) -> Figures:
    del root
    manifest = entries["manifest"]
    return {"timeline": corpus.timeline(corpus.lines_of_manifest(manifest)), "windows": corpus.windows(manifest)}


def _of_model(entries: Entries, root: Path) -> Figures:
    model = entries["model"]
    drawn = {"curves": scores.training_curves(read_curves(entries["logs"])) if "logs" in entries else None}
    split, evaluated = evaluations.read_evaluated(model)
    if not evaluated:
        return drawn
    params = PostprocessParams(**json.loads((model / "config.json").read_bytes())["postprocess"])
    by_patient = evaluations.read_by_patient(model, Scorer.SZCORE_EVENT)
    return drawn | {
        "timeline": corpus.timeline(evaluations.lines_of(split, evaluated)),
        "detection": _detection(evaluated, entries, root, params),
        "false_alarms": scores.false_alarm_curve(evaluations.points_of(evaluated, params)),
        "reliability": scores.reliability_page(reliability(evaluations.all_steps(evaluated))),
        "patients": scores.patient_bars(by_patient, Scorer.SZCORE_EVENT),
    }


def _detection(evaluated: list[Evaluated], entries: Entries, root: Path, params: PostprocessParams) -> Any | None:
    """Return the page of the first seizure of a recording with a detection, where its signal is still there."""
    chosen = next((one for one in evaluated if len(one.true) and len(one.detected)), None)
    features = (
        evaluations.features_of(entries["manifest"], root, chosen.name) if chosen and "manifest" in entries else None
    )
    if chosen is None or features is None:
        return None
    segments = read_features(features)["segments"]
    true, detected = on_the_clock(chosen.true, segments), on_the_clock(chosen.detected, segments)
    page = read_page(features, true[0, 0] - traces.LEAD_S, 2 * traces.PAGE_S)
    onsets_s = moments_on_the_clock(np.arange(len(chosen.probabilities)) / TIMELINE_HZ, segments)
    title = f"{corpus.own_name(chosen.name)}: noted and detected"
    strip = (onsets_s, chosen.probabilities, params.tau_on)
    return traces.trace_page(page, title, true, detected, strip)


def _noted(notes: Path) -> Spans:
    """Return the seizures of an entry of stage notes in seconds of signal, (k, 2)."""
    import pyarrow.parquet as pq

    path = notes / "intervals.parquet"
    if not path.is_file():
        return np.zeros((0, 2))
    held = pq.read_table(path)
    columns = [np.asarray(held.column(name)) for name in ("start_sample", "stop_sample")]
    return np.stack(columns, axis=1) / RATE_HZ
