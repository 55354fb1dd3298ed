import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgb_assets.modalities.mri.lesions.components import component_voxels, measure_lesion
from bgb_assets.modalities.mri.scans.volumes import open_voxels
from bgb_assets_tests.modalities.mri.cached_scans import head
from bgb_assets_tests.modalities.mri.conform.test_grid import ORIENTATIONS, affine_of


def lesion_of(*voxels, shape=(6, 7, 8)):
    mask = np.zeros(shape, np.bool_)
    for voxel in voxels:
        mask[voxel] = True
    return mask


def test_voxels_that_share_a_corner_are_one_piece():
    assert component_voxels(lesion_of((1, 1, 1), (2, 2, 2), (3, 1, 1))).tolist() == [3]
    assert sorted(component_voxels(lesion_of((1, 1, 1), (3, 3, 3), (3, 3, 4))).tolist()) == [1, 2]
    assert component_voxels(lesion_of()).tolist() == []


def test_a_lesion_in_numbers():
    affine = affine_of("LAS", (2.0, 3.0, 4.0), origin=(5.0, 0.0, 0.0))
    found = measure_lesion(lesion_of((1, 2, 3), (2, 2, 3), (5, 6, 7)), affine)
    assert (found.voxels, found.components) == (3, 2)
    assert (found.volume_mm3, found.largest_mm3) == (72.0, 48.0)
    # World x of the three: 5 - 2 i, so 3, 1 and -5.
    assert found.centroid_mm == pytest.approx((-1 / 3, 10.0, 52 / 3))
    assert found.bbox_ijk == (1, 5, 2, 6, 3, 7)
    assert found.left_fraction == pytest.approx(1 / 3)


def test_voxels_on_the_midline_are_half_left():
    found = measure_lesion(lesion_of((1, 0, 0), (2, 0, 0)), affine_of("RAS", origin=(-1.0, 0.0, 0.0)))
    assert found.left_fraction == 0.25


def test_no_lesion_has_no_place():
    found = measure_lesion(lesion_of(), np.eye(4))
    assert (found.voxels, found.volume_mm3, found.components, found.largest_mm3) == (0, 0.0, 0, 0.0)
    assert found.centroid_mm is found.bbox_ijk is found.left_fraction is None


@given(st.sampled_from(ORIENTATIONS), st.integers(0, 99))
def test_memory_order_and_axes_change_nothing_in_the_world(codes, seed):
    import nibabel as nib

    mask = np.random.default_rng(seed).random((4, 5, 6)) > 0.8
    image = nib.Nifti1Image(mask.astype(np.uint8), affine_of("RAS", (1.0, 2.0, 0.5), origin=(-2.0, 1.0, 0.0)))
    turn = nib.orientations.ornt_transform(nib.io_orientation(image.affine), nib.orientations.axcodes2ornt(codes))
    turned = image.as_reoriented(turn)
    first = measure_lesion(mask, image.affine)
    second = measure_lesion(np.asfortranarray(np.asarray(turned.dataobj) > 0), turned.affine)
    assert (first.voxels, first.components, first.left_fraction) == (
        second.voxels,
        second.components,
        second.left_fraction,
    )
    assert first.volume_mm3 == pytest.approx(second.volume_mm3)
    assert first.centroid_mm == pytest.approx(second.centroid_mm)


def test_a_real_lesion_is_the_count_of_its_pieces():
    volume = open_voxels(head("patient19")[1])
    found = measure_lesion(volume.voxels > 0, volume.header.affine)
    assert (found.voxels, found.volume_mm3) == (49_769, 49_769.0)
    assert component_voxels(volume.voxels > 0).sum() == 49_769
    assert 0 < found.largest_mm3 < 49_769
    assert found.components > 1
