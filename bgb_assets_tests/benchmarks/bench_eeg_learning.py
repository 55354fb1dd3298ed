"""Whether the tiny networks find seizures of patients they have not seen, against loudness alone; and their waiting.

`python -m bgb_assets_tests.benchmarks.bench_eeg_learning [--small]`: eight made-up patients of 20 minutes to train on,
400 steps of four windows, thresholds tuned on the same eight; then eight others. The peer is the RMS of 1 to 25 Hz over
5 s and all electrodes, its threshold tuned alike. About ten minutes on two cores.
"""

import argparse
import dataclasses
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.ndimage import uniform_filter1d
from scipy.signal import butter, sosfiltfilt

from bgb_assets.loading.mapped import ShardStore
from bgb_assets.modalities.eeg import model
from bgb_assets.modalities.eeg.detection.postprocess import PostprocessParams
from bgb_assets.modalities.eeg.electrodes import RATE_HZ
from bgb_assets.modalities.eeg.learning.evaluation import tune
from bgb_assets.modalities.eeg.learning.recordings import Heard, hear, together
from bgb_assets.modalities.eeg.learning.variants import STEP_SAMPLES, VARIANTS
from bgb_assets.modalities.eeg.scoring.counts import Counts
from bgb_assets.modalities.eeg.scoring.szcore import szcore_event
from bgb_assets.modalities.eeg.scoring.timeline import auroc
from bgb_assets.modalities.eeg.windows.index import WindowIndex
from bgb_assets.training.fit import Fitted, Machine, fit
from bgb_assets_tests.benchmarks.measured import gate
from bgb_assets_tests.modalities.eeg.made_corpus import made_corpus

NAMES = ("ssm-tiny", "sdpa-tiny")


def trained(store: ShardStore, name: str, steps: int, work: Path) -> Fitted:
    """Return a variant after so many steps of four windows."""
    held = VARIANTS[name]
    training = dataclasses.replace(held.training, steps=steps, batch=4, validate_every_steps=0)
    params = dataclasses.replace(held, training=training)
    given, machine = model.data(store, params), Machine(device="cpu")
    return fit(model.SPEC, params, given, work=work, logs=work / "logs", seed=params.seed, machine=machine)


def loudness(index: WindowIndex, heard: Heard) -> Heard:
    """Return a recording with the peer's timeline: RMS r as r / (1 + r), which keeps its order."""
    recording = list(index.keys).index(heard.key)
    signal = np.empty((int(index.segments(recording)[:, 1].sum()), len(index.channels)), np.int16)
    index.signals.read_into(signal, recording, 0)
    filtered = sosfiltfilt(butter(3, (1, 25), "bandpass", fs=RATE_HZ, output="sos"), signal / 3276.7, axis=0)
    rms = np.sqrt(uniform_filter1d((filtered**2).mean(1), 5 * RATE_HZ))[STEP_SAMPLES // 2 :: STEP_SAMPLES]
    return dataclasses.replace(heard, probabilities=(rms / (1 + rms)).astype(np.float16))


def scored(seen: Sequence[Heard], unseen: Sequence[Heard]) -> tuple[float, float]:
    """Return AUROC and event F1 on unseen recordings, at the threshold tuned on those seen."""
    params = tune(seen, PostprocessParams())
    counts = Counts(0, 0, 0, 0)
    for one in unseen:
        counts += szcore_event(one.reference, one.events(params), one.duration_s)
    return auroc(together(unseen)) or 0.0, counts.f1 or 0.0


def waiting_share(observed: dict[str, Any]) -> float:
    """Return the share of a training step that passes in waiting for its batch."""
    return float(observed["data_time_s"] / (observed["data_time_s"] + observed["step_time_s"]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="only that it runs")
    small = parser.parse_args().small
    patients, minutes, steps = (1, 2.0, 2) if small else (8, 20.0, 400)
    with tempfile.TemporaryDirectory(prefix="bench_eeg_learning_") as folder:
        root = Path(folder)
        _, tokens = made_corpus(root, ["train"] * patients + ["test"] * patients, minutes)
        store = ShardStore(root, tokens)
        index = WindowIndex(root, tokens)
        splits = [model.patients_of(store, index, split) for split in ("train", "test")]
        for name in NAMES:
            fitted = trained(store, name, steps, root / name)
            seen, unseen = (list(hear(fitted.model, index, split)) for split in splits)
            area, f1 = scored(seen, unseen)
            peer_area, peer_f1 = scored(*([loudness(index, one) for one in part] for part in (seen, unseen)))
            print(f"{name}: AUROC {area:.4f}, event F1 {f1:.4f}; RMS: AUROC {peer_area:.4f}, event F1 {peer_f1:.4f}")
            gate(21, f"{name}, AUROC on unseen patients", area, at_least=0.95, unit="")
            gate(21, f"{name}, event F1 on unseen patients", f1, at_least=0.85, unit="")
            gate(21, f"{name}, event F1 above that of RMS", f1 - peer_f1, at_least=0.25, unit="")
            waiting = waiting_share(fitted.observed)
            gate(31, f"waiting for data while {name} trains", waiting, at_most=0.05, unit="of the step")


if __name__ == "__main__":
    main()
