"""What a window costs to find and to read, against one compressed archive of windows per recording.

The peer is the usual way: all overlapping windows of a recording as float32 in one `savez_compressed` archive with
their labels, the whole archive loaded for an item, class ratio and manifest found by opening archives. The peer's
manifest is timed on archives that hold nothing but labels, in its favour. The page cache is warm for all.

    python -m bgb_assets_tests.benchmarks.bench_eeg_windows [--small] [--minutes 30] [--repeats 5]
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bgb_assets.modalities.eeg.electrodes import RATE_HZ
from bgb_assets.modalities.eeg.manifest_params import ManifestParams
from bgb_assets.modalities.eeg.windows.class_ratio import class_ratio, pos_weight
from bgb_assets.modalities.eeg.windows.dataset import BalancedSeizureDataset, collate
from bgb_assets.modalities.eeg.windows.index import WindowIndex
from bgb_assets_tests.benchmarks.measured import gate, in_turns, ratio, show
from bgb_assets_tests.modalities.eeg.corpus_case import CHANNELS, Corpus, write_many

W, S = ManifestParams().window_samples, ManifestParams().stride_samples
BATCH = 64
ITEMS = 50
WINDOWS_AT_START = 300_000
ARCHIVES_AT_START, ARCHIVES_TIMED = 100, 5
SEIZURE_S = (610.0, 700.0)
SEIZURE_IN_EVERY = 3
"""Of so many recordings one has a seizure: more often than in the large clinical corpora."""


@dataclass(frozen=True)
class Sizes:
    """How much is measured."""

    minutes: int
    repeats: int
    recordings: int
    windows: int


def main() -> None:
    """Print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="only see that it runs")
    parser.add_argument("--minutes", type=int, default=30)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    sizes = Sizes(options.minutes, options.repeats, 200, WINDOWS_AT_START)
    if options.small:
        sizes = Sizes(minutes=13, repeats=1, recordings=4, windows=3_000)
    with tempfile.TemporaryDirectory(prefix="bench_eeg_windows_") as folder:
        work = Path(folder)
        archive_s = items(work / "items", sizes)
        start_up(work / "start", sizes, archive_s)
        manifests(work / "manifest", sizes)


def items(work: Path, sizes: Sizes) -> float:
    """Compare one item and a batch; return the seconds that the peer takes for an item."""
    corpus = Corpus(work)
    signal = corpus.add("a_1", [sizes.minutes * 60 * RATE_HZ], [SEIZURE_S], split="train")
    dataset = BalancedSeizureDataset(corpus.index(), full_ratio=100.0, background_ratio=100.0)
    archive = write_archive(work / "peer.npz", signal)
    place = work / corpus.members["a_1"].entries["features"].location
    mapped = np.memmap(place / "signal.i16", "<i2", "r", shape=signal.shape)
    chosen = np.resize(np.random.default_rng(0).permutation(len(dataset)), BATCH)
    starts = dataset.index.start[dataset.ids[chosen]].tolist()

    def from_archive() -> object:
        with np.load(archive) as held:
            return held["windows"][7], held["labels"][7]

    def bare_copies() -> object:
        out = np.empty((BATCH, W, CHANNELS), np.int16)
        for row, start in enumerate(starts):
            out[row] = mapped[start : start + W]
        return out

    peer_s = statistics.median(in_turns({"archive": from_archive}, max(1, sizes.repeats // 2))["archive"])
    ours = in_turns({"item": lambda: [dataset[i] for i in range(ITEMS)]}, 3 * sizes.repeats)["item"]
    item_s = statistics.median(ours) / ITEMS
    print(f"an item of {sizes.minutes} minutes: archive {peer_s * 1e3:.0f} ms, ours {item_s * 1e3:.3f} ms")
    gate(25, "an item: whole archive / continuous store", peer_s / item_s, at_least=2_000)
    taken = in_turns(
        {"bare memmap copy": bare_copies, "batch": lambda: collate(dataset.__getitems__(chosen))}, 5 * sizes.repeats
    )
    show(f"a batch of {BATCH} windows", taken)
    bare, batch = taken.values()
    gate(25, f"a batch of {BATCH}: ours / bare memmap copy", ratio(batch, bare), at_most=3)
    return peer_s


def write_archive(path: Path, signal: np.ndarray) -> Path:
    """Write all windows of a recording as the peer does; noise, which packs as badly as a filtered signal does."""
    starts = range(0, len(signal) - W + 1, S)
    noise = np.random.default_rng(0).standard_normal(signal.shape).astype(np.float32)
    label = labels_of(len(signal))
    windows = np.stack([noise[start : start + W].T for start in starts])
    np.savez_compressed(path, windows=windows, labels=np.stack([label[start : start + W] for start in starts]))
    return path


def labels_of(samples: int) -> np.ndarray:
    label = np.zeros(samples, np.float32)
    label[int(SEIZURE_S[0] * RATE_HZ) : int(SEIZURE_S[1] * RATE_HZ)] = 1
    return label


def start_up(work: Path, sizes: Sizes, archive_s: float) -> None:
    """Time opening the index of many windows up to `pos_weight` against loading archives, some timed and scaled."""
    recordings = -(-sizes.windows // 300)
    tokens = write_many(work, recordings, W + 299 * S, ManifestParams(), written=False)

    def ours() -> float:
        return pos_weight(class_ratio(BalancedSeizureDataset(WindowIndex(work, tokens))))

    seconds = statistics.median(in_turns({"ours": ours}, 3 * sizes.repeats)["ours"])
    # An item is one archive loaded: what the items' peer took stands for the archives that are timed here.
    archives_s = archive_s * ARCHIVES_TIMED * (ARCHIVES_AT_START / ARCHIVES_TIMED)
    print(f"start-up, {recordings * 300} windows: ours {seconds * 1e3:.1f} ms, 100 archives {archives_s:.0f} s")
    gate(28, "start-up: 100 archives / index to pos_weight", archives_s / seconds, at_least=1_000)


def manifests(work: Path, sizes: Sizes) -> None:
    """Time the manifest from notes, its table files included, against scanning one archive of labels a recording."""
    samples = sizes.minutes * 60 * RATE_HZ
    archives = []
    label = labels_of(samples)
    windows = np.stack([label[start : start + W] for start in range(0, samples - W + 1, S)])
    work.mkdir()
    for number in range(sizes.recordings):
        archives.append(work / f"{number}.npz")
        if number:
            archives[-1].write_bytes(archives[0].read_bytes())
        else:
            np.savez_compressed(archives[0], labels=windows)

    def scan() -> object:
        found = []
        for path in archives:
            with np.load(path) as held:
                found.append(held["labels"].mean(axis=1))
        return found

    scan_s = timed(scan)
    ours_s = []
    corpus = Corpus(work / "corpus")
    for number in range(sizes.recordings):
        seizures = [SEIZURE_S] if number % SEIZURE_IN_EVERY == 0 else []
        corpus.add(f"p{number:04d}_1", [samples], seizures, written=False)
    for turn in range(1 + min(5, sizes.repeats)):
        # Another group of rows is another part: the table files are written each time.
        params = ManifestParams(rows_per_group=16_384 + turn)
        ours_s.append(timed(lambda params=params: corpus.manifest(params)))  # type: ignore[misc]
    median_s = statistics.median(ours_s[1:])
    print(f"manifest of {sizes.recordings} recordings: scan {scan_s:.2f} s, from notes {median_s:.3f} s")
    gate(28, "manifest: scanning label archives / from notes", scan_s / median_s, at_least=30)


def timed(work: Callable[[], object]) -> float:
    """Return the seconds of one call."""
    started_s = time.perf_counter()
    work()
    return time.perf_counter() - started_s


if __name__ == "__main__":
    main()
