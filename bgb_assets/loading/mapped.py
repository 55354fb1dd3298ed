"""Memory maps that open on first use in each process, and the store of samples made of them.

Belongs here: giving sample i's arrays as views, without a copy. Does not belong here: what a sample is made
into (`dataset`), or in which order (`order`).
"""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bgb_assets.runtime.errors import StoreError
from bgb_assets.storage.shards import NO_SHARD, OFFSETS_SUFFIX, ArrayFile, Index, Shard, Source, read_index

Array = npt.NDArray[np.generic]


class MappedArray:
    """A read-only `.npy` that is mapped when first used.

    Pickled without its map, so that a spawned worker opens its own. The view is a plain array, not a
    `np.memmap`: slicing the subclass costs twice as much.
    """

    def __init__(self, path: Path, dtype: str, shape: tuple[int, ...]) -> None:
        self.path = path
        self.dtype = np.dtype(dtype)
        self.shape = shape
        self._values: Array | None = None

    @property
    def values(self) -> Array:
        """The array.

        Raises:
            StoreError: The file is missing or does not hold what the index says.
        """
        if self._values is None:
            self._values = self._open()
        return self._values

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_values": None}

    def _open(self) -> Array:
        try:
            values: Array = np.asarray(np.load(self.path, mmap_mode="r", allow_pickle=False))
        except (OSError, ValueError) as error:
            raise StoreError(f"{self.path}: cannot be mapped ({error}); run `bgb cache verify`") from error
        if values.dtype != self.dtype or values.shape != self.shape:
            raise StoreError(
                f"{self.path}: the index says {self.dtype} {self.shape!r}, "
                f"the file holds {values.dtype} {values.shape!r}; materialize tokens again"
            )
        return values


class _MappedShard:
    """The arrays of one shard; the offsets are read once, as they are small and looked up for each sample."""

    def __init__(self, root: Path, shard: Shard) -> None:
        self._arrays = {name: _map(root / shard.location, file) for name, file in shard.arrays.items()}
        self.location = shard.location

    def sample(self, name: str, position: int) -> Array:
        """Return the part of a ragged array that belongs to the sample at a position of this shard."""
        try:
            values, offsets = self._arrays[name].values, self._arrays[name + OFFSETS_SUFFIX].values
        except KeyError:
            ragged = [known for known in self._arrays if not known.endswith(OFFSETS_SUFFIX)]
            raise StoreError(f"shard {self.location}: no array {name!r}; it has {ragged!r}") from None
        return values[offsets[position] : offsets[position + 1]]


class ShardStore:
    """All samples of an index, by row number.

    Reads `index.json` and `samples.parquet` when made and opens an array when it is first asked for.
    Picklable; every process opens its own maps.

    Args:
        root: The store root, to which the index's locations are relative.
        index_dir: The directory of `index.json`.
    """

    def __init__(self, root: Path, index_dir: Path) -> None:
        self.root = root
        self.index_dir = index_dir
        self._open(read_index(index_dir))

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, key: tuple[str, int]) -> Array:
        """Return `store["tokens", i]`, a read-only view of sample i's part of a ragged array."""
        name, row = key
        number = int(self._shard_of[row])
        if number == NO_SHARD:
            raise StoreError(f"sample {row} has no ragged arrays, asked for {name!r}")
        return self._shards[number].sample(name, int(row - self._starts[number]))

    def source(self, row: int) -> Array | None:
        """Return the dense array of a sample's upload, mapped in place, or None where it has none."""
        number = int(self.columns["source"][row])
        return None if number < 0 else self.source_at(number)

    def source_at(self, number: int) -> Array:
        """Return a dense array by its place in `index.sources`, for samples that have more than one."""
        return self._sources[number].values

    def column(self, name: str) -> Array:
        """Return a numeric column of the samples, shape (samples,)."""
        return self.columns[name]

    @cached_property
    def columns(self) -> "_Columns":
        """The numeric columns, each converted when first asked for."""
        return _Columns(self.index)

    def __getstate__(self) -> dict[str, Any]:
        # Paths alone: a worker reads the two small files itself, cheaper than pickling a table of samples.
        return {"root": self.root, "index_dir": self.index_dir}

    def __setstate__(self, state: Mapping[str, Path]) -> None:
        self.root, self.index_dir = state["root"], state["index_dir"]
        self._open(read_index(self.index_dir))

    def _open(self, index: Index) -> None:
        self.index = index
        self._shards = [_MappedShard(self.root, shard) for shard in index.shards]
        self._sources = [_map(self.root / source.location, source) for source in index.sources]
        self._shard_of = index.column("shard").astype(np.int64)
        self._starts = index.shard_starts


class _Columns(dict[str, Array]):
    def __init__(self, index: Index) -> None:
        super().__init__()
        self._index = index

    def __missing__(self, name: str) -> Array:
        self[name] = self._index.column(name)
        return self[name]


def _map(directory: Path, file: ArrayFile | Source) -> MappedArray:
    return MappedArray(directory / file.file, file.dtype, file.shape)
