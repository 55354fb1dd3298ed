"""Mapped stores: views of what was written, opened on first use in each process."""

import pickle
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest

from bgb_assets.loading.mapped import MappedArray, ShardStore
from bgb_assets.runtime.errors import StoreError
from bgb_assets.storage.shards import describe_source, empty_samples, read_index, write_index
from bgb_assets_tests.loading.ragged_store import build_store, sample_table, sequences


def test_every_sample_is_what_was_written(tmp_path):
    store = build_store(tmp_path, 23, shards=3)
    for i, tokens in enumerate(sequences(23)):
        np.testing.assert_array_equal(store["tokens", i], tokens)
        np.testing.assert_array_equal(store["squares", i], np.stack([tokens, tokens**2], 1).astype(np.float32))


def test_samples_are_views_of_one_read_only_map(tmp_path):
    store = build_store(tmp_path, 5, shards=1)
    sample = store["tokens", 2]
    assert type(sample) is np.ndarray
    assert sample.base is not None
    assert sample.base is store["tokens", 3].base
    with pytest.raises(ValueError, match="read-only"):
        sample[0] = 1


def test_start_up_opens_no_array(tmp_path):
    build_store(tmp_path, 9)
    for path in (tmp_path / "tokens").rglob("*.npy"):
        path.rename(path.with_suffix(".away"))
    store = ShardStore(tmp_path, tmp_path / "index")
    assert store.column("length").sum() == sum(map(len, sequences(9)))
    with pytest.raises(StoreError, match=r"tokens\.npy: cannot be mapped"):
        store["tokens", 0]


def test_a_pickled_store_carries_no_map_and_works(tmp_path):
    store = build_store(tmp_path, 200)
    fresh = len(pickle.dumps(store))
    expected = store["tokens", 150].copy()
    data = pickle.dumps(store)
    assert len(data) == fresh < 1_000
    np.testing.assert_array_equal(pickle.loads(data)["tokens", 150], expected)


def test_a_mapped_array_is_pickled_without_its_map(tmp_path):
    np.save(tmp_path / "x.npy", np.arange(10_000))
    array = MappedArray(tmp_path / "x.npy", "<i8", (10_000,))
    assert array.values.sum() == 49_995_000
    data = pickle.dumps(array)
    assert len(data) < 1_000
    assert pickle.loads(data).values[-1] == 9_999


def test_dense_sources_are_mapped_in_place(tmp_path):
    mel = np.arange(12, dtype=np.float16).reshape(3, 4)
    (tmp_path / "features").mkdir()
    np.save(tmp_path / "features" / "mel.npy", mel)
    source = describe_source("song", tmp_path / "features", "features", "mel.npy")
    samples = sample_table([np.zeros(3), np.zeros(3)], [2]).set_column(1, "shard", pa.array([-1, -1], pa.int32()))
    samples = samples.append_column("source", pa.array([0, -1], pa.int32()))
    write_index(tmp_path, shards=[], samples=samples, sources=[source])
    store = ShardStore(tmp_path, tmp_path)
    np.testing.assert_array_equal(store.source(0), mel)
    assert store.source(1) is None
    with pytest.raises(StoreError, match="sample 0 has no ragged arrays, asked for 'tokens'"):
        store["tokens", 0]


def test_a_file_that_is_not_what_the_index_says_is_refused(tmp_path):
    store = build_store(tmp_path, 4, shards=1)
    np.save(tmp_path / "tokens" / "part0" / "tokens.npy", np.zeros(3, np.int16))
    with pytest.raises(StoreError, match=r"the index says int16 .* the file holds int16 \(3,\)"):
        store["tokens", 0]


def test_unknown_array_is_named(tmp_path):
    with pytest.raises(StoreError, match=r"no array 'mel'; it has \['tokens', 'squares'\]"):
        build_store(tmp_path, 4)["mel", 0]


def test_empty_store(tmp_path):
    write_index(tmp_path, shards=[], samples=empty_samples())
    store = ShardStore(tmp_path, tmp_path)
    assert len(store) == 0
    assert len(read_index(tmp_path).column("split")) == 0


def test_an_empty_shard_between_others(tmp_path):
    store = build_store(tmp_path, 1, shards=2)
    np.testing.assert_array_equal(store["tokens", 0], sequences(1)[0])


def test_opening_a_store_does_not_import_pandas(tmp_path):
    build_store(tmp_path, 4)
    code = (
        "import sys; from pathlib import Path; from bgb_assets.loading.mapped import ShardStore\n"
        f"store = ShardStore(Path({str(tmp_path)!r}), Path({str(tmp_path / 'index')!r}))\n"
        "assert len(store['tokens', 3]) == store.column('length')[3]\n"
        "assert not {'pandas', 'torch'} & set(sys.modules), 'slow imports'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
