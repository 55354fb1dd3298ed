"""Shards and their index: what is written is read back, bytes are a function of values, damage is named."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgb_assets.runtime.errors import NewerStore, StoreError
from bgb_assets.storage.digests import sha256_file
from bgb_assets.storage.shards import (
    SAMPLE_FIELDS,
    Ragged,
    describe_shard,
    describe_source,
    empty_samples,
    read_index,
    read_listing,
    write_arrays,
    write_index,
    write_shard,
)
from bgb_assets_tests.loading.ragged_store import build_store, sample_table


@given(lists=st.lists(st.lists(st.integers(-(2**15), 2**15 - 1), max_size=12), min_size=1, max_size=8))
def test_what_is_written_is_what_was_given(tmp_path_factory, lists):
    out = tmp_path_factory.mktemp("shard")
    arrays = [np.array(values, np.int16) for values in lists]
    shard = write_shard(out, {"tokens": arrays})
    values, offsets = np.load(out / "tokens.npy"), np.load(out / "tokens.offsets.npy")
    assert shard.samples == len(arrays)
    for i, array in enumerate(arrays):
        np.testing.assert_array_equal(values[offsets[i] : offsets[i + 1]], array)
    assert values.dtype == np.dtype("<i2")
    assert offsets.dtype == np.dtype("<i8")


def test_listing_names_bytes_that_are_there(tmp_path):
    shard = write_shard(tmp_path, {"a": [np.arange(3)], "b": Ragged(np.ones((2, 4), np.float16), np.array([0, 2]))})
    assert list(shard.arrays) == ["a", "a.offsets", "b", "b.offsets"]
    assert shard.arrays["b"].shape == (2, 4)
    for file in shard.arrays.values():
        assert sha256_file(tmp_path / file.file) == file.digest
    described = describe_shard(tmp_path, "tokens/x/ab/abc")
    assert (described.arrays, described.location) == (shard.arrays, "tokens/x/ab/abc")
    assert list(described.arrays) == list(shard.arrays), "the first array is the one that offsets count"


def test_big_endian_values_give_the_same_bytes(tmp_path):
    (tmp_path / "big").mkdir()
    (tmp_path / "little").mkdir()
    big = write_shard(tmp_path / "big", {"tokens": [np.arange(5, dtype=">i2")]})
    little = write_shard(tmp_path / "little", {"tokens": [np.arange(5, dtype="<i2")]})
    assert big == little


@pytest.mark.parametrize(
    ("ragged", "message"),
    [
        ({}, "at least one ragged array, got none"),
        ({"a": []}, "a list of no arrays has no type"),
        ({"a": [np.arange(2)], "b": [np.arange(2)] * 2}, "same number of samples, got {'a': 1, 'b': 2}"),
        ({"a": [np.arange(2), np.arange(2.0)]}, "arrays must have one type, got int64"),
        ({"a": Ragged(np.arange(4), np.array([0, 3]))}, "offsets must rise from 0 to 4"),
        ({"a": Ragged(np.arange(4), np.array([0, 3, 2, 4]))}, "offsets must rise from 0 to 4"),
        ({"a": [np.array(["x"])]}, "only numbers can be mapped"),
    ],
)
def test_refused(tmp_path, ragged, message):
    with pytest.raises(StoreError, match=message.replace("{", r"\{")):
        write_shard(tmp_path, ragged)


def test_index_survives_a_move_and_lists_everything(tmp_path):
    store = build_store(tmp_path / "here", 7)
    (tmp_path / "here").rename(tmp_path / "there")
    index = read_index(tmp_path / "there" / "index")
    assert len(index) == 7
    assert [shard.samples for shard in index.shards] == [4, 3]
    np.testing.assert_array_equal(index.shard_starts, [0, 4, 7])
    np.testing.assert_array_equal(index.column("length"), store.index.column("length"))
    assert index.column("split").dtype == np.int8


def test_index_is_byte_deterministic_and_has_no_absolute_path(tmp_path):
    for name in ("one", "two"):
        build_store(tmp_path / name, 7)
    for file in ("index.json", "samples.parquet"):
        one, two = ((tmp_path / name / "index" / file).read_bytes() for name in ("one", "two"))
        assert one == two
        assert str(tmp_path).encode() not in one


def test_empty_index_is_valid(tmp_path):
    digest = write_index(
        tmp_path, shards=[], samples=empty_samples({"source": pa.int32()}), upstream={"vocabulary": "ab"}
    )
    index = read_index(tmp_path)
    assert (len(index), index.shards, index.upstream) == (0, (), {"vocabulary": "ab"})
    assert index.column("source").shape == (0,)
    assert len(digest) == 64


def test_a_changed_split_changes_no_shard(tmp_path):
    store = build_store(tmp_path, 6)
    before = {path: path.read_bytes() for path in (tmp_path / "tokens").rglob("*") if path.is_file()}
    lengths = [np.zeros(n) for n in store.column("length")]
    write_index(tmp_path / "index", shards=store.index.shards, samples=sample_table(lengths, [3, 3], [2] * 6))
    assert before == {path: path.read_bytes() for path in (tmp_path / "tokens").rglob("*") if path.is_file()}
    assert set(read_index(tmp_path / "index").column("split")) == {2}


def test_source_is_described_from_its_header(tmp_path):
    np.save(tmp_path / "mel.npy", np.zeros((5, 81), np.float16))
    source = describe_source("song", tmp_path, "features/beatmap/ab/abc", "mel.npy")
    assert (source.dtype, source.shape) == ("<f2", (5, 81))
    with pytest.raises(StoreError, match=r"not a readable \.npy"):
        describe_source("song", tmp_path, "features/beatmap/ab/abc", "absent.npy")


def test_rows_must_follow_the_shards(tmp_path):
    store = build_store(tmp_path, 7)
    samples = store.index.samples.take(pa.array([4, 0, 1, 2, 3, 5, 6], pa.int64()))
    with pytest.raises(
        StoreError, match=r"rows must follow the shards, \[4, 3\] samples each; got runs of \[1, 4, 2\]"
    ):
        write_index(tmp_path, shards=store.index.shards, samples=samples)


def test_columns_must_be_there_and_of_their_type(tmp_path):
    samples = empty_samples()
    with pytest.raises(StoreError, match="column 'split' must be int8, got None"):
        write_index(tmp_path, shards=[], samples=samples.drop_columns(["split"]))
    wrong = pa.schema([pa.field(f.name, pa.int64()) if f.name == "length" else f for f in SAMPLE_FIELDS]).empty_table()
    with pytest.raises(StoreError, match="column 'length' must be int32, got int64"):
        write_index(tmp_path, shards=[], samples=wrong)


def test_a_source_that_is_not_listed_is_refused(tmp_path):
    row = sample_table([np.zeros(3)], [1]).set_column(1, "shard", pa.array([-1], pa.int32()))
    row = row.append_column("source", pa.array([1], pa.int32()))
    with pytest.raises(StoreError, match="source must be -1 to -1, got 1 to 1"):
        write_index(tmp_path, shards=[], samples=row)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"version": 2}, NewerStore, "is of version 2, this project reads up to 1"),
        ({"version": None}, StoreError, "version must be a positive integer, got None"),
        ({"shards": [{"location": "x"}]}, StoreError, "does not list a shard's arrays"),
        ({"samples": "gone.parquet"}, StoreError, "cannot be read"),
    ],
)
def test_a_damaged_index_says_so(tmp_path, change, error, message):
    write_index(tmp_path, shards=[], samples=empty_samples())
    path: Path = tmp_path / "index.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(error, match=message):
        read_index(tmp_path)


def test_a_torn_index_says_so(tmp_path):
    write_index(tmp_path, shards=[], samples=empty_samples())
    (tmp_path / "index.json").write_bytes(b'{"version": 1')
    with pytest.raises(StoreError, match="materialize tokens again"):
        read_index(tmp_path)


def test_unknown_column_is_named(tmp_path):
    write_index(tmp_path, shards=[], samples=empty_samples())
    with pytest.raises(StoreError, match="no column 'tempo'"):
        read_index(tmp_path).column("tempo")


def test_flat_arrays_lie_beside_the_index_and_are_listed(tmp_path):
    values = {"start": np.arange(4, dtype=">i8"), "intervals": np.zeros((0, 2), np.int64)}
    arrays = write_arrays(tmp_path, values)
    digest = write_index(tmp_path, shards=(), samples=empty_samples(), upstream={"window": 4}, arrays=arrays)
    index = read_index(tmp_path)
    assert index.arrays == arrays
    assert (arrays["start"].dtype, arrays["start"].shape) == ("<i8", (4,))
    assert np.load(tmp_path / "start.npy").tolist() == [0, 1, 2, 3]
    listing = read_listing(tmp_path)
    assert [item["name"] for item in listing["arrays"]] == ["start", "intervals"]
    assert listing["upstream"] == {"window": 4}
    other = write_arrays(tmp_path, {"start": np.arange(1, 5)})
    assert write_index(tmp_path, shards=(), samples=empty_samples(), arrays=other) != digest
    with pytest.raises(StoreError, match="cannot be read"):
        read_listing(tmp_path / "nowhere")
