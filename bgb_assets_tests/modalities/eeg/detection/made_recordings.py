"""Recordings whose loud stretches are known, and model directories nobody trained, for the tests of detection."""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from bgb_assets.modalities.eeg import MODALITY
from bgb_assets.modalities.eeg.detection.postprocess import PostprocessParams
from bgb_assets.modalities.eeg.learning.network import network_of
from bgb_assets.modalities.eeg.learning.variants import VARIANTS
from bgb_assets.modalities.eeg.signal.params import FeatureParams
from bgb_assets.modalities.eeg.synthetic.edf_file import write_edf
from bgb_assets.modalities.eeg.synthetic.plan import SynthOptions
from bgb_assets.training.model_directory import write_model_directory


def loud_signal(seconds: int, rate_hz: int, bursts: list[tuple[float, float]]) -> np.ndarray:
    """Noise in microvolts, four times as loud in the bursts: (19, samples)."""
    times_s = np.arange(seconds * rate_hz) / rate_hz
    signal = np.random.default_rng(11).normal(0, 20, (19, len(times_s))).astype(np.float32)
    for first, last in bursts:
        signal[:, (times_s >= first) & (times_s < last)] *= 4
    return signal


def write_recording(
    path: Path, seconds: int = 80, bursts: list[tuple[float, float]] | None = None, **options: object
) -> Path:
    """Write an EDF of `loud_signal`; options are those of `SynthOptions`."""
    chosen = SynthOptions(**{"rate_hz": 200, **options})
    path.parent.mkdir(parents=True, exist_ok=True)
    write_edf(path, loud_signal(seconds, chosen.rate_hz, bursts or [(36, 46), (60, 70)]), "P01", chosen)
    return path


def write_model(out: Path, cut: PostprocessParams, variant: str = "sdpa-tiny", **config: object) -> Path:
    """Write a model directory as training would, with the weights that training begins with."""
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    params = VARIANTS[variant]
    said = {
        "variant": variant,
        "params": asdict(params),
        "lineage": {
            "cache": {"code_version": MODALITY.stage("cache").code_version, "params": {}},
            "features": {
                "code_version": MODALITY.stage("features").code_version,
                "params": asdict(FeatureParams()),
            },
        },
        "postprocess": asdict(cut),
        **config,
    }
    write_model_directory(out, network_of(params.shape), said, {}, "# Untrained", {})
    return out
