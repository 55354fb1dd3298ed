"""Recordings as stage cache leaves them, written from arrays, and stage features run on them."""

import json
from itertools import pairwise

import numpy as np

from bgb_assets.modalities.eeg import features
from bgb_assets.modalities.eeg.electrodes import CANONICAL
from bgb_assets.modalities.eeg.signal.params import FeatureParams


def write_stored(
    folder, microvolts, rate_hz, names=CANONICAL, kind="referential", *, step_uv=0.1, segments=None, reference=None
):
    """Write (samples, channels) microvolts in steps of `step_uv`."""
    return write_groups(folder, [(rate_hz, range(len(names)), microvolts, segments)], names, kind, step_uv, reference)


def write_groups(folder, groups, names=CANONICAL, kind="referential", step_uv=0.1, reference=None):
    """Write channels of several rates, each group (rate, places of its channels, microvolts, segments)."""
    folder.mkdir(parents=True)
    described = []
    for number, (rate_hz, channels, microvolts, segments) in enumerate(groups):
        integers = np.rint(np.asarray(microvolts) / step_uv)
        wide = np.abs(integers).max(initial=0) > 32_767
        file = f"signal{f'_{number}' if number else ''}.{'i32' if wide else 'i16'}"
        integers.astype("<i4" if wide else "<i2").tofile(folder / file)
        described.append(
            {
                "file": file,
                "dtype": "<i4" if wide else "<i2",
                "rate_hz": rate_hz,
                "samples": len(integers),
                "channels": list(channels),
                "segments": segments or [[0, len(integers), 0.0]],
            }
        )
    main = {name: described[0][name] for name in ("file", "dtype", "rate_hz", "samples", "segments")}
    calibration = {"gain": [step_uv] * len(names), "offset": [0.0] * len(names)}
    header = {"names": list(names), "kind": kind, "reference": reference, "groups": described, **main, **calibration}
    (folder / "header.json").write_text(json.dumps({**header, "start": None, "repairs": []}))
    return folder


def noise(seconds, rate_hz, channels=len(CANONICAL), seed=0):
    """Microvolts that drift, as EEG does: (samples, channels)."""
    steps = np.random.default_rng(seed).normal(size=(round(seconds * rate_hz), channels))
    return np.cumsum(steps, axis=0) + 20 * steps


def run_features(stored, out, **params):
    """Run the stage; returns its result, the integers (n, channels) and features.json."""
    out.mkdir(parents=True)
    result = features.run({"cache": stored}, FeatureParams(**params), out)
    described = json.loads((out / "features.json").read_text())
    integers = np.fromfile(out / "signal.i16", "<i2").reshape(described["n"], len(described["channels"]))
    return result, integers, described


def cuts(total, seed):
    """Return the bounds of a random cut into blocks, empty ones and single samples included."""
    rng = np.random.default_rng(seed)
    inner = rng.integers(0, total + 1, rng.integers(0, 12))
    singles = rng.integers(0, max(total - 3, 1))
    return sorted([0, 0, total, total, *inner.tolist(), *range(singles, min(singles + 3, total))])


def pushed(machine, samples, bounds, *flush):
    """Push (channels, samples) in the given blocks; returns all that came out."""
    given = [machine.push(samples[:, a:b]) for a, b in pairwise(bounds)]
    if hasattr(machine, "flush"):
        given.append(machine.flush(*flush))
    return np.concatenate([block for block in given if block.shape[1]], axis=1)
