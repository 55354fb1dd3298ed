import hashlib
import json
from importlib.resources import files

import nibabel as nib
import numpy as np
import pytest

from bgb_assets.modalities.mri import features
from bgb_assets.modalities.mri.conform.params import ConformParams
from bgb_assets.modalities.mri.conform.stored import normalised_image, read_volume, unpack_mask
from bgb_assets.modalities.mri.scans.flags import BadScan
from bgb_assets_tests.modalities.mri.cached_scans import cached, head, oblique, strokes, write_volume
from bgb_assets_tests.modalities.mri.conform.test_grid import affine_of

SMALL = ConformParams(shape=(12, 14, 10))


def run(folder, params=SMALL):
    out = folder / "features"
    out.mkdir()
    return features.run({"cache": folder / "cache"}, params, out), out


def made(folder, image=True, mask=True, shape=(8, 9, 7), affine=None, **params):
    affine = affine_of("LPS") if affine is None else affine
    rng = np.random.default_rng(0)
    lesion = np.zeros(shape, np.uint8)
    lesion[2:4, 3:6, 1:5] = 1
    paths = {
        "image": write_volume(folder / "i.nii", rng.integers(1, 900, shape).astype(np.int16), affine)
        if image
        else None,
        "mask": write_volume(folder / "m.nii.gz", lesion, affine) if mask else None,
    }
    cached(folder / "cache", **paths, **params)
    return folder


def mask_of(out, volume):
    return unpack_mask(np.load(out / "mask.npy"), tuple(volume["shape"]))


@pytest.mark.parametrize(("patient", "voxels"), [("patient07", 1_300), ("patient19", 49_769)])
def test_a_head_keeps_every_voxel_of_its_lesion(tmp_path, patient, voxels):
    cached(tmp_path / "cache", *head(patient))
    result, out = run(tmp_path, ConformParams())
    assert {path.name: path.stat().st_size for path in out.iterdir() if path.suffix == ".npy"} == {
        "image.npy": 128 + 33_554_432,
        "mask.npy": 128 + 2_097_152,
    }
    volume = read_volume(out)
    assert volume["lesion_voxels"] == volume["lesion_voxels_native"] == voxels
    assert mask_of(out, volume).sum() == voxels
    image = np.load(out / "image.npy", mmap_mode="r")
    assert (image.dtype, image.shape, image.flags.c_contiguous) == (np.float16, (256, 256, 256), True)
    assert (image.min(), image.max()) == (0.0, 1.0)
    # Padding is the image's background, which is not 0 where intensities are negative.
    assert image[0, 0, 0] == np.float16(-volume["lo"] / volume["scale"]) > 0.04
    assert result.warnings == ()


def test_conformed_image_and_mask_lie_on_each_other(tmp_path):
    """Half precision of the head, in the world, at its lesion: the same values as in the file."""
    image, mask = head("patient07")
    cached(tmp_path / "cache", image, mask)
    _, out = run(tmp_path, ConformParams())
    volume = read_volume(out)
    places = np.argwhere(mask_of(out, volume))
    native = nib.load(image)
    world = places @ np.array(volume["affine"])[:3, :3].T + np.array(volume["affine"])[:3, 3]
    back = np.rint(nib.affines.apply_affine(np.linalg.inv(native.affine), world)).astype(int)
    assert (np.asarray(nib.load(mask).dataobj)[tuple(back.T)] > 0).all()
    values = np.load(out / "image.npy")[tuple(places.T)].astype(np.float64) * volume["scale"] + volume["lo"]
    expected = np.asarray(native.dataobj)[tuple(back.T)]
    assert np.abs(values - expected).max() <= 2.45e-4 * volume["scale"]


def test_strokes_without_an_image_lie_on_their_own_grid(tmp_path):
    for number, path in enumerate(strokes()[:3]):
        folder = tmp_path / str(number)
        cached(folder / "cache", mask=path)
        result, out = run(folder, ConformParams())
        expected = int((np.asarray(nib.load(path).dataobj) > 0).sum())
        assert result.metadata["lesion_voxels"] == result.metadata["lesion_voxels_native"] == expected
        assert sorted(found.name for found in out.iterdir()) == ["mask.npy", "volume.json"]
        assert read_volume(out)["image_volume"] is None


def test_an_image_without_a_mask(tmp_path):
    result, out = run(made(tmp_path, mask=False))
    assert sorted(found.name for found in out.iterdir()) == ["image.npy", "volume.json"]
    assert result.metadata["lesion_voxels"] is None


def test_a_mask_on_another_grid_is_refused_until_it_may_be_resampled(tmp_path):
    cached(tmp_path / "cache", *oblique())
    with pytest.raises(BadScan, match="mask_grid: mask: its shape is"):
        run(tmp_path, ConformParams())
    (tmp_path / "features").rmdir()
    result, out = run(tmp_path, ConformParams(resample_mismatched=True))
    assert abs(result.metadata["lesion_voxels"] - 436) <= 2
    assert result.metadata["lesion_voxels_native"] == 172
    assert result.metadata["flags"] == ["mask_grid"]
    assert "allowed by resample_mismatched" in result.warnings[0]
    assert read_volume(out)["mask_resampled"]


def test_a_shape_that_differs_by_one_is_not_conformed_by_itself(tmp_path):
    """A mask one voxel longer, resampled in the world, stays where it was drawn."""
    affine = affine_of("RAS")
    values = np.random.default_rng(0).normal(size=(8, 8, 8)).astype(np.float32)
    lesion = np.zeros((9, 8, 8), np.uint8)
    lesion[3, 4, 5] = 1
    paths = write_volume(tmp_path / "i.nii", values, affine), write_volume(tmp_path / "m.nii", lesion, affine)
    cached(tmp_path / "cache", *paths)
    _, out = run(tmp_path, ConformParams(shape=(16, 16, 16), resample_mismatched=True))
    volume = read_volume(out)
    (place,) = np.argwhere(mask_of(out, volume))
    world = np.array(volume["affine"]) @ [*place, 1]
    np.testing.assert_allclose(world, affine @ [3, 4, 5, 1])
    image = normalised_image(np.load(out / "image.npy"), volume) * volume["scale"] + volume["lo"]
    assert image[tuple(place)] == pytest.approx(values[3, 4, 5], abs=2e-3)


@pytest.mark.parametrize("store", ["f16", "u16"])
@pytest.mark.parametrize("normalise", ["minmax", "p99", "zscore"])
def test_every_store_and_normalisation_comes_back(tmp_path, store, normalise):
    made(tmp_path, shape=(12, 14, 10), affine=affine_of("RAS"))
    _, out = run(tmp_path, ConformParams(shape=(12, 14, 10), store=store, normalise=normalise))
    volume = read_volume(out)
    native = np.asarray(nib.load(tmp_path / "i.nii").dataobj, np.float32)
    clipped = np.clip(native, volume["lo"], volume["hi"]) if normalise == "p99" else native
    expected = (clipped - np.float32(volume["centre"])) / np.float32(volume["scale"])
    image = np.load(out / "image.npy")
    assert image.dtype == {"f16": np.float16, "u16": np.uint16}[store]
    np.testing.assert_allclose(normalised_image(image, volume), expected, atol=1e-3)


def test_all_voxels_of_a_volume_that_was_chosen_and_turned(tmp_path):
    """What raw was told to read it as is what is conformed."""
    series = np.random.default_rng(0).integers(0, 99, (4, 5, 6, 3)).astype(np.int16)
    nib.Nifti1Image(series, None).to_filename(tmp_path / "i.nii")
    cached(tmp_path / "cache", tmp_path / "i.nii", volume=1, orientation="LAS")
    _, out = run(tmp_path, ConformParams(shape=(4, 5, 6), store="u16"))
    volume = read_volume(out)
    assert volume["orientation"] == "LAS"
    stored = np.load(out / "image.npy") + int(volume["lo"])
    assert np.array_equal(stored, series[::-1, :, :, 1])


def test_several_volumes_and_none_chosen_are_refused(tmp_path):
    nib.Nifti1Image(np.ones((4, 5, 6, 3), np.int16), np.eye(4)).to_filename(tmp_path / "i.nii")
    cached(tmp_path / "cache", tmp_path / "i.nii")
    with pytest.raises(BadScan, match="not_3d: image"):
        run(tmp_path)


def test_a_lesion_outside_the_box_is_refused(tmp_path):
    made(tmp_path)
    with pytest.raises(BadScan, match=r"crop_loss: mask: 12 lesion voxels"):
        run(tmp_path, ConformParams(shape=(3, 14, 10)))


def test_an_image_outside_the_box_is_told(tmp_path):
    result, _ = run(made(tmp_path, mask=False), ConformParams(shape=(7, 14, 10)))
    assert result.metadata["flags"] == ["crop_loss"]
    assert "outside the conformed volume" in result.warnings[0]


def test_a_lesion_between_the_voxels_of_a_coarse_grid_is_told(tmp_path):
    lesion = np.zeros((9, 9, 9), np.uint8)
    lesion[3, 3, 3] = 1
    cached(tmp_path / "cache", mask=write_volume(tmp_path / "m.nii", lesion, np.eye(4)))
    result, _ = run(tmp_path, ConformParams(shape=(5, 5, 5), zoom_mm=2.0))
    assert (result.metadata["lesion_voxels"], result.metadata["lesion_voxels_native"]) == (0, 1)
    assert "no conformed voxel is lesion" in result.warnings[0]


def test_an_empty_mask_goes_on_only_where_it_may(tmp_path):
    paths = {"mask": write_volume(tmp_path / "m.nii", np.zeros((4, 4, 4), np.uint8))}
    cached(tmp_path / "cache", **paths)
    with pytest.raises(BadScan, match="mask_empty"):
        run(tmp_path)
    (tmp_path / "features").rmdir()
    result, out = run(tmp_path, ConformParams(shape=(8, 8, 8), allow_empty=True))
    assert result.metadata["lesion_voxels"] == 0
    assert not np.load(out / "mask.npy").any()


def test_neither_is_absent(tmp_path):
    cached(tmp_path / "cache")
    result, out = run(tmp_path)
    assert result.absent == "neither image nor mask"
    assert list(out.iterdir()) == []


def test_bytes_depend_on_the_volumes_alone(tmp_path):
    """Compression and the files' names change nothing, one voxel does."""
    made(tmp_path / "a")
    first, out = run(tmp_path / "a")
    plain = made(tmp_path / "b")
    nib.Nifti1Image.from_filename(plain / "cache" / "mask.nii.gz").to_filename(plain / "m2.nii")
    (plain / "cache").rename(plain / "old")
    cached(plain / "cache", plain / "i.nii", plain / "m2.nii")
    second, other = run(plain)
    assert first.facets == second.facets
    assert {p.name: p.read_bytes() for p in out.iterdir()} == {p.name: p.read_bytes() for p in other.iterdir()}
    assert (
        first.facets["volume"]
        == hashlib.sha256(
            b"".join(
                hashlib.sha256((out / name).read_bytes()).hexdigest().encode() for name in ("image.npy", "mask.npy")
            )
            + (out / "volume.json").read_bytes()
        ).hexdigest()
    )
    made(tmp_path / "c")
    array = np.asarray(nib.load(tmp_path / "c" / "i.nii").dataobj).copy()
    array[0, 0, 0] += 1
    (tmp_path / "c" / "cache").rename(tmp_path / "c" / "old")
    cached(tmp_path / "c" / "cache", write_volume(tmp_path / "c" / "i2.nii", array, affine_of("LPS")))
    assert run(tmp_path / "c")[0].facets != first.facets


def test_the_byte_order_of_a_file_changes_no_byte(tmp_path):
    path = files("nibabel") / "tests" / "data" / "anatomical.nii"
    if not path.is_file():
        pytest.skip("fixtures absent: nibabel was installed without its tests")
    big = nib.load(path)
    assert big.dataobj.get_unscaled().dtype.str == ">i2"
    little = nib.Nifti1Image(big.dataobj.get_unscaled().astype("<i2"), None, big.header.as_byteswapped("<"))
    little.to_filename(tmp_path / "little.nii")
    found = []
    for name, image in (("a", path), ("b", tmp_path / "little.nii")):
        cached(tmp_path / name / "cache", image)
        result, out = run(tmp_path / name, ConformParams(shape=(64, 64, 64), store="u16"))
        found.append((result, {file.name: file.read_bytes() for file in out.iterdir()}))
    assert found[0] == found[1]


def test_the_description_is_plain_json(tmp_path):
    _, out = run(made(tmp_path))
    text = (out / "volume.json").read_text()
    assert json.dumps(json.loads(text), indent=1, sort_keys=True) + "\n" == text
    volume = json.loads(text)
    assert volume["native_shape"] == [8, 9, 7]
    assert np.array(volume["native_affine"]).tolist() == affine_of("LPS").tolist()
    assert volume["total_voxels"] == 12 * 14 * 10
