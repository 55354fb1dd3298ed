"""Speed against a named peer, a script each: `python -m bgb_assets_tests.benchmarks.bench_no_op`.

`GATES` says which scripts measure which gate of a modality; `bgb bench` runs them by number.
"""

from collections.abc import Mapping

GATES: Mapping[str, Mapping[int, str | tuple[str, ...]]] = {
    "beatmap": {
        20: "bench_beatmap_generation",
        21: "bench_beatmap_learning",
        24: "bench_beatmap_learning",
        26: "bench_beatmap_features",
        27: "bench_beatmap_scaling",
        28: "bench_beatmap_items",
        29: "bench_tables",
        30: "bench_beatmap_tokenizer",
        31: "bench_beatmap_generation",
        32: "bench_beatmap_generation",
        34: "bench_beatmap_memory",
        35: "bench_beatmap_generation",
        36: "bench_beatmap_memory",
    },
    "eeg": {
        6: "bench_eeg_start",
        21: "bench_eeg_learning",
        25: "bench_eeg_windows",
        26: "bench_eeg_features",
        27: "bench_eeg_features",
        28: "bench_eeg_start",
        29: "bench_eeg_scoring",
        30: "bench_eeg_detection",
        31: "bench_eeg_learning",
        32: ("bench_eeg_features", "bench_eeg_detection"),
    },
}
"""Modality -> number of the gate -> the script that measures it, or several."""
