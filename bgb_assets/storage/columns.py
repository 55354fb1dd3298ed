"""Arrow columns as NumPy arrays and back, runs of equal values, and the digest of a table's content.

Written on Arrow's buffers because `pyarrow.Array.to_numpy` and `pyarrow.array` import pandas, which takes more than
a second: a reader that only wants numbers must not pay for that.

Belongs here: whole columns, no files. Does not belong here: Parquet (`tables`), what a column means.
"""

import hashlib
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from bgb_assets.runtime.errors import StoreError
from bgb_assets.storage.digests import canonical_json

Column: TypeAlias = Any
"""An Arrow array or chunked array. 2026-11, pyarrow 26: its type stubs deny its buffers the buffer protocol."""

_NUMPY: dict[Any, str] = {
    pa.int8(): "i1",
    pa.int16(): "<i2",
    pa.int32(): "<i4",
    pa.int64(): "<i8",
    pa.uint8(): "u1",
    pa.uint16(): "<u2",
    pa.uint32(): "<u4",
    pa.uint64(): "<u8",
    pa.float16(): "<f2",
    pa.float32(): "<f4",
    pa.float64(): "<f8",
    pa.timestamp("us", tz="UTC"): "<i8",
}
_ARROW = {np.dtype(text): kind for kind, text in _NUMPY.items() if not pa.types.is_timestamp(kind)}


@dataclass(frozen=True)
class Codes:
    """A column of strings as numbers.

    Attributes:
        codes: int32, one per row; -1 for null.
        values: The distinct strings, in the order in which the codes count them.
    """

    codes: npt.NDArray[np.int32]
    values: tuple[str, ...]


def as_numpy(column: Column) -> npt.NDArray[np.generic]:
    """Return a column of numbers, booleans or UTC timestamps (as int64 microseconds); one chunk is not copied.

    A null becomes NaN in a float column.

    Raises:
        StoreError: A null in a column that cannot hold NaN, or a type that is no number.
    """
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    views = [_view(chunk) for chunk in chunks]
    if not views:
        return np.empty(0, dtype=_numpy_type(column.type))
    return views[0] if len(views) == 1 else np.concatenate(views)


def from_numpy(values: npt.NDArray[np.generic]) -> Column:
    """Return an Arrow array on the memory of a one-dimensional array of numbers or booleans, without nulls."""
    if values.dtype == np.bool_:
        packed: Any = np.packbits(values.astype(np.bool_, copy=False), bitorder="little")
        return pa.Array.from_buffers(pa.bool_(), len(values), [None, pa.py_buffer(packed)])
    kind = _ARROW.get(values.dtype)
    if kind is None or values.ndim != 1:
        raise StoreError(f"no Arrow column for a {values.ndim}-dimensional array of {values.dtype}")
    buffer: Any = np.ascontiguousarray(values)
    return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(buffer)])


def as_codes(column: Column) -> Codes:
    """Return a string column, dictionary-encoded or not, as codes into its distinct values."""
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    if column.num_chunks == 0:
        return Codes(np.empty(0, np.int32), ())
    chunks: list[Any] = column.chunks
    # A table that was read is unified already; doing it again hashes every value once per chunk.
    if not _share_dictionary(chunks):
        chunks = column.unify_dictionaries().chunks
    codes = [_dictionary_codes(chunk) for chunk in chunks]
    return Codes(np.concatenate(codes), tuple(chunks[0].dictionary.to_pylist()))


def run_offsets(values: npt.NDArray[np.generic]) -> npt.NDArray[np.int64]:
    """Return where each run of equal neighbours begins, and the length at the end: the offsets of a CSR grouping."""
    starts = np.flatnonzero(values[1:] != values[:-1]) + 1
    edges = [starts, [len(values)]] if len(values) else [[0]]
    return np.concatenate([np.zeros(1 if len(values) else 0, np.int64), *edges]).astype(np.int64)


def content_digest(table: pa.Table) -> str:
    """Return the SHA-256 of a table's names, types and values.

    Chunks, dictionaries, offsets into shared buffers and the bytes below nulls do not count, so that equal
    content has one digest however it was cut up or read, and whatever library version wrote it.
    """
    content = hashlib.sha256()
    for field in table.schema:
        column = table.column(field.name)
        if pa.types.is_dictionary(field.type):
            column = column.cast(field.type.value_type)
        content.update(f"{field.name}:{column.type}:{len(column)}\n".encode())
        _hash_column(content, column)
    return content.hexdigest()


def _hash_column(content: "hashlib._Hash", column: Column) -> None:
    """Feed numbers as a bit per valid row and the values, nulls as zeros; anything else as canonical JSON."""
    if column.type not in _NUMPY and not pa.types.is_boolean(column.type):
        content.update(canonical_json(column.to_pylist()))
        return
    for chunk in column.chunks:
        content.update(np.where(_valid(chunk), _raw(chunk), np.zeros((), _numpy_type(chunk.type))).tobytes())
    valid = np.concatenate([np.empty(0, np.bool_), *(_valid(chunk) for chunk in column.chunks)])
    content.update(np.packbits(valid).tobytes())


def _view(chunk: Column) -> npt.NDArray[np.generic]:
    values = _raw(chunk)
    if chunk.null_count == 0:
        return values
    if not pa.types.is_floating(chunk.type):
        raise StoreError(f"a column of {chunk.type} holds {chunk.null_count} nulls; only floats can stand for them")
    return np.where(_valid(chunk), values, np.array(np.nan, values.dtype))


def _raw(chunk: Column) -> npt.NDArray[np.generic]:
    """Return the values of a chunk, whatever lies below its nulls."""
    dtype = _numpy_type(chunk.type)
    data = chunk.buffers()[1]
    if len(chunk) == 0 or data is None:
        return np.zeros(len(chunk), dtype)
    if pa.types.is_boolean(chunk.type):
        return _bits(data, chunk.offset, len(chunk))
    return np.frombuffer(data, dtype, count=len(chunk), offset=chunk.offset * dtype.itemsize)


def _valid(chunk: Column) -> npt.NDArray[np.bool_]:
    bitmap = chunk.buffers()[0]
    if chunk.null_count == 0 or bitmap is None:
        return np.ones(len(chunk), np.bool_)
    return _bits(bitmap, chunk.offset, len(chunk))


def _bits(buffer: Any, start: int, count: int) -> npt.NDArray[np.bool_]:
    whole = np.unpackbits(np.frombuffer(buffer, np.uint8), count=start + count, bitorder="little")
    return whole[start:].view(np.bool_)


def _numpy_type(kind: pa.DataType) -> np.dtype[np.generic]:
    if pa.types.is_boolean(kind):
        return np.dtype(np.bool_)
    if kind not in _NUMPY:
        raise StoreError(f"a column of {kind} holds no numbers")
    return np.dtype(_NUMPY[kind])


def _share_dictionary(chunks: list[Any]) -> bool:
    """Return whether the dictionaries of the chunks are the same memory; equal content elsewhere does not count."""
    return len({_place(chunk.dictionary) for chunk in chunks}) == 1


def _place(values: Column) -> tuple[int, ...]:
    return values.offset, len(values), *(buffer.address if buffer is not None else 0 for buffer in values.buffers())


def _dictionary_codes(chunk: Column) -> npt.NDArray[np.int32]:
    indices = chunk.indices
    if indices.null_count == 0:
        return _raw(indices).astype(np.int32, copy=False)
    return np.where(_valid(indices), _raw(indices), -1).astype(np.int32)
