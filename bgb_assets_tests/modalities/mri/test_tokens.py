import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from bgb_assets.loading import mapped
from bgb_assets.loading.mapped import ShardStore
from bgb_assets.modalities.mri.conform.stored import unpack_mask
from bgb_assets.modalities.mri.tokens import header_bytes
from bgb_assets.storage.manifest import read_rows
from bgb_assets_tests.modalities.mri.cohort_case import SHAPE, Cohort, voxels_of
from bgb_assets_tests.modalities.mri.test_manifest import thirty


def test_samples_are_the_scans_that_train_with_the_folds_of_the_manifest(tmp_path: Path) -> None:
    cohort = thirty(tmp_path)
    manifest, _ = cohort.manifest()
    directory, result = cohort.tokens()
    rows = [row for row in read_rows(manifest).to_pylist() if row["included"]]
    samples = ShardStore(tmp_path, directory).index.samples.to_pylist()
    assert result.metadata["samples"] == len(samples) == 38
    same = ("group", "split", "weight", "features_digest", "lesion_voxels", "volume_bin", "acquisition", "outer_fold")
    for row, sample in zip(rows, samples, strict=True):
        assert sample["sample"] == row["row_id"]
        assert sample["length"] == row["total_voxels"]
        for name in (*same, "inner_fold_0", "inner_fold_1", "inner_fold_2"):
            assert sample[name] == row[name]
    assert result.warnings == ()


def test_image_and_mask_are_mapped_where_they_lie(tmp_path: Path) -> None:
    cohort = thirty(tmp_path)
    directory, _ = cohort.tokens()
    store = ShardStore(tmp_path, directory)
    for row, key in enumerate(store.index.samples.column("sample").to_pylist()):
        image, mask = voxels_of(key)
        source, mask_source = (int(store.column(name)[row]) for name in ("source", "mask_source"))
        assert store.index.sources[source].upload == store.index.sources[mask_source].upload == key
        assert np.array_equal(store.source_at(source), image.astype(np.float16))
        assert np.array_equal(unpack_mask(store.source_at(mask_source), SHAPE), mask)
        for number, name in ((source, "offset_bytes"), (mask_source, "mask_offset_bytes")):
            one = store.index.sources[number]
            held = store.source_at(number)
            size = (tmp_path / one.location / one.file).stat().st_size
            assert int(store.column(name)[row]) == size - held.nbytes == 128


def test_stored_integers_say_what_they_mean(tmp_path: Path) -> None:
    cohort = Cohort(tmp_path)
    for number in range(3):
        cohort.add(f"S{number}", store="u16")
    directory, _ = cohort.tokens()
    store = ShardStore(tmp_path, directory)
    image, _ = voxels_of("sub-S0_ses-1")
    seen = store.column("image_lo")[0] + store.column("image_step")[0] * store.source_at(0)
    assert store.source_at(0).dtype == np.uint16
    assert np.abs(seen - image).max() <= 0.5 / 400 + 1e-6
    exact = thirty(tmp_path / "f16")
    store = ShardStore(tmp_path / "f16", exact.tokens()[0])
    assert set(store.column("image_lo")) == {0.0}
    assert set(store.column("image_step")) == {1.0}


def test_opening_an_index_opens_no_array(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cohort = Cohort(tmp_path)
    for number in range(223):
        cohort.add(f"S{number:03d}", volume_mm3=900.0 * (number + 1), written=False)
    directory, _ = cohort.tokens()
    assert not list((tmp_path / "features").rglob("*.npy"))

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("an array was opened")

    monkeypatch.setattr(mapped.np, "load", refuse)
    store = ShardStore(tmp_path, directory)
    assert len(store) == 223
    assert len(store.index.sources) == 446
    assert store.column("outer_fold").tolist().count(0) in (74, 75)


def test_same_cohort_gives_the_same_bytes_and_a_copy_is_read_where_it_lies(tmp_path: Path) -> None:
    first, one = thirty(tmp_path / "here").tokens()
    second, two = thirty(tmp_path / "there").tokens()
    assert one.facets == two.facets
    for path in first.iterdir():
        assert path.read_bytes() == (second / path.name).read_bytes()
    shutil.move(tmp_path / "here", tmp_path / "moved")
    moved = tmp_path / "moved" / first.relative_to(tmp_path / "here")
    assert ShardStore(tmp_path / "moved", moved).source_at(0).shape == SHAPE


def test_index_names_grid_and_split(tmp_path: Path) -> None:
    cohort = thirty(tmp_path)
    directory, _ = cohort.tokens()
    manifest, result = cohort.manifest()
    upstream = json.loads((directory / "index.json").read_bytes())["upstream"]
    assert upstream["grid"]["shape"] == list(SHAPE)
    assert upstream["split"] == {"name": "default", "digest": result.facets["split"], "outer": 3}
    assert manifest.is_dir()


def test_nothing_to_train_on_is_told_with_the_filter_and_the_counts(tmp_path: Path) -> None:
    cohort = Cohort(tmp_path)
    assert cohort.tokens()[1].metadata["samples"] == 0
    cohort.add("N1", volume_mm3=None)
    cohort.add("T1", acquisition="turbo_spin_echo")
    directory, result = cohort.tokens()
    assert len(ShardStore(tmp_path, directory)) == 0
    (warning,) = result.warnings
    assert warning.startswith("of 2 scans none trains under {")
    assert "'turbo_spin_echo'" in warning
    assert warning.endswith("{'excluded_acquisition': 1, 'no_mask': 1}")


@pytest.mark.parametrize("shape", [(256, 256, 256), (2_097_152,), (1_024, 1_024, 1_024)])
@pytest.mark.parametrize("dtype", ["<f2", "<u2", "|u1"])
def test_header_is_as_long_as_numpy_writes_it(tmp_path: Path, shape: tuple[int, ...], dtype: str) -> None:
    array = np.lib.format.open_memmap(tmp_path / "one.npy", "w+", dtype, shape)
    assert header_bytes(dtype, shape) == (tmp_path / "one.npy").stat().st_size - array.nbytes
