"""A small real store of ragged sequences, for tests of everything between shards and training."""

from pathlib import Path

import numpy as np
import pyarrow as pa

from bgb_assets.loading.mapped import ShardStore
from bgb_assets.storage.shards import SAMPLE_FIELDS, Ragged, describe_shard, write_index, write_shard

VOCABULARY = 32


def sequences(samples: int, seed: int = 0) -> list[np.ndarray]:
    """Return lognormal-length sequences whose next token follows from the last: something to learn."""
    random = np.random.default_rng(seed)
    lengths = np.clip(random.lognormal(2.5, 0.7, samples), 2, 90).astype(int)
    starts, steps = random.integers(0, VOCABULARY, samples), random.choice([1, 3], samples)
    return [
        ((start + step * np.arange(length)) % VOCABULARY).astype(np.int16)
        for start, step, length in zip(starts, steps, lengths, strict=True)
    ]


def build_store(root: Path, samples: int, *, shards: int = 2, splits: list[int] | None = None) -> ShardStore:
    """Write shards with tokens and their squares, and an index; return the opened store."""
    arrays = sequences(samples)
    listed = []
    for number, part in enumerate(np.array_split(np.arange(samples), shards)):
        out = root / "tokens" / f"part{number}"
        out.mkdir(parents=True)
        lengths = [len(arrays[i]) for i in part]
        empty = Ragged(np.empty(0, np.int16), np.zeros(1, np.int64))
        ragged = {
            "tokens": [arrays[i] for i in part] if len(part) else empty,
            "squares": Ragged(
                np.concatenate(
                    [np.empty((0, 2), np.float32), *(np.stack([arrays[i], arrays[i] ** 2], 1) for i in part)]
                ),
                np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
            ),
        }
        write_shard(out, ragged)
        listed.append(describe_shard(out, f"tokens/part{number}"))
    index = root / "index"
    index.mkdir()
    write_index(index, shards=listed, samples=sample_table(arrays, [shard.samples for shard in listed], splits))
    return ShardStore(root, index)


def sample_table(arrays: list[np.ndarray], sizes: list[int], splits: list[int] | None = None) -> pa.Table:
    lengths = np.array([len(array) for array in arrays], np.int64)
    number = len(arrays)
    offsets = [np.concatenate([[0], np.cumsum(part)])[:-1] for part in np.split(lengths, np.cumsum(sizes)[:-1])]
    columns = [
        [f"s{i}" for i in range(number)],
        np.repeat(np.arange(len(sizes)), sizes).tolist(),
        np.concatenate(offsets).astype(int).tolist() if number else [],
        lengths.tolist(),
        [f"g{i}" for i in range(number)],
        splits if splits is not None else [0 if i % 5 else 1 for i in range(number)],
        [1.0] * number,
    ]
    return pa.table(columns, schema=pa.schema(list(SAMPLE_FIELDS)))
