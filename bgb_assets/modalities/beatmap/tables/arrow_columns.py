"""Arrow arrays made from their buffers.

Belongs here: numbers, texts, dictionaries and lists of texts as Arrow arrays, with nulls. `pyarrow.array` does the
same, but imports pandas on its first call, to ask whether it was given a series: 50 MB and 0.2 s in every worker.
Does not belong here: which columns there are (`schemas`). Used by `note_tables`.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

_DTYPES = {
    pa.float64(): "<f8",
    pa.float32(): "<f4",
    pa.int8(): "<i1",
    pa.int16(): "<i2",
    pa.int32(): "<i4",
    pa.bool_(): "?",
}


def column_dtype(kind: pa.DataType) -> np.dtype[Any]:
    """Return the numpy dtype, little-endian, of a column of numbers or flags."""
    return np.dtype(_DTYPES[kind])


def number_array(values: NDArray[Any], kind: pa.DataType) -> Any:
    """Return a column of numbers or flags without nulls; `values` has the dtype of `column_dtype(kind)`."""
    return _numbers(values, kind, None)


def repeated_texts(texts: Sequence[str], lengths: Sequence[int]) -> Any:
    """Return a dictionary column in which each text is repeated as often as its length says."""
    distinct = list(dict.fromkeys(texts))
    indices = np.repeat(np.array([distinct.index(text) for text in texts], np.int32), lengths)
    return pa.DictionaryArray.from_arrays(_numbers(indices, pa.int32(), None), _texts(distinct))


def fitted(values: NDArray[Any], kind: pa.DataType) -> NDArray[Any]:
    """Return numbers or flags in the dtype of a column; what is beyond its range becomes its end, and nothing wraps."""
    dtype = column_dtype(kind)
    if dtype.kind == "b":
        return np.ascontiguousarray(values.astype(dtype))
    limits = np.iinfo(dtype) if dtype.kind == "i" else np.finfo(dtype)
    return np.ascontiguousarray(np.clip(values, limits.min, limits.max).astype(dtype))


def outside(values: NDArray[Any], kind: pa.DataType) -> NDArray[np.bool_]:
    """Say which numbers are beyond the range of a column."""
    dtype = column_dtype(kind)
    if dtype.kind == "b":
        return np.zeros(len(values), np.bool_)
    limits = np.iinfo(dtype) if dtype.kind == "i" else np.finfo(dtype)
    return np.asarray((values < limits.min) | (values > limits.max))


def array_of(values: Sequence[Any], kind: Any) -> Any:
    """Return a column of any type of the schemas from Python values; None is null, a number beyond it its end."""
    if pa.types.is_dictionary(kind):
        distinct = list(dict.fromkeys(value for value in values if value is not None))
        indices = [None if value is None else distinct.index(value) for value in values]
        return pa.DictionaryArray.from_arrays(array_of(indices, kind.index_type), _texts(distinct))
    if pa.types.is_list(kind):
        return _text_lists(values, kind)
    if pa.types.is_string(kind):
        return _texts(values)
    filled = np.array([0 if value is None else value for value in values])
    return _numbers(fitted(filled, kind), kind, [value is not None for value in values])


def _numbers(values: NDArray[Any], kind: pa.DataType, valid: Sequence[bool] | None) -> Any:
    flags = pa.types.is_boolean(kind)
    data = np.packbits(values, bitorder="little") if flags else np.ascontiguousarray(values)
    return pa.Array.from_buffers(kind, len(values), [_bitmap(valid), pa.py_buffer(data.tobytes())])


def _texts(values: Sequence[str | None]) -> Any:
    encoded = [b"" if value is None else value.encode() for value in values]
    offsets = np.cumsum([0, *(len(text) for text in encoded)], dtype=np.int32)
    buffers = [_bitmap([value is not None for value in values]), pa.py_buffer(offsets.tobytes())]
    return pa.Array.from_buffers(pa.string(), len(encoded), [*buffers, pa.py_buffer(b"".join(encoded))])


def _text_lists(values: Sequence[Sequence[str] | None], kind: Any) -> Any:
    lists = [value or () for value in values]
    offsets = np.cumsum([0, *(len(texts) for texts in lists)], dtype=np.int32)
    buffers = [_bitmap([value is not None for value in values]), pa.py_buffer(offsets.tobytes())]
    flat = _texts([text for texts in lists for text in texts])
    return pa.Array.from_buffers(kind, len(lists), buffers, children=[flat])


def _bitmap(valid: Sequence[bool] | None) -> Any:
    """Return the bitmap of what is not null; None where nothing is, as `pyarrow.array` has it."""
    if valid is None or all(valid):
        return None
    return pa.py_buffer(np.packbits(np.array(valid, np.bool_), bitorder="little").tobytes())
