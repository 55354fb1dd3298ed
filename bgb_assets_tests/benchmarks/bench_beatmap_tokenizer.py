"""Encoding maps as whole columns against one object after the other, both from the same objects.

`python -m bgb_assets_tests.benchmarks.bench_beatmap_tokenizer [--small]`
"""

import argparse

import numpy as np

from bgb_assets.modalities.beatmap.formats.objects import PLAYED_KINDS
from bgb_assets.modalities.beatmap.sequences import vocabulary as v
from bgb_assets.modalities.beatmap.sequences.tokenizer import encode, encode_map, header
from bgb_assets_tests.benchmarks.measured import gate, in_turns, ratio, show
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
    taken = in_turns(runs, 1 if small else 7, warm=0)
    show("tokens of the real maps", taken)
    gate(30, "object by object / whole columns", ratio(taken["object by object"], taken["whole columns"]), at_least=5)
    if not small:
        notes_only = sum(len(encode_map(one, HEADER, kinds=("notes",)).sequences.ids) for one in maps) // 3
        what = f"notes-only tokens of the seven maps ({notes_only}) / the two-hand scheme's"
        gate(30, what, notes_only / TWO_HAND_TOKENS, at_most=0.8)


if __name__ == "__main__":
    main()
