"""How much memory and time a whole volume takes through each engine: `full` is the peer, all give the same logits.

    python -m bgb_assets_tests.benchmarks.bench_mri_engines [--small] [--variants meshnet-5 meshnet-26] [--repeats 3]

Each run is a process of its own, with two threads; engines take turns. Memory is the peak above what the process held
before, weights and image included. A volume has 256 voxels along each axis: `meshnet-26` takes minutes.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence

import torch

from bgb_assets.modalities.mri.learning.engines import SLICES, logits_of
from bgb_assets.modalities.mri.learning.memory import inference_bytes
from bgb_assets.modalities.mri.learning.meshnet import MeshNet
from bgb_assets.modalities.mri.learning.variants import VARIANTS
from bgb_assets.runtime.memory import peak_rss_bytes, rss_anon_bytes
from bgb_assets_tests.benchmarks.measured import gate, ratio, show

MIB = 1 << 20
ENGINES = {"full": ("full", 1), "streamed": ("streamed", SLICES), "tiled": ("tiled", 2)}
JUDGED = ("full", "streamed")
MOST = {"meshnet-5": (0.60, 2.0), "meshnet-26": (0.50, 1.2)}
"""Share of the peak memory and of the time of `full` that `streamed` may take."""


def main() -> None:
    """Print the table and the gates."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="only see that it runs")
    parser.add_argument("--variants", nargs="+", default=list(MOST), choices=VARIANTS)
    parser.add_argument("--engines", nargs="+", default=list(JUDGED), choices=ENGINES)
    parser.add_argument("--side", type=int, default=256, help="voxels along each axis")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--probe", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    side, repeats = (24, 1) if options.small else (options.side, options.repeats)
    if options.probe:
        print(json.dumps(probed(*options.probe, options.side, options.threads)))
        return
    for variant in options.variants:
        judge(variant, measured(variant, options.engines, side, repeats, options.threads), side)


def measured(
    variant: str, engines: Sequence[str], side: int, repeats: int, threads: int
) -> Mapping[str, list[dict[str, float]]]:
    """Return what each engine took, one value a turn."""
    taken: dict[str, list[dict[str, float]]] = {engine: [] for engine in engines}
    for _ in range(repeats):
        for engine in engines:
            command = [sys.executable, "-m", __spec__.name, "--probe", variant, engine]
            command += ["--side", str(side), "--threads", str(threads)]
            alone = os.environ | {"OMP_NUM_THREADS": str(threads)}
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=alone)
            taken[engine].append(json.loads(done.stdout.splitlines()[-1]))
    return taken


def judge(variant: str, taken: Mapping[str, list[dict[str, float]]], side: int) -> None:
    """Print what was measured, and hold `streamed` against `full`."""
    show(
        f"{variant}, {side} voxels along each axis", {name: [run["s"] for run in runs] for name, runs in taken.items()}
    )
    for name, runs in taken.items():
        told = inference_bytes(VARIANTS[variant].shape, (side,) * 3, 4, ENGINES[name])
        cpu_s = min(run["cpu_s"] for run in runs)
        most = max(run["bytes"] for run in runs)
        print(f"  {name:34s} {most / MIB:9.0f} MiB, {told / MIB:.0f} MiB foretold, {cpu_s:.1f} CPU s")
    if variant in MOST and set(JUDGED) <= taken.keys():
        share, times = MOST[variant]
        streamed, full = taken["streamed"], taken["full"]
        memory = ratio([run["bytes"] for run in streamed], [run["bytes"] for run in full])
        gate(29, f"{variant}, peak memory: streamed / full", memory, at_most=share)
        seconds = ratio([run["s"] for run in streamed], [run["s"] for run in full])
        gate(29, f"{variant}, wall time: streamed / full", seconds, at_most=times)


def probed(variant: str, engine: str, side: int, threads: int) -> dict[str, float]:
    """Run an engine once; return its peak memory and its time."""
    torch.set_num_threads(threads)
    before = rss_anon_bytes()
    mapped = peak_rss_bytes() - before
    torch.manual_seed(0)
    network, image = MeshNet(VARIANTS[variant].shape).eval(), torch.rand(1, 1, side, side, side)
    started_s, started_cpu_s = time.perf_counter(), time.process_time()
    logits_of(network, image, ENGINES[engine])
    taken = {"s": time.perf_counter() - started_s, "cpu_s": time.process_time() - started_cpu_s}
    return {**taken, "bytes": peak_rss_bytes() - mapped - before}


if __name__ == "__main__":
    main()
