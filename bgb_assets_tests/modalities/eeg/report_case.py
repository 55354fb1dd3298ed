"""Entries to draw: made-up recordings taken through the stages, and an evaluation whose probabilities are made up."""

import dataclasses
import json
from pathlib import Path

import numpy as np

from bgb_assets.modalities.contract import EntryView, Member, StageResult
from bgb_assets.modalities.eeg import cache, features, notes, raw
from bgb_assets.modalities.eeg.detection.postprocess import PostprocessParams
from bgb_assets.modalities.eeg.electrodes import RATE_HZ
from bgb_assets.modalities.eeg.learning.evaluation import write_evaluation
from bgb_assets.modalities.eeg.learning.recordings import Heard
from bgb_assets.modalities.eeg.scoring.timeline import step_labels
from bgb_assets.modalities.eeg.signal.params import FeatureParams
from bgb_assets.modalities.eeg.synth import write_recording
from bgb_assets.modalities.eeg.synthetic.plan import SEIZURE, SynthOptions
from bgb_assets_tests.modalities.eeg.corpus_case import Corpus

PLAIN = SynthOptions(rate_hz=200)
STAGES = ("raw", "cache", "features", "notes")
STEP_S = 1 / 16


def recording_entries(work: Path, options: SynthOptions = PLAIN, patient: int = 0, minutes: float = 2.0):
    """Return stage -> directory and stage -> result of one made-up recording, raw to notes, and what is true of it."""
    truth = write_recording(work / "upload", patient, 0, minutes, 5, options)
    entries = {stage: work / stage for stage in STAGES}
    for out in entries.values():
        out.mkdir(parents=True)
    upload = {"upload": work / "upload"}
    results: dict[str, StageResult] = {
        "raw": raw.run(upload, raw.RawParams(), entries["raw"]),
        "cache": cache.run(upload | entries, cache.CacheParams(), entries["cache"]),
        "features": features.run(entries, FeatureParams(), entries["features"]),
        "notes": notes.run(entries, notes.NotesParams(), entries["notes"]),
    }
    return entries, results, truth


def corpus_entries(root: Path, patients: int = 4, options: SynthOptions = PLAIN):
    """Return `manifest` and `model` -> directory, where the model was evaluated on all recordings of a corpus."""
    corpus, truths = Corpus(root), {}
    for patient in range(patients):
        entries, results, truth = recording_entries(root / "made" / str(patient), options, patient)
        key = truth["path"].removesuffix(".edf")
        truths[key] = truth
        views = {
            stage: EntryView(
                f"{patient:064x}", out.relative_to(root).as_posix(), results[stage].facets, results[stage].metadata, out
            )
            for stage, out in entries.items()
        }
        corpus.members[key] = Member(key, {}, views)
    (root / "model").mkdir()
    write_model(root / "model", truths)
    return {"manifest": corpus.manifest()[0], "model": root / "model"}


def write_model(model: Path, truths) -> None:
    """Write the files of a model directory that pictures read."""
    params = PostprocessParams(tau_on=0.6, tau_off=0.5)
    write_evaluation(
        model, [heard_of(key, truth, number) for number, (key, truth) in enumerate(truths.items())], params
    )
    (model / "config.json").write_text(json.dumps({"postprocess": dataclasses.asdict(params)}))


def heard_of(key: str, truth, seed: int) -> Heard:
    """Return a recording and what a fair detector could say of it."""
    gap_at_s, gap_s = truth["gap_s"] or (0, 0)
    seconds = truth["seconds"] - gap_s
    clock = np.array(truth["episodes"].get(SEIZURE, []), np.float64).reshape(-1, 2)
    reference = np.where(clock >= gap_at_s + gap_s, clock - gap_s, clock)
    steps = seconds * 16
    labels = step_labels(np.floor(reference * RATE_HZ).astype(np.int64), steps)
    probabilities = made_probabilities(labels, seed)
    return Heard(
        key, truth["patient"], float(seconds), reference, probabilities, labels, np.arange(steps) * STEP_S,
        np.array([0, steps]), np.zeros(1),
    )  # fmt: skip


def made_probabilities(labels: np.ndarray, seed: int) -> np.ndarray:
    """Return high probabilities in seizures and low ones outside, with noise that lasts some seconds."""
    knots = np.arange(0, len(labels) + 64, 64)
    noise = np.interp(np.arange(len(labels)), knots, np.random.default_rng(seed).normal(0.0, 2.6, len(knots)))
    return (1.0 / (1.0 + np.exp(-(np.where(labels, 2.0, -2.5) + noise)))).astype(np.float16)
