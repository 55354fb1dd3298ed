"""Batches per second from mapped shards, against one `torch.save` file per sample and against Python lists.

All arms give the same int64 batches, checked, from the same samples in the same order, in this process without
workers, files warm. They take turns; a ratio is the median of paired ratios. Last line: what batches of similar length
save in padding, a count without timing.

    python -m bgb_assets_tests.benchmarks.bench_loader [--small] [--samples 5000] [--batches 60] [--repeats 7]
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader

from bgb_assets.loading.collate import Padding
from bgb_assets.loading.dataset import Sample, Steps
from bgb_assets.loading.loader import RoundSampler, build_loader
from bgb_assets.loading.mapped import ShardStore
from bgb_assets.loading.order import Order, SampleIndex
from bgb_assets.loading.randomness import Draw
from bgb_assets.storage.shards import describe_shard, write_index, write_shard
from bgb_assets_tests.loading.ragged_store import sample_table

BATCH = 64
Arm = Callable[[], Iterator[torch.Tensor]]


@dataclass(frozen=True)
class TokensOnly:
    """Reads a sample's tokens, uncut."""

    store: ShardStore

    def __call__(self, row: int, draw: Draw) -> Sample:
        return {"tokens": self.store["tokens", row]}


def main() -> None:
    """Print batches per second and ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="few samples, once: only to see that it runs")
    parser.add_argument("--samples", type=int, default=5_000)
    parser.add_argument("--batches", type=int, default=60)
    parser.add_argument("--repeats", type=int, default=7)
    args = parser.parse_args()
    samples, batches, repeats = (300, 3, 1) if args.small else (args.samples, args.batches, args.repeats)
    torch.set_num_threads(1)
    random = np.random.default_rng(3)
    lengths = np.clip(random.lognormal(7.0, 0.8, samples), 16, 8_000).astype(int)
    arrays = [random.integers(0, 832, length).astype(np.int16) for length in lengths]
    with tempfile.TemporaryDirectory(prefix="bench_loader_") as folder:
        compare(Path(folder), arrays, batches, repeats)
    print_padding(lengths)


def compare(root: Path, arrays: Sequence[np.ndarray], batches: int, repeats: int) -> None:
    """Run the arms in turns on the first batches of one order."""
    order = Order(
        SampleIndex(np.arange(len(arrays)), np.array(list(map(len, arrays))), np.ones(len(arrays))), BATCH, 0, 1
    )
    positions = [position for position, _ in zip(order.steps_from(0), range(batches), strict=False)]
    rows = [[ticket.row for ticket in order.global_batch(position)] for position in positions]
    arms: dict[str, Arm] = {
        "mapped shards": mapped(root / "store", arrays, order, batches),
        "torch.save per sample": one_file_each(root / "files", arrays, rows),
        "Python lists": python_lists(arrays, rows),
    }
    for items in zip(*(arm() for arm in arms.values()), strict=True):
        assert all(torch.equal(item, items[0]) for item in items), "the arms must give equal batches"
    seconds: dict[str, list[float]] = {name: [] for name in arms}
    for _ in range(repeats):
        for name, arm in arms.items():
            started = time.perf_counter()
            assert sum(1 for _ in arm()) == batches
            seconds[name].append(time.perf_counter() - started)
    for name, taken in seconds.items():
        ratio = statistics.median(slow / fast for slow, fast in zip(taken, seconds["mapped shards"], strict=True))
        print(
            f"{name:24} {batches / statistics.median(taken):9.1f} batches/s   mapped shards are {ratio:6.1f} x as fast"
        )


def mapped(root: Path, arrays: Sequence[np.ndarray], order: Order, batches: int) -> Arm:
    """Return our own way: shards, order, loader, as a training run uses them."""
    (root / "shard").mkdir(parents=True)
    write_shard(root / "shard", {"tokens": arrays})
    shards = [describe_shard(root / "shard", "shard")]
    write_index(root, shards=shards, samples=sample_table(list(arrays), [len(arrays)]))
    steps = Steps(TokensOnly(ShardStore(root, root)), Padding({"tokens": 0}), 0)

    def arm() -> Iterator[torch.Tensor]:
        sampler = RoundSampler(order, micro_batch=BATCH, start=0, steps=batches, round_steps=batches)
        for parts in build_loader(steps, sampler, workers=0):
            yield parts[0]["tokens"].long()

    return arm


def one_file_each(root: Path, arrays: Sequence[np.ndarray], rows: list[list[int]]) -> Arm:
    """Return the usual way: a `.pt` file per sample, padded by torch."""
    root.mkdir()
    for number, array in enumerate(arrays):
        torch.save(torch.from_numpy(array), root / f"{number}.pt")

    class Files:
        def __getitem__(self, row: int) -> torch.Tensor:
            return torch.load(root / f"{row}.pt", weights_only=True).long()

    return lambda: iter(DataLoader(Files(), batch_sampler=rows, collate_fn=lambda s: pad_sequence(s, batch_first=True)))


def python_lists(arrays: Sequence[np.ndarray], rows: list[list[int]]) -> Arm:
    """Return the naive way: everything in memory as lists, padded as lists."""
    lists = [array.tolist() for array in arrays]

    def collate(samples: list[list[int]]) -> torch.Tensor:
        longest = max(map(len, samples))
        return torch.tensor([sample + [0] * (longest - len(sample)) for sample in samples])

    return lambda: iter(DataLoader(lists, batch_sampler=rows, collate_fn=collate))


def print_padding(lengths: np.ndarray) -> None:
    """Print padded over real elements of an epoch, with and without batches of similar length."""
    index = SampleIndex(np.arange(len(lengths)), lengths, np.ones(len(lengths)))
    for pool_batches in (1, 50):
        batches = Order(index, min(BATCH, len(lengths)), 0, pool_batches).batches(0)
        parts = [lengths[part] for part in np.split(batches.rows, batches.offsets[1:-1])]
        padded = sum(len(part) * int(part.max()) for part in parts)
        real = int(lengths[batches.rows].sum())
        print(f"pools of {pool_batches:2} batches: {padded / real:.2f} padded elements per real one")


if __name__ == "__main__":
    main()
