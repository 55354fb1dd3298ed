import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest

from bgb_assets.modalities.beatmap.tables.arrow_columns import (
    array_of,
    column_dtype,
    fitted,
    number_array,
    outside,
    repeated_texts,
)

LARGEST = float(np.finfo(np.float32).max)
TEXT = pa.dictionary(pa.int32(), pa.string())


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1.5, None, -2.0], pa.float64()),
        ([1.5, None, 0.1], pa.float32()),
        ([1, -128, 127], pa.int8()),
        ([None, None], pa.int16()),
        (list(range(100_000, 100_020)), pa.int32()),
        ([True, False, None] * 5, pa.bool_()),
        (["a", None, "", "äö\U0001f600"], pa.string()),
        (["b", "a", None, "b"], TEXT),
        ([None, None], TEXT),
        ([["x", "ß"], [], ["y"]], pa.list_(pa.string())),
        ([["x"], None, []], pa.list_(pa.string())),
        ([], pa.float64()),
        ([], pa.string()),
        ([], TEXT),
        ([], pa.list_(pa.string())),
    ],
)
def test_arrays_equal_those_of_pyarrow(values, kind):
    ours = array_of(values, kind)
    ours.validate(full=True)
    assert ours.equals(pa.array(values, kind))
    assert ours.null_count == sum(value is None for value in values)


@pytest.mark.parametrize(
    ("kind", "values", "held"),
    [
        (pa.int8(), [-129, 128, 5], [-128, 127, 5]),
        (pa.int16(), [40_000, 2**53, -1], [32_767, 32_767, -1]),
        (pa.float32(), [1e300, -1e300, 0.5], [LARGEST, -LARGEST, 0.5]),
        (pa.float64(), [1e300, -1e300, 0.1], [1e300, -1e300, 0.1]),
    ],
)
def test_numbers_beyond_a_column_become_its_end(kind, values, held):
    assert array_of(values, kind).to_pylist() == held
    given = np.array(values)
    assert fitted(given, kind).tolist() == held
    assert outside(given, kind).tolist() == [a != b for a, b in zip(values, held, strict=True)]


@pytest.mark.parametrize("kind", [pa.float64(), pa.float32(), pa.int8(), pa.int16(), pa.int32(), pa.bool_()])
@pytest.mark.parametrize("length", [0, 1, 8, 9, 1000])
def test_number_arrays_equal_those_of_pyarrow(kind, length):
    values = np.random.default_rng(length).integers(0, 2, length).astype(column_dtype(kind))
    ours = number_array(values, kind)
    ours.validate(full=True)
    assert ours.equals(pa.array(values, kind))


def test_a_column_that_is_a_view_is_copied_as_it_is_seen():
    every_second = np.arange(20, dtype="<i4")[::2]
    assert number_array(every_second, pa.int32()).to_pylist() == list(range(0, 20, 2))


def test_texts_are_repeated_and_stored_once():
    column = repeated_texts(["a", "b", "a"], [2, 0, 1])
    assert column.to_pylist() == ["a", "a", "a"]
    assert column.dictionary.to_pylist() == ["a", "b"]
    column.validate(full=True)


def test_no_pandas_is_imported_on_the_way_to_parquet():
    code = (
        "import sys, io, pyarrow as pa, pyarrow.parquet as pq\n"
        "from bgb_assets.modalities.beatmap.tables.note_tables import TableBuilder\n"
        "from bgb_assets.modalities.beatmap.tables.schemas import NAMES\n"
        "from pathlib import Path\n"
        "import tempfile\n"
        "with tempfile.TemporaryDirectory() as folder:\n"
        "    TableBuilder().write([dict.fromkeys(NAMES, 'x') | {'requirements': ['y']}], Path(folder))\n"
        "assert 'pandas' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
