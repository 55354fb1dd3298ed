"""How fast a trained detector is: a window through each network, an hour's file to its events; and what a stream holds.

Run: `python -m bgb_assets_tests.benchmarks.bench_eeg_detection [--small] [--hours 24] [--repeats 5] [--network loud]`.
The networks are untrained: their weights change what they say, not how long it takes. The stream is heard by one that
only tells how loud it is, which takes two minutes for a day; with `--network sdpa-tiny` a day takes more than half an
hour.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from bgb_assets.modalities.eeg.detection.postprocess import PostprocessParams
from bgb_assets.modalities.eeg.detection.streaming import StreamingDetector
from bgb_assets.modalities.eeg.detection.trained import TrainedDetector
from bgb_assets.modalities.eeg.electrodes import CANONICAL
from bgb_assets.modalities.eeg.learning.network import network_of
from bgb_assets.modalities.eeg.learning.variants import VARIANTS
from bgb_assets.modalities.eeg.signal.params import FeatureParams
from bgb_assets_tests.benchmarks.measured import gate, in_turns, ratio, show
from bgb_assets_tests.modalities.eeg.detection.made_recordings import write_model, write_recording
from bgb_assets_tests.modalities.eeg.detection.networks import Loudness

PEER = "seizure_transformer"
LARGEST_SHARE = {"ssm-base": 0.50, "sdpa-base": 0.50, "ssm-tiny": 0.12, "sdpa-tiny": 0.12}
RATE_HZ = 256
CHUNK_S = 10


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="only see that it runs")
    parser.add_argument("--hours", type=float, default=24.0, help="length of the stream")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--network", choices=("loud", "ssm-tiny", "sdpa-tiny"), default="loud", help="of the stream")
    parser.add_argument("--probe", type=float, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.probe is not None:
        print(json.dumps(held_by_stream(options.probe, options.network)))
        return
    windows(1 if options.small else options.repeats)
    with tempfile.TemporaryDirectory() as folder:
        hour(Path(folder), 60 if options.small else 3_600, 1 if options.small else 3)
    memory(0.05 if options.small else options.hours, options.network)


def windows(repeats: int) -> None:
    """One window of 60 s through each network."""
    signal, mask = torch.randn(1, 19, 60 * RATE_HZ), torch.ones(1, 19, dtype=torch.bool)
    networks = {name: network_of(VARIANTS[name].shape).eval() for name in (PEER, *LARGEST_SHARE)}
    with torch.inference_mode():
        taken = in_turns(
            {name: lambda network=network: network(signal, mask) for name, network in networks.items()}, repeats
        )
    show("one window of 60 s, one at a time", taken)
    for name, share in LARGEST_SHARE.items():
        gate(30, f"time of a window: {name} / {PEER}", ratio(taken[name], taken[PEER]), at_most=share)


def hour(work: Path, seconds: int, repeats: int) -> None:
    """`bgb detect` from its start to its end, in a process of its own."""
    recording = write_recording(work / "hour.edf", seconds, rate_hz=RATE_HZ)
    for variant in ("ssm-tiny", "sdpa-tiny"):
        model = write_model(work / variant, PostprocessParams(), variant)
        command = [sys.executable, "-m", "bgb_assets.cli", "detect", str(recording), "--model", str(model)]
        command += ["-o", str(work / "out")]
        taken = in_turns(
            {"bgb detect": lambda command=command: subprocess.run(command, check=True, stdout=subprocess.PIPE)},
            repeats,
            warm=0,
        )
        show(f"{seconds} s of {RATE_HZ} Hz, {variant}", taken)
        faster = ratio([seconds] * repeats, taken["bgb detect"])
        gate(30, f"bgb detect of an hour with {variant}, times real time", faster, at_least=120)


def memory(hours: float, network: str) -> None:
    """What a stream holds after its first minute, and at its most until its end."""
    command = [sys.executable, "-m", __spec__.name, "--probe", str(hours), "--network", network]
    # One thread: windows come one at a time, and threads that wait for each other cost more than they give.
    alone = os.environ | {"OMP_NUM_THREADS": "1"}
    run = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=alone)
    found = json.loads(run.stdout.splitlines()[-1])
    print(f"\nstream of {hours:g} hours, network {network}, {found['events']} events: {found['seconds']:.0f} s")
    gate(32, f"stream of {hours:g} hours: growth after a minute", found["mib"], at_most=20, unit="MiB")


def held_by_stream(hours: float, network: str) -> dict[str, float]:
    """Stream noise with loud stretches; return the growth of anonymous memory after the first minute, in MiB."""
    heard = Loudness(1.8) if network == "loud" else network_of(VARIANTS[network].shape)
    rng = np.random.default_rng(0)
    calm = rng.normal(0, 20, (19, CHUNK_S * RATE_HZ))
    trained = TrainedDetector(heard, FeatureParams(), PostprocessParams(tau_on=0.6, tau_off=0.5))
    stream = StreamingDetector(trained, RATE_HZ, CANONICAL)
    started_s, after_a_minute, most, events = time.perf_counter(), 0.0, 0.0, 0
    for second in range(0, round(hours * 3_600), CHUNK_S):
        # A loud stretch every ten minutes, and some lost samples every hour.
        chunk = calm * (4.0 if second % 600 < 20 else 1.0)
        if second % 3_600 == 1_800:
            chunk[:, :100] = np.nan
        events += len(stream.push(chunk).events)
        if second >= 60:
            after_a_minute = after_a_minute or anonymous_mib()
            most = max(most, anonymous_mib())
    events += len(stream.close().events)
    return {"mib": most - after_a_minute, "events": events, "seconds": time.perf_counter() - started_s}


def anonymous_mib() -> float:
    """Return the anonymous memory of this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("RssAnon"))


if __name__ == "__main__":
    main()
