"""How fast a recording becomes features, how much disk they take, and the memory of a day's recording.

The peer is what scripts for seizure detection do: resample the whole recording by FFT, filter it with `lfilter`, cut it
into overlapping windows of 60 s every 10 s and write each with `savez_compressed`.

    python -m bgb_assets_tests.benchmarks.bench_eeg_features [--small] [--minutes 30] [--repeats 3]

One thread. Arms take turns; a ratio is the median of the ratios of one turn.
"""

import os

# Before numpy: all arms get one thread.
os.environ.update({"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"})

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import edfio
import numpy as np
from scipy import signal

from bgb_assets.modalities.eeg import cache, features, raw, synth
from bgb_assets.modalities.eeg.electrodes import CANONICAL, RATE_HZ
from bgb_assets.modalities.eeg.signal.params import FeatureParams
from bgb_assets.modalities.eeg.synthetic.plan import SynthOptions
from bgb_assets_tests.benchmarks.bench_beatmap_memory import peak
from bgb_assets_tests.benchmarks.measured import gate, in_turns, ratio, show

WINDOW, STRIDE = 60 * RATE_HZ, 10 * RATE_HZ
DAY_RATE_HZ = 250.0


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="only see that it runs")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--probe", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.probe:
        print(json.dumps(probe(Path(options.probe))))
        return
    minutes, repeats, hours = (2, 1, 0.1) if options.small else (options.minutes, options.repeats, 24)
    for rate_hz in (RATE_HZ, 250):
        with tempfile.TemporaryDirectory(prefix="bench_eeg_") as folder:
            speed_and_size(Path(folder), minutes, rate_hz, repeats)
    with tempfile.TemporaryDirectory(prefix="bench_eeg_") as folder:
        memory(Path(folder), hours)


def speed_and_size(work: Path, minutes: float, rate_hz: int, repeats: int) -> None:
    """An EDF file to features, and what lies on the disk then."""
    synth.write_recording(work / "inbox", 0, 0, minutes, 0, SynthOptions(rate_hz=rate_hz))
    (edf,) = (work / "inbox").rglob("*.edf")
    (work / "raw").mkdir()
    raw.run({"upload": edf.parent}, raw.RawParams(), work / "raw")
    ours, theirs = work / "ours", work / "theirs"
    arms = {
        "peer: FFT, lfilter, windows as NPZ": lambda: by_windows(edf, theirs),
        "cache + features": lambda: from_file(edf, work / "raw", ours),
        "features from the cache": lambda: run_features(ours / "cache", ours / "features"),
    }
    taken = in_turns(arms, repeats)
    show(f"{minutes:g} minutes of EDF, 19 channels, {rate_hz} Hz", taken)
    quicker = ratio(taken["peer: FFT, lfilter, windows as NPZ"], taken["cache + features"])
    gate(27, f"EDF of {rate_hz} Hz to features: peer / ours", quicker, at_least=4)
    described = json.loads((ours / "features" / features.FEATURES_FILE).read_text())
    size, peers = folder_bytes(ours / "features"), folder_bytes(theirs)
    print(f"  on the disk: peer {peers / 1e6:.1f} MB, features {size / 1e6:.1f} MB")
    gate(26, "bytes on the disk: features / peer", size / peers, at_most=0.1)
    gate(26, "bytes beside two a value", size - described["n"] * len(CANONICAL) * 2, at_most=8192, unit="bytes")


def by_windows(edf: Path, out: Path) -> None:
    """Read, resample, filter and write every window."""
    out = emptied(out)
    read = edfio.read_edf(edf)
    # The synthetic file holds the 19 electrodes and nothing else.
    samples = np.stack([channel.data for channel in read.signals])
    rate_hz = read.signals[0].sampling_frequency
    if rate_hz != RATE_HZ:
        samples = signal.resample(samples, round(samples.shape[1] * RATE_HZ / rate_hz), axis=1)
    samples = signal.lfilter(*signal.butter(3, (0.5, 120.0), "bandpass", fs=RATE_HZ), samples, axis=1)
    samples = signal.lfilter(*signal.iirnotch(60.0, 30.0, fs=RATE_HZ), samples, axis=1)
    samples = (samples - samples.mean(axis=1, keepdims=True)) / (samples.std(axis=1, keepdims=True) + 1e-8)
    samples = samples.astype(np.float32)
    labels = np.zeros(samples.shape[1], np.float32)
    for number, start in enumerate(range(0, samples.shape[1] - WINDOW + 1, STRIDE)):
        window = slice(start, start + WINDOW)
        np.savez_compressed(out / f"{number}.npz", signal=samples[:, window], labels=labels[window])


def from_file(edf: Path, raw_folder: Path, out: Path) -> None:
    """Run stages cache and features."""
    out = emptied(out)
    (out / "cache").mkdir()
    cache.run({"raw": raw_folder, "upload": edf.parent}, cache.CacheParams(), out / "cache")
    run_features(out / "cache", out / "features")


def run_features(cached: Path, out: Path) -> None:
    """Run stage features."""
    features.run({"cache": cached}, FeatureParams(), emptied(out))


def emptied(folder: Path) -> Path:
    """Return the folder, new and empty."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def folder_bytes(folder: Path) -> int:
    """Return the bytes of a folder's files."""
    return sum(path.stat().st_size for path in folder.iterdir())


def memory(work: Path, hours: float) -> None:
    """What a long recording takes in a worker, above what it takes when it begins."""
    write_hours(work / "long", hours)
    write_hours(work / "short", 1 / 60)
    command = [sys.executable, "-m", __spec__.name, "--probe", str(work)]
    found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()[-1])
    print(f"\n{hours:g} hours of {DAY_RATE_HZ:g} Hz, 19 channels: {found['seconds']:.0f} s")
    gate(32, f"features of {hours:g} hours: peak of anonymous memory", found["mib"], at_most=1024, unit="MiB")


def write_hours(folder: Path, hours: float) -> None:
    """Write a recording as stage cache leaves it, the same minute over and over."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    minute = np.rint(np.cumsum(rng.normal(size=(round(60 * DAY_RATE_HZ), 19)), axis=0)).astype("<i2")
    minutes = max(round(60 * hours), 1)
    with (folder / "signal.i16").open("wb") as file:
        for _ in range(minutes):
            file.write(minute.tobytes())
    total = minutes * len(minute)
    group = {"file": "signal.i16", "dtype": "<i2", "rate_hz": DAY_RATE_HZ, "samples": total}
    group |= {"channels": list(range(19)), "segments": [[0, total, 0.0]]}
    header = {"names": list(CANONICAL), "kind": "referential", "reference": None, "groups": [group]}
    (folder / "header.json").write_text(json.dumps({**header, "gain": [1.0] * 19, "offset": [0.0] * 19}))


def probe(work: Path) -> dict[str, float]:
    """Run stage features on the long recording of a folder, in a process that has done a short one."""
    run_features(work / "short", work / "out")
    started_s = time.perf_counter()
    with peak() as found:
        run_features(work / "long", work / "out")
    return {"mib": found[0], "seconds": time.perf_counter() - started_s}


if __name__ == "__main__":
    main()
