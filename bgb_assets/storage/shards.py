"""Shards and their index: many ragged samples in flat files that a loader maps into memory.

A shard is a directory with one flat little-endian `.npy` per ragged array, one `.npy` of offsets, and
`shard.json`, which lists them with digests. `index.json` names the shards and the dense arrays that are mapped
in place; `samples.parquet` has one row per sample. Splits and weights live only there, so that a changed split
rewrites no shard. Places are relative to the store root: a copied data folder works.

Belongs here: the two file formats, their writers and readers. Does not belong here: which samples share a shard
(`compaction`), and opening the arrays (`bgb_assets.loading.mapped`, next in the flow).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from bgb_assets.runtime.errors import NewerStore, StoreError
from bgb_assets.storage.atomic import write_json
from bgb_assets.storage.columns import as_numpy, run_offsets
from bgb_assets.storage.digests import sha256_file, sha256_json

VERSION = 1
INDEX_FILE = "index.json"
SAMPLES_FILE = "samples.parquet"
SHARD_FILE = "shard.json"
OFFSETS_SUFFIX = ".offsets"
NO_SHARD = -1
"""In column `shard`: the sample has no ragged arrays (dense modalities)."""

SAMPLE_FIELDS: "tuple[pa.Field[Any], ...]" = (
    pa.field("sample", pa.string()),
    pa.field("shard", pa.int32()),
    pa.field("offset", pa.int64()),
    pa.field("length", pa.int32()),
    pa.field("group", pa.string()),
    pa.field("split", pa.int8()),
    pa.field("weight", pa.float32()),
)
"""The columns every index has, in order; `source` (int32, -1 for none) and the modality's own follow.

`offset` and `length` count elements of the shard's first ragged array; `length` is what batches are sorted by.
"""

Array: TypeAlias = npt.NDArray[np.generic]


class Ragged(NamedTuple):
    """Arrays of different lengths, end to end.

    Attributes:
        values: Shape (m, ...): all arrays, concatenated on the first axis.
        offsets: int64, shape (n + 1,): array i is `values[offsets[i]:offsets[i + 1]]`.
    """

    values: Array
    offsets: npt.NDArray[np.int64]


@dataclass(frozen=True)
class ArrayFile:
    """One `.npy` of a shard: name of the file, its NumPy type and shape, and the SHA-256 of its bytes."""

    file: str
    dtype: str
    shape: tuple[int, ...]
    digest: str


@dataclass(frozen=True)
class Shard:
    """One shard.

    Attributes:
        location: Its directory, relative to the store root; empty until an index names it.
        arrays: Array name -> file. A ragged array `x` has two: `x` and `x.offsets`; the first named counts `offset`.
        samples: How many samples it holds.
    """

    location: str
    arrays: Mapping[str, ArrayFile]
    samples: int


@dataclass(frozen=True)
class Source:
    """A dense array in an entry of its upload, mapped in place; `location` is relative to the store root."""

    upload: str
    location: str
    file: str
    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Index:
    """What a loader needs to know before it opens an array.

    Attributes:
        upstream: What the samples were made with: params, code versions, vocabulary digest.
        samples: One row per sample, shard after shard, each shard's in its own order.
        arrays: Flat arrays beside the index, which a loader maps instead of reading `samples`.
    """

    upstream: Mapping[str, Any]
    shards: tuple[Shard, ...]
    samples: pa.Table
    sources: tuple[Source, ...]
    arrays: Mapping[str, ArrayFile] = field(default_factory=dict)

    def __len__(self) -> int:
        return int(self.samples.num_rows)

    def column(self, name: str) -> Array:
        """Return a numeric column of `samples`.

        Raises:
            StoreError: There is no such column, or it is not numeric.
        """
        if name not in self.samples.column_names:
            raise StoreError(f"index has no column {name!r}; it has {self.samples.column_names!r}")
        return as_numpy(self.samples.column(name))

    @cached_property
    def shard_starts(self) -> npt.NDArray[np.int64]:
        """Row of `samples` at which each shard begins, and the end: shape (shards + 1,)."""
        return np.concatenate([[0], np.cumsum([shard.samples for shard in self.shards])]).astype(np.int64)


def write_shard(out: Path, ragged: Mapping[str, Ragged | Sequence[Array]]) -> Shard:
    """Write ragged arrays and `shard.json` into an empty directory; all must hold the same number of samples.

    Byte-deterministic: a function of the values, whatever the machine's byte order.

    Raises:
        StoreError: No arrays, numbers of samples that differ, offsets that do not fit, or values of a type
            that cannot be mapped.
    """
    if not ragged:
        raise StoreError(f"shard {out.name!r}: needs at least one ragged array, got none")
    joined = {name: _join(f"shard {out.name!r}, array {name!r}", value) for name, value in ragged.items()}
    counts = {name: len(value.offsets) - 1 for name, value in joined.items()}
    if len(set(counts.values())) != 1:
        raise StoreError(f"shard {out.name!r}: arrays must hold the same number of samples, got {counts!r}")
    arrays = {}
    for name, value in joined.items():
        arrays[name] = _write_array(out, name, value.values)
        arrays[name + OFFSETS_SUFFIX] = _write_array(out, name + OFFSETS_SUFFIX, value.offsets)
    shard = Shard("", arrays, next(iter(counts.values())))
    # A list, not an object: canonical JSON sorts keys, and the first array is the one that offsets count.
    named = [{"name": name, **asdict(array)} for name, array in arrays.items()]
    write_json(out / SHARD_FILE, {"version": VERSION, "samples": shard.samples, "arrays": named})
    return shard


def describe_shard(directory: Path, location: str) -> Shard:
    """Return the shard in an entry, to be listed in an index under a location relative to the store root.

    Raises:
        StoreError: The directory holds no readable `shard.json`.
    """
    listing = _read_json(directory / SHARD_FILE)
    return _shard(location, listing, directory / SHARD_FILE)


def describe_source(upload: str, directory: Path, location: str, file: str) -> Source:
    """Return a dense array of an entry, to be listed in an index; reads its header only.

    Raises:
        StoreError: The file is missing or no `.npy`.
    """
    try:
        array = np.load(directory / file, mmap_mode="r")
    except (OSError, ValueError) as error:
        raise StoreError(f"source {location}/{file} of {upload!r}: not a readable .npy ({error})") from error
    return Source(upload, location, file, array.dtype.str, array.shape)


def empty_samples(extra: Mapping[str, pa.DataType] | None = None) -> pa.Table:
    """Return a sample table without rows: what an index of no samples holds."""
    fields = [*SAMPLE_FIELDS, *(pa.field(name, kind) for name, kind in (extra or {}).items())]
    return pa.Table.from_batches([], pa.schema(fields))


def write_index(
    out: Path,
    *,
    shards: Sequence[Shard],
    samples: pa.Table,
    sources: Sequence[Source] = (),
    upstream: Mapping[str, Any] | None = None,
    arrays: Mapping[str, ArrayFile] | None = None,
) -> str:
    """Write `index.json` and `samples.parquet`; return the digest of both. No samples is a valid index.

    Args:
        out: Directory of the index.
        shards: In the order in which `samples` follows them.
        samples: See `SAMPLE_FIELDS`.
        sources: Dense arrays that column `source` counts.
        upstream: What the samples were made with.
        arrays: Flat arrays in the same directory, from `write_arrays`.

    Raises:
        StoreError: Columns are missing or of another type, or the rows do not follow the shards.
    """
    _check_samples(samples, shards, len(sources))
    options: dict[str, Any] = {"compression": "zstd", "version": "2.6", "store_schema": False, "use_dictionary": False}
    pq.write_table(samples.replace_schema_metadata(None), out / SAMPLES_FILE, **options)
    listed = [
        {"location": shard.location, "samples": shard.samples, "arrays": _named(shard.arrays)} for shard in shards
    ]
    listing = {
        "version": VERSION,
        "upstream": upstream or {},
        "shards": listed,
        "samples": SAMPLES_FILE,
        "sources": [asdict(source) for source in sources],
        **({"arrays": _named(arrays)} if arrays else {}),
    }
    write_json(out / INDEX_FILE, listing)
    return sha256_json([sha256_file(out / INDEX_FILE), sha256_file(out / SAMPLES_FILE)])


def write_arrays(out: Path, arrays: Mapping[str, Array]) -> dict[str, ArrayFile]:
    """Write flat arrays of numbers as little-endian `.npy`, to be listed in the index in the same directory."""
    return {name: _write_array(out, name, values) for name, values in arrays.items()}


def read_listing(directory: Path) -> dict[str, Any]:
    """Return the content of `index.json` alone: for a loader that maps the arrays listed there.

    Raises:
        StoreError: The file is missing or torn.
        NewerStore: Written by a later version of this project.
    """
    return _read_json(directory / INDEX_FILE)


def read_index(directory: Path) -> Index:
    """Read `index.json` and `samples.parquet`, nothing else.

    Raises:
        StoreError: A file is missing or torn, or the samples do not follow the shards.
        NewerStore: Written by a later version of this project.
    """
    path = directory / INDEX_FILE
    listing = _read_json(path)
    try:
        # Not `pq.read_table`: it goes through `pyarrow.dataset`, which imports pandas.
        with pq.ParquetFile(directory / listing["samples"]) as file:
            samples = file.read()
        shards = tuple(_shard(item["location"], item, path) for item in listing["shards"])
        sources = tuple(Source(**{**item, "shape": tuple(item["shape"])}) for item in listing["sources"])
    except (KeyError, TypeError, OSError, pa.ArrowInvalid) as error:
        raise StoreError(f"index {path}: cannot be read ({error!r}); materialize tokens again") from error
    _check_samples(samples, shards, len(sources))
    arrays = _array_files(listing.get("arrays", []), path)
    return Index(listing["upstream"], shards, samples, sources, arrays)


def _join(where: str, value: Ragged | Sequence[Array]) -> Ragged:
    """Return values and offsets, checked against each other."""
    if not isinstance(value, Ragged):
        arrays = [np.asarray(array) for array in value]
        if not arrays:
            raise StoreError(f"{where}: a list of no arrays has no type; give Ragged(empty values, [0])")
        if kinds := {array.dtype for array in arrays} - {arrays[0].dtype}:
            raise StoreError(
                f"{where}: arrays must have one type, got {arrays[0].dtype} and {sorted(map(str, kinds))!r}"
            )
        lengths = [len(array) for array in arrays]
        value = Ragged(np.concatenate(arrays), np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64))
    offsets = np.asarray(value.offsets)
    fits = (
        len(offsets) > 0
        and offsets[0] == 0
        and offsets[-1] == len(value.values)
        and bool((np.diff(offsets) >= 0).all())
    )
    if not fits:
        raise StoreError(f"{where}: offsets must rise from 0 to {len(value.values)}, got {offsets!r}")
    return Ragged(value.values, offsets.astype(np.int64))


def _write_array(out: Path, name: str, values: Array) -> ArrayFile:
    little = values.dtype.newbyteorder("<")
    if little.hasobject or little.kind not in "biuf":
        raise StoreError(f"array {name!r} of {out.name!r}: only numbers can be mapped, got {values.dtype}")
    path = out / f"{name}.npy"
    np.save(path, np.ascontiguousarray(values, dtype=little), allow_pickle=False)
    return ArrayFile(path.name, little.str, values.shape, sha256_file(path))


def _named(arrays: Mapping[str, ArrayFile]) -> list[dict[str, Any]]:
    return [{"name": name, **asdict(array)} for name, array in arrays.items()]


def _shard(location: str, listing: Mapping[str, Any], path: Path) -> Shard:
    try:
        listed, samples = listing["arrays"], int(listing["samples"])
    except (KeyError, TypeError) as error:
        raise StoreError(f"{path}: does not list a shard's arrays ({error!r}); materialize tokens again") from error
    return Shard(location, _array_files(listed, path), samples)


def _array_files(listed: Sequence[Mapping[str, Any]], path: Path) -> dict[str, ArrayFile]:
    try:
        return {
            item["name"]: ArrayFile(item["file"], item["dtype"], tuple(item["shape"]), item["digest"])
            for item in listed
        }
    except (KeyError, TypeError) as error:
        raise StoreError(f"{path}: does not list a shard's arrays ({error!r}); materialize tokens again") from error


def _read_json(path: Path) -> dict[str, Any]:
    try:
        listing = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise StoreError(f"{path}: cannot be read ({error}); materialize tokens again") from error
    version = listing.get("version") if isinstance(listing, dict) else None
    if not isinstance(version, int) or version < 1:
        raise StoreError(f"{path}: version must be a positive integer, got {version!r}; materialize tokens again")
    if version > VERSION:
        raise NewerStore(f"{path}: is of version {version}, this project reads up to {VERSION}; update bgb_assets")
    return dict(listing)


def _check_samples(samples: pa.Table, shards: Sequence[Shard], sources: int) -> None:
    """Refuse a sample table that lacks columns or does not follow the shards."""
    for wanted in SAMPLE_FIELDS:
        position = samples.schema.get_field_index(wanted.name)
        got = samples.schema.field(position).type if position >= 0 else None
        if got != wanted.type:
            raise StoreError(f"index samples: column {wanted.name!r} must be {wanted.type}, got {got}")
    _check_order(as_numpy(samples.column("shard")), shards)
    if "source" in samples.column_names and samples.num_rows:
        numbers = as_numpy(samples.column("source")).astype(np.int64)
        if numbers.min() < -1 or numbers.max() >= sources:
            raise StoreError(
                f"index samples: source must be -1 to {sources - 1}, got {numbers.min()} to {numbers.max()}"
            )


def _check_order(shard_of: Array, shards: Sequence[Shard]) -> None:
    numbers = shard_of.astype(np.int64)
    expected = np.repeat(np.arange(len(shards)), [shard.samples for shard in shards])
    if len(shards) == 0 and bool((numbers == NO_SHARD).all()):
        return
    if not np.array_equal(numbers, expected):
        got = [int(count) for count in np.diff(run_offsets(shard_of))]
        raise StoreError(
            f"index samples: rows must follow the shards, {[shard.samples for shard in shards]!r} samples each; "
            f"got runs of {got!r}"
        )
