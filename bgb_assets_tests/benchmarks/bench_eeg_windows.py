"""What a window costs to read, against one compressed archive of windows per recording.

The peer is the usual way: all overlapping windows of a recording as float32 in one `savez_compressed` archive with
their labels, the whole archive loaded for an item. Both hold the same recording; that is checked. The page cache is
warm, but where it is said to be cold: then the kernel has been asked to forget the file, and the bytes that come from
the disk are counted.

    python -m bgb_assets_tests.benchmarks.bench_eeg_windows [--small] [--minutes 30] [--repeats 5]
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from bgb_assets.modalities.eeg.electrodes import RATE_HZ
from bgb_assets.modalities.eeg.manifest_params import ManifestParams
from bgb_assets.modalities.eeg.windows.dataset import BalancedSeizureDataset, collate
from bgb_assets_tests.benchmarks.measured import gate, in_turns, ratio, show
from bgb_assets_tests.modalities.eeg.corpus_case import CHANNELS, SCALE, Corpus

W, S = ManifestParams().window_samples, ManifestParams().stride_samples
BATCH = 64
ITEMS = 50
ARCHIVES_TIMED, COLD_READS = 5, 3
SEIZURE_S = (610.0, 700.0)


def main() -> None:
    """Print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="only see that it runs")
    parser.add_argument("--minutes", type=int, default=30)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    minutes, repeats = (13, 1) if options.small else (options.minutes, options.repeats)
    with tempfile.TemporaryDirectory(prefix="bench_eeg_windows_") as folder:
        items(Path(folder), minutes, repeats)


def items(work: Path, minutes: int, repeats: int) -> None:
    """Compare one window and a batch of them."""
    corpus = Corpus(work)
    signal = corpus.add("a_1", [minutes * 60 * RATE_HZ], [SEIZURE_S], split="train")
    dataset = BalancedSeizureDataset(corpus.index(), full_ratio=100.0, background_ratio=100.0)
    archive = write_archive(work / "peer.npz", signal)
    store = work / corpus.members["a_1"].entries["features"].location
    chosen = np.random.default_rng(0).permutation(len(dataset))
    require_one_recording(dataset, archive)
    random_windows(dataset, archive, chosen)
    cold_windows(dataset, archive, store / "signal.i16", chosen)
    held, archived = sum(path.stat().st_size for path in store.iterdir()), archive.stat().st_size
    print(f"on the disk: archive {archived / 1e6:.1f} MB, store {held / 1e6:.1f} MB")
    gate(25, "bytes of a recording on the disk: store / archive", held / archived, at_most=0.2)
    mapped = np.memmap(store / "signal.i16", "<i2", "r", shape=signal.shape)
    batches(dataset, mapped, np.resize(chosen, BATCH), repeats)


def require_one_recording(dataset: BalancedSeizureDataset, archive: Path) -> None:
    """Check that a window of the archive is the store's, but for its rounding."""
    item = dataset[3]
    with np.load(archive) as held:
        number = int(item["start"]) // S
        apart = np.abs(held["windows"][number].T - item["signal"] * np.float32(SCALE)).max()
        same = np.array_equal(held["labels"][number].reshape(-1, 16).sum(1), item["positives"])
    if apart > 0.51 * SCALE or not same:
        raise SystemExit(f"archive and store differ by {apart / SCALE:.2g} steps; same labels: {same}")


def random_windows(dataset: BalancedSeizureDataset, archive: Path, chosen: np.ndarray) -> None:
    """Compare windows at random, both files in the page cache."""
    turns = iter(np.resize(chosen, (1 + ARCHIVES_TIMED) * ITEMS).reshape(-1, ITEMS).tolist())
    windows = iter(chosen.tolist() * 2)
    arms = {
        "whole archive": lambda: from_archive(archive, next(windows)),
        f"{ITEMS} items of the store": lambda: [dataset[i] for i in next(turns)],
    }
    archive_s, store_s = in_turns(arms, ARCHIVES_TIMED).values()
    item_s = [seconds / ITEMS for seconds in store_s]
    medians_ms = (statistics.median(archive_s) * 1e3, statistics.median(item_s) * 1e3)
    print("a window, warm: archive {:.0f} ms, store {:.3f} ms".format(*medians_ms))
    gate(25, "a random window, warm: whole archive / continuous store", ratio(archive_s, item_s), at_least=5_000)


def cold_windows(dataset: BalancedSeizureDataset, archive: Path, signal: Path, chosen: np.ndarray) -> None:
    """State what a window costs whose file is not in the page cache, opening it included."""
    taken: dict[str, list[float]] = {"archive": [], "store": []}
    read: dict[str, list[int]] = {"archive": [], "store": []}
    for number in chosen[:COLD_READS].tolist():
        dataset.index.signals.close()
        for name, path, arm in (
            ("archive", archive, lambda number=number: from_archive(archive, number)),
            ("store", signal, lambda number=number: dataset[number]),
        ):
            forget(path)
            before = read_from_disk()
            taken[name].append(timed(arm))
            read[name].append(read_from_disk() - before)
    for name, seconds in taken.items():
        mb = statistics.median(read[name]) / 1e6
        print(f"a window, cold: {name} {statistics.median(seconds) * 1e3:.2f} ms, {mb:.1f} MB read from the disk")
    print(f"a random window, cold: whole archive / continuous store: {ratio(*taken.values()):.0f} x")


def forget(path: Path) -> None:
    """Ask the kernel to drop a file from the page cache, and wait for what was not yet written."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)


def read_from_disk() -> int:
    """Return the bytes that this process has had read from disks."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("read_bytes"))


def from_archive(archive: Path, number: int) -> object:
    """Return a window and its labels as the peer does."""
    with np.load(archive) as held:
        return held["windows"][number], held["labels"][number]


def batches(dataset: BalancedSeizureDataset, mapped: np.ndarray, chosen: np.ndarray, repeats: int) -> None:
    """Compare a batch with the same bytes copied from a map of the file."""
    starts = dataset.index.start[dataset.ids[chosen]].tolist()

    def bare_copies() -> object:
        out = np.empty((BATCH, W, CHANNELS), np.int16)
        for row, start in enumerate(starts):
            out[row] = mapped[start : start + W]
        return out

    taken = in_turns(
        {"bare memmap copy": bare_copies, "batch": lambda: collate(dataset.__getitems__(chosen))}, 5 * repeats
    )
    show(f"a batch of {BATCH} windows", taken)
    bare, batch = taken.values()
    gate(25, f"a batch of {BATCH}: ours / bare memmap copy", ratio(batch, bare), at_most=3)


def write_archive(path: Path, signal: np.ndarray) -> Path:
    """Write all windows of a recording as the peer does: as it was before it was rounded to the store's steps."""
    starts = range(0, len(signal) - W + 1, S)
    lost = np.random.default_rng(0).uniform(-0.5, 0.5, signal.shape)
    samples = ((signal + lost) * SCALE).astype(np.float32)
    label = labels_of(len(signal))
    windows = np.stack([samples[start : start + W].T for start in starts])
    np.savez_compressed(path, windows=windows, labels=np.stack([label[start : start + W] for start in starts]))
    return path


def labels_of(samples: int) -> np.ndarray:
    label = np.zeros(samples, np.float32)
    label[int(SEIZURE_S[0] * RATE_HZ) : int(SEIZURE_S[1] * RATE_HZ)] = 1
    return label


def timed(work: Callable[[], object]) -> float:
    """Return the seconds of one call."""
    started_s = time.perf_counter()
    work()
    return time.perf_counter() - started_s


if __name__ == "__main__":
    main()
