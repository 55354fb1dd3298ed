import subprocess
import sys
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from bgb_assets.runtime.errors import StoreError
from bgb_assets.storage.columns import as_codes, as_numpy, content_digest, from_numpy, run_offsets

NUMBERS = st.sampled_from(["i1", "<i2", "<i4", "<i8", "u1", "<u2", "<u4", "<f2", "<f4", "<f8", "?"])
ARRAYS = NUMBERS.flatmap(
    lambda dtype: hnp.arrays(dtype, st.integers(0, 40), elements={"allow_nan": False} if "f" in dtype else None)
)


@given(ARRAYS, st.integers(0, 40), st.integers(0, 40))
def test_numbers_survive_the_way_to_arrow_and_back_also_in_slices_and_chunks(values, start, cut):
    column = from_numpy(values)
    assert column.equals(pa.array(values))
    np.testing.assert_array_equal(as_numpy(column.slice(start)), values[start:])
    np.testing.assert_array_equal(as_numpy(pa.chunked_array([column.slice(0, cut), column.slice(cut)])), values)


def test_one_chunk_is_not_copied():
    values = np.arange(5.0)
    assert np.shares_memory(as_numpy(from_numpy(values)), values)


def test_a_null_is_nan_in_floats_and_an_error_elsewhere():
    np.testing.assert_array_equal(as_numpy(pa.array([1.0, None, 3.0]).slice(1)), [np.nan, 3.0])
    with pytest.raises(StoreError, match="int64 holds 1 nulls"):
        as_numpy(pa.array([1, None]))


def test_what_is_no_number_is_refused():
    with pytest.raises(StoreError, match="string holds no numbers"):
        as_numpy(pa.array(["a"]))
    with pytest.raises(StoreError, match="complex128"):
        from_numpy(np.zeros(2, complex))


def test_codes_of_plain_and_encoded_strings():
    plain = pa.chunked_array([["b", "a", None], ["a", "c"]])
    for column in (
        plain,
        plain.dictionary_encode(),
        pa.chunked_array([one.dictionary_encode() for one in plain.chunks]),
        pa.chunked_array([one.dictionary_encode() for one in plain.chunks]).unify_dictionaries(),
        pa.chunked_array([["b", "a", None, "a", "c", "a"]]).dictionary_encode().slice(0, 5),
    ):
        found = as_codes(column)
        assert [found.values[code] if code >= 0 else None for code in found.codes] == ["b", "a", None, "a", "c"]
    assert as_codes(pa.chunked_array([], pa.string())).values == ()


@given(st.lists(st.integers(0, 2), max_size=30))
def test_runs_are_cut_where_neighbours_differ(values):
    offsets = run_offsets(np.array(values, np.int64))
    runs = [values[start:stop] for start, stop in pairwise(offsets)]
    assert [value for run in runs for value in run] == values
    assert all(len(set(run)) == 1 for run in runs)
    assert all(left[0] != right[0] for left, right in pairwise(runs))
    assert offsets[-1] == len(values)


def sample() -> pa.Table:
    return pa.table(
        {
            "n": pa.array([1, None, 3], pa.int16()),
            "x": [0.5, None, 2.0],
            "yes": [True, None, False],
            "name": ["a", None, "ü"],
            "tags": [["a"], None, []],
        }
    )


def test_the_digest_does_not_see_how_a_table_is_cut_or_encoded():
    table = sample()
    expected = content_digest(table)
    pieces = pa.concat_tables([table.slice(0, 1), table.slice(1)])
    encoded = table.set_column(3, "name", pieces["name"].dictionary_encode())
    assert content_digest(pieces) == content_digest(encoded) == expected
    assert content_digest(pa.concat_tables([table, table]).slice(3)) == expected


@pytest.mark.parametrize("name", ["n", "x", "yes", "name", "tags"])
def test_the_digest_sees_every_column_null_and_order(name):
    table = sample()
    at = table.schema.get_field_index(name)
    other = table.set_column(at, name, table[name].take([1, 0, 2]))
    filled = table.set_column(at, name, table[name].take([0, 0, 2]))
    assert len({content_digest(one) for one in (table, other, filled, table.drop_columns([name]))}) == 4


def test_the_digest_is_this_one_for_ever():
    assert content_digest(sample()) == "f5d09b56316b6e9f874235e72b5f75c018b5d0162ccf6e674784efbcccaaf923"


def test_numbers_are_read_without_importing_pandas(tmp_path):
    import pyarrow.parquet as pq

    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"x": [1, 2], "s": ["a", "b"]}), path)
    code = (
        "import sys, pyarrow.parquet as pq; from bgb_assets.storage.columns import as_numpy, as_codes, from_numpy;"
        f"t = pq.ParquetFile({str(path)!r}).read(); x = as_numpy(t['x']); from_numpy(x); print('pandas' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
