import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgb_assets.modalities.mri.lesions.counting import count_lesion, lesion_mask
from bgb_assets.modalities.mri.scans.volumes import open_voxels
from bgb_assets_tests.modalities.mri.cached_scans import head, strokes


@given(
    st.sampled_from(["u1", "i1", "<i2", ">i2", "<u2", "<f4", ">f4", "<f8", "<i4"]),
    st.sampled_from([1.0, 6.7e-5, -2.0, 255.0]),
    st.sampled_from([0.0, 0.5, -3.0, 1e-9]),
    st.sampled_from(["C", "F"]),
    st.integers(0, 99),
)
def test_in_every_type_and_scaling_it_is_what_double_precision_says(dtype, slope, inter, order, seed):
    numbers = np.random.default_rng(seed).integers(-3 if dtype[-2] != "u" else 0, 5, (5, 4, 3))
    stored = numbers.astype(dtype, order=order)
    expected = stored.astype(np.float64) * slope + inter > 0
    found = lesion_mask(stored, slope, inter)
    assert np.array_equal(found, expected)
    assert count_lesion(stored, slope, inter) == expected.sum()
    assert found.flags.f_contiguous == stored.flags.f_contiguous


def test_more_than_one_block_is_counted():
    stored = np.zeros((100, 100, 20), np.float32, order="F")
    stored[::7, ::3, ::2] = 0.017
    expected = np.count_nonzero(stored)
    assert count_lesion(stored) == count_lesion(stored, 2.0, -1e-3) == expected
    assert np.array_equal(lesion_mask(stored, 2.0, -1e-3), stored > 0)


def test_a_view_is_counted_too():
    stored = np.arange(60, dtype=np.int16).reshape(5, 4, 3)[::2, ::-1]
    assert count_lesion(stored) == np.count_nonzero(stored)
    assert np.array_equal(lesion_mask(stored, 1.0, -30.0), stored > 30)


@pytest.mark.parametrize(("patient", "voxels"), [("patient07", 1_300), ("patient19", 49_769)])
def test_the_masks_of_two_heads(patient, voxels):
    volume = open_voxels(head(patient)[1])
    assert count_lesion(volume.voxels, volume.header.slope, volume.header.inter) == voxels


def test_strokes_are_counted_as_nibabel_does():
    for path in strokes()[:4]:
        volume = open_voxels(path)
        expected = int((nib.load(path).get_fdata() > 0).sum())
        assert count_lesion(volume.voxels, volume.header.slope, volume.header.inter) == expected
