"""What is known of a corpus before any signal is read, and how soon: its class ratio, its manifest, training's start.

The peer is the usual way: one compressed archive of windows and labels per recording, opened to find out; its manifest
is timed on archives that hold nothing but labels, in its favour. The page cache is warm for all.

Training's start is that of stage model: from the index to the order of the first batch. No signal is there to be read;
who tries is counted. The class ratio is held against one that a loop over windows computes from the annotations.

    python -m bgb_assets_tests.benchmarks.bench_eeg_start [--small] [--minutes 30] [--repeats 5]
"""

import argparse
import dataclasses
import logging
import os
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from bgb_assets.loading.mapped import ShardStore
from bgb_assets.loading.order import Order
from bgb_assets.modalities.eeg import model
from bgb_assets.modalities.eeg.electrodes import RATE_HZ
from bgb_assets.modalities.eeg.learning.variants import VARIANTS
from bgb_assets.modalities.eeg.manifest_params import ManifestParams
from bgb_assets.modalities.eeg.windows.class_ratio import class_ratio, pos_weight
from bgb_assets.modalities.eeg.windows.dataset import BalancedSeizureDataset
from bgb_assets.modalities.eeg.windows.index import WindowIndex
from bgb_assets_tests.benchmarks.bench_eeg_windows import (
    SEIZURE_S,
    S,
    W,
    from_archive,
    labels_of,
    timed,
    write_archive,
)
from bgb_assets_tests.benchmarks.measured import gate, in_turns
from bgb_assets_tests.modalities.eeg.corpus_case import CHANNELS, Corpus, write_many

WINDOWS_OF_EACH = 65
"""Of a recording of almost twelve minutes, the mean length in the large clinical corpora."""
ARCHIVES_AT_START, ARCHIVES_TIMED = 100, 5
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
    sizes = Sizes(options.minutes, options.repeats, 200, 300_000)
    if options.small:
        sizes = Sizes(minutes=13, repeats=1, recordings=4, windows=3_000)
    with tempfile.TemporaryDirectory(prefix="bench_eeg_start_") as folder:
        work = Path(folder)
        recordings = -(-sizes.windows // WINDOWS_OF_EACH)
        tokens = write_many(work / "store", recordings, W + (WINDOWS_OF_EACH - 1) * S, ManifestParams(), written=False)
        start_up(work, tokens, sizes)
        training_start(work / "store", tokens, sizes.repeats)
        manifests(work / "manifest", sizes)


def start_up(work: Path, tokens: Path, sizes: Sizes) -> None:
    """Time opening the index of many windows up to `pos_weight` against loading archives, some timed and scaled."""
    drawn = np.random.default_rng(0).integers(-2000, 2000, (sizes.minutes * 60 * RATE_HZ, CHANNELS), np.int16)
    archive = write_archive(work / "peer.npz", drawn)

    def ours() -> float:
        return pos_weight(class_ratio(BalancedSeizureDataset(WindowIndex(work / "store", tokens))))

    seconds = statistics.median(in_turns({"ours": ours}, 3 * sizes.repeats)["ours"])
    timed_s = sum(timed(lambda number=number: from_archive(archive, number)) for number in range(ARCHIVES_TIMED))  # type: ignore[misc]
    archives_s = timed_s * (ARCHIVES_AT_START / ARCHIVES_TIMED)
    print(f"start-up: ours {seconds * 1e3:.1f} ms, {ARCHIVES_AT_START} archives {archives_s:.0f} s")
    gate(28, "start-up: 100 archives / index to pos_weight", archives_s / seconds, at_least=1_000)


def training_start(root: Path, tokens: Path, repeats: int) -> None:
    """Time what training does before its first batch is read; count the files it opens and check what it says."""
    held = VARIANTS["sdpa-tiny"]
    params = dataclasses.replace(held, training=dataclasses.replace(held.training, validate_every_steps=0))
    logging.getLogger("bgb_assets").setLevel(logging.INFO)

    def started() -> Order:
        given = model.data(ShardStore(root, tokens), params)
        order = Order(given.train, params.training.batch, params.seed, params.training.pool_batches, draw=given.draw)
        order.global_batch(order.position(0))
        return order

    with opened_files() as opened, said() as lines:
        order = started()
    below = [path for path in opened if path.startswith(str(root))]
    signals = sum("/features/" in path for path in below)
    print(f"training's start opened {len(below)} files of the store, of those signals: {signals}", *lines, sep="\n  ")
    gate(6, "signal files opened before the first batch", signals, at_most=0, unit="files")
    ids = order.draw(order.index, params.seed, 0).tolist()
    annotated = share_with_seizure(root, ids)
    expected = expected_lines(len(ids), annotated)
    gate(6, "logs of the start that are not the four lines expected", int(lines != expected), at_most=0, unit="logs")
    exact = BalancedSeizureDataset(WindowIndex(root, tokens)).seizure_ratio
    gate(6, "class ratio from the manifest - from annotations alone", abs(exact - annotated), at_most=0, unit="")
    seconds = statistics.median(in_turns({"start": started}, 3 * repeats)["start"])
    gate(
        28,
        f"start of training on {len(order.index)} windows: index to the first batch's order",
        seconds,
        at_most=1,
        unit="s",
    )


def share_with_seizure(root: Path, ids: Sequence[int]) -> float:
    """Return the share of windows that hold any seizure, from the annotations and the windows' arithmetic alone."""
    table = pq.read_table(root / "manifest/eeg/intervals/intervals.parquet").to_pylist()
    seizures = {row["recording"]: (row["start_sample"], row["stop_sample"]) for row in table}
    found = 0
    for number in ids:
        recording, place = divmod(number, WINDOWS_OF_EACH)
        first, last = seizures.get(f"p{recording:05d}_1", (0, 0))
        found += first < place * S + W and place * S < last
    return found / len(ids)


def expected_lines(windows: int, share: float) -> list[str]:
    """Return what training says of its class ratio."""
    return [
        f"[DATASET] BalancedSeizureDataset: {windows} windows from manifest",
        "[DATASET] Using BalancedSeizureDataset known distribution",
        f"[DATASET] Seizure ratio: {100 * share:.1f}% (from manifest)",
        f"[DATASET] Using pos_weight: {((1 - share) / share) ** 0.5:.2f} (sqrt scaling)",
    ]


@contextmanager
def opened_files() -> Iterator[list[str]]:
    """Give the paths of all files that are opened meanwhile, by the interpreter's audit events."""
    opened: list[str] = []
    listening = [True]

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if listening[0] and event == "open" and isinstance(arguments[0], str | bytes | os.PathLike):
            opened.append(os.fsdecode(arguments[0]))

    # There is no way to take a hook away again; it stops listening.
    sys.addaudithook(hook)
    try:
        yield opened
    finally:
        listening[0] = False


@contextmanager
def said() -> Iterator[list[str]]:
    """Give the lines about data sets that are logged meanwhile."""
    lines: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    log = logging.getLogger("bgb_assets.modalities.eeg.windows")
    log.addHandler(handler)
    try:
        yield lines
    finally:
        log.removeHandler(handler)


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


if __name__ == "__main__":
    main()
