import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nibabel.processing import conform, resample_from_to

from bgb_assets.modalities.mri.conform.grid import Grid, conformed_grid
from bgb_assets.modalities.mri.conform.resample import (
    Scaling,
    lesion_box,
    memory_order,
    nearest_mask,
    nearest_mask_in_world,
    resample_image,
)
from bgb_assets.modalities.mri.lesions.counting import lesion_mask
from bgb_assets.modalities.mri.scans.volumes import open_voxels
from bgb_assets_tests.modalities.mri.cached_scans import head, oblique, strokes
from bgb_assets_tests.modalities.mri.conform.test_grid import ORIENTATIONS, affine_of

SHAPE = (256, 256, 256)


def whole(support):
    volume = np.zeros(support.shape, np.float32)
    volume[support.box] = support.scaling.values(support.stored)
    return volume


def conformed(stored, affine, shape, scaling=Scaling(), interpolation="linear"):
    return resample_image(stored, scaling, conformed_grid(stored.shape, affine, shape, 1.0)[1], interpolation)


def reference(values, affine, shape, order=1):
    return np.asarray(conform(nib.Nifti1Image(values, affine), shape, order=order).dataobj)


def volume_of(shape, seed=0):
    return np.asfortranarray(np.random.default_rng(seed).normal(100, 30, shape).astype(np.float32))


def test_a_head_of_one_millimetre_is_that_of_nibabel_bit_for_bit():
    image = nib.load(head("patient07")[0])
    values = np.asarray(image.dataobj, np.float32)
    support = conformed(values, image.affine, SHAPE)
    found = whole(support)
    assert np.array_equal(found, reference(values, image.affine, SHAPE).astype(np.float32))
    assert np.count_nonzero(found) == 1_135_151
    assert (found.min(), found.max()) == (pytest.approx(-62.277859), pytest.approx(1291.480469))
    assert np.shares_memory(support.stored, values), "only cropped and flipped"
    assert not support.interpolated
    assert support.padded


def test_an_oblique_scan_of_thick_slices_is_that_of_nibabel_within_rounding():
    image = nib.load(oblique()[0])
    stored = image.dataobj.get_unscaled()
    found = whole(conformed(stored, image.affine, SHAPE))
    expected = reference(stored.astype(np.float32), image.affine, SHAPE)
    both = (found != 0) & (expected != 0)
    assert np.abs(found - expected)[both].max() <= 1e-3
    assert np.count_nonzero(expected) == 2_833_774
    assert np.count_nonzero((found != 0) != (expected != 0)) <= 100


@pytest.mark.parametrize("codes", ORIENTATIONS)
def test_every_orientation_and_spacing_is_that_of_nibabel(codes):
    values, affine = volume_of((11, 9, 14)), affine_of(codes, (0.7, 1.0, 2.3))
    found, expected = whole(conformed(values, affine, (24, 20, 16))), reference(values, affine, (24, 20, 16))
    both = (found != 0) & (expected != 0)
    np.testing.assert_allclose(found[both], expected[both], atol=1e-3)
    assert both.sum() > 500
    assert np.array_equal(found != 0, expected != 0)


@settings(deadline=None, max_examples=30)
@given(
    st.sampled_from(ORIENTATIONS),
    st.tuples(*[st.integers(1, 12)] * 3),
    st.tuples(*[st.sampled_from([0.5, 0.9, 1.0, 1.7, 3.0])] * 3),
)
def test_how_a_scan_is_stored_changes_nothing(codes, shape, zooms):
    """The same voxels in the world, stored along other axes: one conformed volume."""
    values = nib.Nifti1Image(volume_of(shape), affine_of("RAS", zooms))
    turned = values.as_reoriented(
        nib.orientations.ornt_transform(nib.io_orientation(values.affine), nib.orientations.axcodes2ornt(codes))
    )
    other = np.asfortranarray(np.asarray(turned.dataobj))
    first = whole(conformed(np.asarray(values.dataobj), values.affine, (13, 12, 11)))
    grid, _ = conformed_grid(shape, values.affine, (13, 12, 11), 1.0)
    again, _ = conformed_grid(other.shape, turned.affine, (13, 12, 11), 1.0)
    np.testing.assert_allclose(grid.affine, again.affine, atol=1e-6)
    second = whole(conformed(other, turned.affine, (13, 12, 11)))
    if codes in ("RAS", "LAS", "LPS"):
        np.testing.assert_array_equal(first, second, "flipped: not one bit")
    # Permuted: other axes are interpolated first.
    np.testing.assert_allclose(first, second, atol=1e-4)


@pytest.mark.parametrize(("zooms", "tolerance"), [((1.0, 1.0, 1.0), 0.0), ((0.8, 1.5, 2.0), 1e-4)])
def test_c_order_and_fortran_order_are_alike(zooms, tolerance):
    values, affine = volume_of((7, 8, 9)), affine_of("LPS", zooms)
    first, second = (whole(conformed(array, affine, (10, 10, 10))) for array in (values, np.ascontiguousarray(values)))
    np.testing.assert_allclose(first, second, rtol=0, atol=tolerance)


def test_integers_are_not_rounded_to_integers_between_voxels():
    stored = np.zeros((3, 1, 1), np.int16)
    stored[1] = 1
    found = whole(conformed(stored, np.diag([2.0, 1.0, 1.0, 1.0]), (5, 1, 1)))
    assert found.ravel().tolist() == [0.0, 0.5, 1.0, 0.5, 0.0]


def test_scaled_values_are_made_in_double_precision_then_rounded_once():
    stored = np.array([30_000, 12_345, -7], np.int16).reshape(3, 1, 1)
    scaling = Scaling(0.1, 3100.7)
    found = whole(conformed(stored, np.eye(4), (3, 1, 1), scaling))
    assert found.ravel().tolist() == (stored.ravel() * 0.1 + 3100.7).astype(np.float32).tolist()


def test_outside_the_centres_of_the_last_voxels_is_nothing():
    found = whole(conformed(np.full((2, 1, 1), 5.0, np.float32), np.diag([3.0, 1.0, 1.0, 1.0]), (8, 1, 1)))
    assert found.ravel().tolist() == [0, 0, 0, 5, 5, 5, 5, 0]


def test_nearest_takes_the_upper_of_two_equally_near_voxels():
    values = np.arange(1.0, 4.0, dtype=np.float32).reshape(3, 1, 1)
    affine = np.diag([2.0, 1.0, 1.0, 1.0])
    for array, place in ((values, affine), (values[::-1], np.diag([-2.0, 1.0, 1.0, 1.0]))):
        found = whole(conformed(array, place, (5, 1, 1), interpolation="nearest"))
        assert found.ravel().tolist() == [1, 2, 2, 3, 3], "in the direction of the grid, however stored"


@pytest.mark.parametrize("codes", ORIENTATIONS)
@pytest.mark.parametrize("zooms", [(1.0, 1.0, 1.0), (0.7, 1.3, 2.9)])
def test_a_mask_follows_its_image(codes, zooms):
    lesion = np.zeros((12, 9, 14), np.bool_)
    lesion[2:5, 3:8, 1:11] = np.random.default_rng(1).random((3, 5, 10)) > 0.4
    affine = affine_of(codes, zooms)
    grid, maps = conformed_grid(lesion.shape, affine, (40, 38, 36), 1.0)
    part, box = nearest_mask(np.asfortranarray(lesion), maps)
    found = np.zeros(grid.shape, np.bool_)
    found[box] = part
    image = nib.Nifti1Image(lesion.astype(np.uint8), affine)
    expected = resample_from_to(nib.as_closest_canonical(image), (grid.shape, grid.affine), order=0)
    differing = np.count_nonzero(found != (np.asarray(expected.dataobj) > 0))
    # Ties: half of a voxel away from two, nibabel goes as rounding errors will have it.
    assert differing <= (0 if zooms[0] == 1.0 else 0.02 * found.sum())
    assert found.any()


def test_all_strokes_keep_every_voxel():
    total = 0
    for path in strokes():
        volume = open_voxels(path)
        lesion = lesion_mask(volume.voxels)
        _, maps = conformed_grid(lesion.shape, volume.header.affine, SHAPE, 1.0)
        part, _ = nearest_mask(lesion, maps)
        assert np.count_nonzero(part) == np.count_nonzero(lesion), path.name
        total += np.count_nonzero(part)
    assert total == 5_578_553


def test_half_way_between_two_voxels_a_mask_takes_the_upper():
    lesion = np.array([1, 0, 1], np.bool_).reshape(3, 1, 1)
    _, maps = conformed_grid((3, 1, 1), np.diag([2.0, 1.0, 1.0, 1.0]), (5, 1, 1), 1.0)
    part, box = nearest_mask(lesion, maps)
    assert part.ravel().tolist() == [True, False, False, True, True]
    assert box == (slice(0, 5), slice(0, 1), slice(0, 1))


def test_a_mask_without_lesion_has_an_empty_box():
    _, maps = conformed_grid((3, 3, 3), np.eye(4), (5, 5, 5), 1.0)
    part, box = nearest_mask(np.zeros((3, 3, 3), np.bool_), maps)
    assert part.size == 0
    assert np.zeros((5, 5, 5))[box].shape == part.shape


def test_a_mask_of_another_grid_in_the_world():
    image, mask = (nib.load(path) for path in oblique())
    grid, _ = conformed_grid(image.shape, image.affine, SHAPE, 1.0)
    lesion = np.asarray(mask.dataobj) > 0
    assert np.count_nonzero(lesion) == 172
    part, box = nearest_mask_in_world(lesion, mask.affine, grid)
    found = np.zeros(SHAPE, np.bool_)
    found[box] = part
    assert abs(np.count_nonzero(found) - 436) <= 2
    expected = np.asarray(resample_from_to(mask, (SHAPE, grid.affine), order=0).dataobj) > 0
    assert np.count_nonzero(found != expected) <= 2


@settings(deadline=None, max_examples=40)
@given(st.sampled_from(ORIENTATIONS), st.floats(-0.5, 0.5), st.tuples(*[st.floats(-4, 4)] * 3), st.integers(0, 99))
def test_the_box_around_a_lesion_loses_nothing(codes, tilt, shift, seed):
    """Against every voxel of the grid asked one by one."""
    lesion = np.random.default_rng(seed).random((5, 6, 4)) > 0.8
    turn = np.eye(4)
    turn[1:3, 1:3] = [[np.cos(tilt), -np.sin(tilt)], [np.sin(tilt), np.cos(tilt)]]
    turn[:3, 3] = shift
    affine = turn @ affine_of(codes, (1.3, 0.8, 2.0), origin=(0, 0, 0))
    grid = Grid((9, 8, 10), np.diag([1.0, 1.0, 1.0, 1.0]))
    part, box = nearest_mask_in_world(lesion, affine, grid)
    found = np.zeros(grid.shape, np.bool_)
    found[box] = part
    canonical = nib.as_closest_canonical(nib.Nifti1Image(lesion.astype(np.uint8), affine))
    turned = np.asarray(canonical.dataobj) > 0
    places = np.stack(np.meshgrid(*map(np.arange, grid.shape), indexing="ij"), -1).reshape(-1, 3)
    to_mask = np.linalg.inv(canonical.affine) @ grid.affine
    source = places @ to_mask[:3, :3].T + to_mask[:3, 3]
    inside = ((source >= 0) & (source <= np.array(turned.shape) - 1)).all(axis=1)
    expected = np.zeros(len(places), np.bool_)
    expected[inside] = turned[tuple(np.floor(source[inside] + 0.5).astype(int).T)]
    assert np.count_nonzero(found.ravel() != expected) <= 1, "rounding, at most"


@given(st.permutations(range(3)), st.tuples(*[st.booleans()] * 3), st.integers(0, 200))
def test_the_smallest_box_of_any_memory_order(order, flips, seed):
    lesion = np.random.default_rng(seed).random((4, 5, 6)) > 0.97
    view = lesion.transpose(order)[tuple(slice(None, None, -1 if flip else 1) for flip in flips)]
    box = lesion_box(view)
    hits = np.argwhere(view)
    if not len(hits):
        assert view[box].size == 0
        return
    assert [(part.start, part.stop - 1) for part in box] == list(
        zip(hits.min(axis=0).tolist(), hits.max(axis=0).tolist(), strict=True)
    )
    in_order, forwards = memory_order(view)
    strides = view[forwards].transpose(in_order).strides
    assert list(strides) == sorted(strides, reverse=True)
    assert strides[-1] > 0
