import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from bgb_assets.loading.dataset import select
from bgb_assets.loading.mapped import ShardStore
from bgb_assets.modalities.eeg.windows.index import RECORDING_ARRAYS, WINDOW_ARRAYS, WindowIndex
from bgb_assets.runtime.errors import StoreError
from bgb_assets.storage.audits import shards
from bgb_assets_tests.modalities.eeg.corpus_case import CHANNELS, SCALE, Corpus
from bgb_assets_tests.modalities.eeg.test_manifest import S, W, small


def test_arrays_are_the_windows_of_the_manifest(tmp_path: Path) -> None:
    corpus = small(tmp_path)
    manifest, _ = corpus.manifest()
    directory, result = corpus.tokens()
    windows = pq.read_table(manifest / "windows.parquet")
    names = {"start": "start_sample", "positives": "positive_samples", "valid": "valid_samples"}
    for name, dtype in WINDOW_ARRAYS.items():
        held = np.load(directory / f"{name}.npy", mmap_mode="r")
        assert held.dtype == np.dtype(dtype)
        assert held.tolist() == windows.column(names.get(name, name)).to_pylist()
    for name, dtype in RECORDING_ARRAYS.items():
        assert np.load(directory / f"{name}.npy").dtype == np.dtype(dtype)
    assert np.load(directory / "scale.npy").tolist() == [np.float32(SCALE)] * 5
    index = WindowIndex(tmp_path, directory)
    assert index.keys == ["a_1", "a_2", "b_1", "c_1", "d_1"]
    assert len(index) == result.metadata["samples"] == windows.num_rows
    assert [index.intervals(number).tolist() for number in range(5)] == [
        [[30 * 256, 28_288]],
        [[40 * 256, 55 * 256]],
        [[20 * 256, 40 * 256]],
        [[0, W]],
        [],
    ]
    assert index.segments(1).tolist() == [[0, W + 5 * S], [W + 5 * S, 5_000]]
    assert index.onsets_s(1).tolist() == [0.0, 100 + (W + 5 * S) / 256]
    assert index.onsets_s(0).tolist() == [0.0]


def test_signals_are_listed_where_they_lie(tmp_path: Path) -> None:
    corpus = small(tmp_path)
    directory, _ = corpus.tokens()
    listing = json.loads((directory / "index.json").read_bytes())
    for source, (key, member) in zip(listing["sources"], sorted(corpus.members.items()), strict=True):
        path = tmp_path / source["location"] / source["file"]
        assert (source["upload"], source["location"]) == (key, member.entries["features"].location)
        assert path.stat().st_size == source["shape"][0] * source["shape"][1] * 2
        assert source["shape"][1] == CHANNELS
        held = sum(file.stat().st_size for file in path.parent.iterdir())
        assert held - path.stat().st_size <= 8_192, "the signal and at most 8 KiB"
    assert listing["upstream"]["window_samples"] == W


def test_store_of_samples_follows_the_windows(tmp_path: Path) -> None:
    directory, _ = small(tmp_path).tokens()
    store = ShardStore(tmp_path, directory)
    assert len(store) == 27
    names = store.index.samples.column("sample").to_pylist()
    assert names[:2] == ["a_1@0", "a_1@2560"]
    assert len(set(names)) == len(names)
    assert select(store, "train").ids.tolist() == list(range(20))
    assert select(store, "test").ids.tolist() == [24]
    assert set(store.column("length").tolist()) == {W}
    assert store.column("source").tolist() == np.load(directory / "recording.npy").tolist()


def test_same_manifest_gives_the_same_bytes(tmp_path: Path) -> None:
    first, one = small(tmp_path / "here").tokens()
    second, two = small(tmp_path / "there").tokens()
    assert one.facets == two.facets
    assert {path.name: path.read_bytes() for path in first.iterdir()} == {
        path.name: path.read_bytes() for path in second.iterdir()
    }


def test_copied_root_is_read_where_it_lies(tmp_path: Path) -> None:
    corpus = small(tmp_path / "here")
    directory, _ = corpus.tokens()
    expected = WindowIndex(tmp_path / "here", directory).read([0, 19])
    shutil.move(tmp_path / "here", tmp_path / "there")
    moved = WindowIndex(tmp_path / "there", tmp_path / "there" / directory.relative_to(tmp_path / "here"))
    assert all(np.array_equal(array, expected[name]) for name, array in moved.read([0, 19]).items())


def test_audit_finds_a_changed_array(tmp_path: Path) -> None:
    directory, _ = small(tmp_path).tokens()
    assert shards(directory, tmp_path) == []
    split = np.load(directory / "split.npy")
    split[0] = 2
    np.save(directory / "split.npy", split)
    assert shards(directory, tmp_path) == ["index/split.npy: bytes differ from the index (split)"]


def test_no_window_is_a_valid_index(tmp_path: Path) -> None:
    directory, result = Corpus(tmp_path).tokens()
    assert result.warnings == ("the manifest has no window: there is nothing to train on",)
    assert len(WindowIndex(tmp_path, directory)) == 0


def test_index_of_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be read"):
        WindowIndex(tmp_path, tmp_path)
    (tmp_path / "index.json").write_text('{"version": 1, "upstream": {}, "shards": [], "sources": []}')
    with pytest.raises(StoreError, match="lists no windows"):
        WindowIndex(tmp_path, tmp_path)
