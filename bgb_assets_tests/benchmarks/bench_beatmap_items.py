"""What one training item costs: from shards and mapped mels, against the two usual ways.

The first peer decodes the song and computes its features in `__getitem__`. The second loads the whole song's array from
a file and builds its tensors from padded Python lists. All three give the same window of the same song: its frames and
its tokens. The page cache is warm for all.

    python -m bgb_assets_tests.benchmarks.bench_beatmap_items [--small] [--seconds 180] [--repeats 15]
"""

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
import torch

from bgb_assets.loading.mapped import ShardStore
from bgb_assets.loading.randomness import Draw
from bgb_assets.modalities.beatmap.learning.data import WindowReader
from bgb_assets.modalities.beatmap.learning.variants import SMALL
from bgb_assets.modalities.beatmap.sequences import vocabulary as v
from bgb_assets.modalities.beatmap.tables.filters import FilterParams
from bgb_assets.modalities.beatmap.tables.manifest_params import ManifestParams
from bgb_assets_tests.benchmarks.bench_beatmap_features import make_song, naive_chain
from bgb_assets_tests.benchmarks.measured import gate, in_turns, ratio, show
from bgb_assets_tests.modalities.beatmap.songs_case import Store
from bgb_assets_tests.modalities.beatmap.tokens_case import TokenStore

BPM = 143.0
ITEMS = 20


def main() -> None:
    """Print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="only see that it runs")
    parser.add_argument("--seconds", type=int, default=180)
    parser.add_argument("--repeats", type=int, default=15)
    options = parser.parse_args()
    seconds, repeats = (40, 1) if options.small else (options.seconds, options.repeats)
    with tempfile.TemporaryDirectory(prefix="bench_items_") as folder:
        work = Path(folder)
        upload = write_upload(work / "upload", seconds)
        store = tokens_of(work, upload)
        compare(store, upload / "song.egg", work, repeats)


def write_upload(folder: Path, seconds: int) -> Path:
    """Write a song with a note on each half beat."""
    folder.mkdir()
    make_song(folder, seconds)
    beats = np.arange(8.0, seconds * BPM / 60 - 8, 0.5).tolist()
    notes = [{"b": beat, "x": i % 4, "y": i % 3, "c": i % 2, "d": i % 8} for i, beat in enumerate(beats)]
    (folder / "a.dat").write_text(json.dumps({"version": "3.3.0", "colorNotes": notes}))
    entry = {"_difficulty": "Expert", "_difficultyRank": 7, "_beatmapFilename": "a.dat"}
    group = {"_beatmapCharacteristicName": "Standard", "_difficultyBeatmaps": [entry]}
    info = {"_version": "2.1.0", "_beatsPerMinute": BPM, "_songFilename": "song.egg", "_difficultyBeatmapSets": [group]}
    (folder / "Info.dat").write_text(json.dumps(info))
    return folder


def tokens_of(work: Path, upload: Path) -> ShardStore:
    """Take the song through the stages to shards."""
    songs = Store(work / "store")
    songs.add("song", upload)
    # The notes lie on no onsets: how good a map is, is not measured here.
    filters = FilterParams(min_timing_ratio=0.0, min_timing_shift_ms=-1e9, max_timing_shift_ms=1e9)
    TokenStore(songs).tokens(work / "index", manifest=ManifestParams(filters=filters))
    store = ShardStore(songs.root, work / "index")
    if not len(store):
        raise SystemExit("the song was left out of the manifest")
    return store


def compare(store: ShardStore, audio: Path, work: Path, repeats: int) -> None:
    """Time the three ways to an item."""
    reader = WindowReader(store, SMALL.window)
    np.save(work / "whole.npy", store.source(0))
    tokens = store["tokens", 0].tolist()
    frames, longest = SMALL.window.bars * v.FRAMES_PER_BAR, SMALL.window.max_tokens

    def from_shards(number: int) -> object:
        sample = reader(0, Draw(0, 0, 0, number))
        return {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in sample.items()}

    def padded(number: int, mel: np.ndarray) -> object:
        start = number % max(1, len(mel) - frames)
        window = tokens[:longest]
        return torch.tensor(window + [0] * (longest - len(window))), torch.from_numpy(
            mel[start : start + frames].astype(np.float32)
        )

    arms = {
        "decode and compute": lambda: padded(0, naive_chain(audio)),
        f"whole array, Python lists, x {ITEMS}": lambda: [padded(i, np.load(work / "whole.npy")) for i in range(ITEMS)],
        f"from shards, x {ITEMS}": lambda: [from_shards(i) for i in range(ITEMS)],
    }
    taken = in_turns(arms, repeats)
    show("a training item of 16 bars", taken)
    computed, lists, ours = taken.values()
    gate(28, "an item: decoding and computing / from shards", ITEMS * ratio(computed, ours), at_least=200)
    gate(28, "an item: whole array and Python lists / from shards", ratio(lists, ours), at_least=2)


if __name__ == "__main__":
    main()
