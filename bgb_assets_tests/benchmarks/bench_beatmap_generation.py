"""Writing tokens with kept keys and values against decoding all tokens again for each; and a song from audio on.

`python -m bgb_assets_tests.benchmarks.bench_beatmap_generation [--small]`, one thread, variant small, random weights.
"""

import argparse
import statistics
import time

import numpy as np
import torch

from bgb_assets.modalities.beatmap import vocabulary as v
from bgb_assets.modalities.beatmap.decoding import Request, Song, write_song
from bgb_assets.modalities.beatmap.network import Network
from bgb_assets.modalities.beatmap.variants import SMALL

BPM = 128.0


def seconds_of(run):
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def steps_with_cache(network, memory, tokens, ticks):
    caches = network.empty_caches(1, tokens.shape[1])
    for place in range(tokens.shape[1]):
        network.decode(tokens[:, [place]], ticks[:, [place]], memory, caches)


def steps_without(network, memory, tokens, ticks):
    for place in range(tokens.shape[1]):
        network.decode(tokens[:, : place + 1], ticks[:, : place + 1], memory)


def compare(network, count, repeats):
    random = np.random.default_rng(0)
    mel = torch.from_numpy(random.random((1, 1_024, 81), np.float32))
    tokens = torch.from_numpy(random.integers(0, v.SIZE, (1, count)))
    ticks = torch.from_numpy(np.sort(random.integers(0, 16 * v.TICKS_PER_BAR, (1, count))))
    memory = network.remember(network.encode(mel))
    timings = [
        [seconds_of(lambda run=run: run(network, memory, tokens, ticks)) for run in (steps_without, steps_with_cache)]
        for _ in range(repeats)
    ]
    full, cached = (statistics.median(column) for column in zip(*timings, strict=True))
    print(f"{count} tokens: {cached / count * 1e3:.2f} ms a cached step, {full / cached:.1f} x full decoding")


def write(network, seconds):
    bars = round(seconds * BPM / 60 / v.BEATS_PER_BAR)
    mel = np.random.default_rng(0).random((bars * v.FRAMES_PER_BAR, 81)).astype(np.float16)
    song = Song(mel, np.arange(bars + 1) * 60.0 * v.BEATS_PER_BAR / BPM)
    request = Request("Expert", "Standard", 6.0)
    made = []
    wall_s = seconds_of(
        lambda: made.extend(write_song(network, song, [request], SMALL.window, ("notes", "bombs"), seed=0))
    )
    print(f"{seconds} s of song, {len(made[0])} tokens: {wall_s:.1f} s, {seconds / wall_s:.1f} x real time")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="only that it runs")
    small = parser.parse_args().small
    torch.set_num_threads(1)
    torch.manual_seed(0)
    network = Network(SMALL.shape).eval()
    with torch.no_grad():  # so that ticks end after a note or two, as in maps
        network.embedding.weight[v.NOTE.slice] *= 0.1
    with torch.inference_mode():
        for count in (8,) if small else (256, 512):
            compare(network, count, 1 if small else 5)
        write(network, 10 if small else 180)


if __name__ == "__main__":
    main()
