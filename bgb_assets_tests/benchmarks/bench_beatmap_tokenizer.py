"""Encoding maps as whole columns against one object after the other, both from the same objects.

`python -m bgb_assets_tests.benchmarks.bench_beatmap_tokenizer [--small]`
"""

import argparse
import statistics
import time

import numpy as np

from bgb_assets.modalities.beatmap import vocabulary as v
from bgb_assets.modalities.beatmap.objects import PLAYED_KINDS
from bgb_assets.modalities.beatmap.tokenizer import encode, encode_map, header
from bgb_assets_tests.modalities.beatmap.objects_case import random_objects, real_maps
from bgb_assets_tests.modalities.beatmap.plain_tokenizer import encode_plainly

HEADER = header("Expert", "Standard", 6.0, 128.0, v.any_of(v.QUAL))
TWO_HAND_TOKENS = 15_361
"""Tokens that the seven real maps take in the two-hand scheme: three for each occupied sixteenth."""


def joined(maps):
    tables, owners = {}, {}
    for kind in PLAYED_KINDS:
        tables[kind] = {name: np.concatenate([one[kind][name] for one in maps]) for name in maps[0][kind]}
        owners[kind] = np.repeat(np.arange(len(maps)), [len(one[kind]["beat"]) for one in maps])
    return tables, owners


def seconds_of(run):
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="only that it runs: made-up maps, one repeat")
    small = parser.parse_args().small
    maps = [random_objects(seed) for seed in range(5)] if small else [one.parsed.objects for one in real_maps()] * 3
    tables, owners = joined(maps)
    headers, bars = [HEADER] * len(maps), [-1] * len(maps)
    runs = {
        "whole columns": lambda: encode(tables, owners, headers, bars),
        "map by map": lambda: [encode_map(one, HEADER) for one in maps],
        "object by object": lambda: [encode_plainly(one, HEADER) for one in maps],
    }
    timings = {name: [] for name in runs}
    for _ in range(1 if small else 7):
        for name, run in runs.items():
            timings[name].append(seconds_of(run))
    medians = {name: statistics.median(values) for name, values in timings.items()}
    for name, median in medians.items():
        print(f"{name}: {median * 1e3:.1f} ms, {medians['object by object'] / median:.1f} x object by object")
    if not small:
        notes_only = sum(len(encode_map(one, HEADER, kinds=("notes",)).sequences.ids) for one in maps) // 3
        share = notes_only / TWO_HAND_TOKENS
        print(f"notes-only tokens of the seven maps: {notes_only}, {share:.3f} x the two-hand scheme's")


if __name__ == "__main__":
    main()
