import hashlib
import json
import subprocess
import sys

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bgb_assets.modalities.mri.conform import stored
from bgb_assets.modalities.mri.conform.grid import conformed_grid
from bgb_assets.modalities.mri.conform.normalise import range_of
from bgb_assets.modalities.mri.conform.resample import Scaling, resample_image
from bgb_assets.runtime.errors import StoreError
from bgb_assets_tests.fixtures import shared_data
from bgb_assets_tests.modalities.mri.conform.test_grid import ORIENTATIONS, affine_of


def support_of(array, affine, shape, scaling=Scaling()):
    return resample_image(array, scaling, conformed_grid(array.shape, affine, shape, 1.0)[1], "linear")


def described(support, found, store):
    step = stored.u16_step(support, found) if store == "u16" else None
    return {"lo": found.lo, "hi": found.hi, "centre": found.centre, "scale": found.scale, "step": step}


def test_a_head_of_bytes_is_stored_without_loss():
    image = nib.load(shared_data("mri") / "brainchop" / "t1_crop.nii.gz")
    numbers = np.asarray(image.dataobj)
    support = support_of(numbers, image.affine, (256, 256, 256))
    found = range_of(support, "minmax")
    assert stored.u16_step(support, found) == 1.0
    as_integers = stored.image_array(support, found, "u16")
    expected = np.asarray(nib.as_closest_canonical(image).dataobj)
    assert np.array_equal(as_integers, expected)
    assert (int(as_integers.sum(dtype=np.int64)), np.count_nonzero(as_integers)) == (279_078_935, 3_472_201)
    halves = stored.image_array(support, found, "f16")
    exact = expected.astype(np.float32) / np.float32(255)
    assert np.abs(halves - exact).max() <= 2.45e-4
    assert halves.flags.c_contiguous


@settings(deadline=None, max_examples=40)
@given(
    st.sampled_from(ORIENTATIONS),
    st.sampled_from([(1.0, 1.0, 1.0), (0.6, 1.0, 2.5)]),
    st.sampled_from(["minmax", "p99", "zscore"]),
    st.sampled_from(["f16", "u16"]),
    st.sampled_from(["F", "C"]),
)
def test_tiles_are_the_whole_at_once(codes, zooms, way, store, order):
    values = np.random.default_rng(0).normal(50, 40, (9, 11, 7)).astype(np.float32, order=order)
    support = support_of(values, affine_of(codes, zooms), (10, 16, 12))
    found = range_of(support, way)
    image = stored.image_array(support, found, store)
    intensities = np.zeros(support.shape, np.float32)
    intensities[support.box] = support.scaling.values(support.stored)
    expected = found.normalised(intensities)
    normalised = stored.normalised_image(image, described(support, found, store))
    largest, step = float(np.abs(expected).max()), (found.hi - found.lo) / found.scale / 65_535
    tolerance = 2**-12 * 1.01 if largest <= 1 else 2**-11 * largest
    tolerance = tolerance if store == "f16" else step / 2 * 1.01 + 1e-6
    assert np.abs(normalised - expected).max() <= tolerance


def test_u16_is_exact_only_for_whole_numbers_that_were_not_interpolated():
    whole = np.array([-3, 0, 5000], np.int16).reshape(3, 1, 1)
    cases = [
        (support_of(whole, np.eye(4), (5, 1, 1)), 1.0),
        (support_of(whole, np.eye(4), (5, 1, 1), Scaling(2.0, 7.0)), 1.0),
        (support_of(whole, np.eye(4), (5, 1, 1), Scaling(20.0, 0.0)), 100_060 / 65_535),
        (support_of(whole, np.eye(4), (5, 1, 1), Scaling(0.5, 0.0)), 2501.5 / 65_535),
        (support_of(whole, np.diag([2.0, 1, 1, 1]), (5, 1, 1)), 5003 / 65_535),
        (support_of(whole.astype(np.float32), np.eye(4), (5, 1, 1)), 5003 / 65_535),
    ]
    for support, step in cases:
        found = range_of(support, "minmax")
        assert stored.u16_step(support, found) == step
        image = stored.image_array(support, found, "u16")
        intensities = np.zeros(support.shape, np.float32)
        intensities[support.box] = support.scaling.values(support.stored)
        assert np.abs(found.lo + step * image - intensities).max() <= (0 if step == 1.0 else step / 2 + 1e-3)


@given(st.integers(0, 99))
def test_bits_of_a_mask_come_back(seed):
    mask = np.random.default_rng(seed).random((5, 3, 7)) > 0.7
    box = (slice(1, 4), slice(0, 3), slice(2, 7))
    only = np.zeros_like(mask)
    only[box] = mask[box]
    bits = stored.mask_bits(mask[box], box, mask.shape)
    assert len(bits) == (5 * 3 * 7 + 7) // 8
    assert np.array_equal(stored.unpack_mask(bits, mask.shape), only)


def test_the_first_voxel_is_the_high_bit():
    bits = stored.mask_bits(np.array([[[True]]]), (slice(0, 1),) * 3, (2, 2, 4))
    assert bits.tolist() == [0b1000_0000, 0]


def test_files_are_plain_npy_and_their_digest_is_that_of_their_bytes(tmp_path):
    array = np.arange(24, dtype=np.float16).reshape(2, 3, 4)
    digest = stored.write_array(tmp_path / "a.npy", array)
    content = (tmp_path / "a.npy").read_bytes()
    assert digest == hashlib.sha256(content).hexdigest()
    assert len(content) == 128 + 48
    mapped = np.load(tmp_path / "a.npy", mmap_mode="r")
    assert np.array_equal(mapped, array)
    assert (mapped.dtype.str, mapped.flags.c_contiguous) == ("<f2", True)


def test_a_missing_or_damaged_description_is_said(tmp_path):
    with pytest.raises(StoreError, match=r"volume\.json: cannot be read"):
        stored.read_volume(tmp_path)
    (tmp_path / "volume.json").write_text("{")
    with pytest.raises(StoreError, match="bgb cache verify"):
        stored.read_volume(tmp_path)
    (tmp_path / "volume.json").write_text(json.dumps({"lo": 0.0}))
    assert stored.read_volume(tmp_path) == {"lo": 0.0}


def test_reading_needs_numpy_alone():
    code = (
        "import sys, bgb_assets.modalities.mri.conform.stored;"
        "print(sorted({'nibabel', 'scipy', 'pyarrow', 'pandas', 'torch', 'isal'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.PIPE, text=True)
    assert done.stdout.strip() == "[]"
