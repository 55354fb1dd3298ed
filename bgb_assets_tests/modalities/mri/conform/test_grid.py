import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nibabel.processing import conform

from bgb_assets.modalities.mri.conform.grid import canonical_order, conformed_grid
from bgb_assets_tests.modalities.mri.cached_scans import head, oblique

SHAPE = (256, 256, 256)
ORIENTATIONS = ["RAS", "LAS", "LPS", "LIA", "PSR", "SAL", "IRP", "ASR"]


def affine_of(codes, zooms=(1.0, 1.0, 1.0), origin=(3.0, -7.0, 11.0)):
    turn = nib.orientations.inv_ornt_aff(nib.orientations.axcodes2ornt(codes), (1, 1, 1))
    scale = np.diag([*zooms, 1.0])
    affine = np.linalg.inv(turn) @ scale
    affine[:3, 3] = origin
    return affine


@pytest.mark.parametrize("codes", ORIENTATIONS)
@pytest.mark.parametrize("shape", [(5, 6, 7), (8, 3, 9)])
def test_the_grid_is_that_of_nibabel(codes, shape):
    affine = affine_of(codes, (0.9, 1.3, 3.0))
    grid, _ = conformed_grid(shape, affine, (12, 11, 10), 1.0)
    reference = conform(nib.Nifti1Image(np.zeros(shape, np.float32), affine), (12, 11, 10), order=0)
    np.testing.assert_allclose(grid.affine, reference.affine, atol=1e-9)
    assert grid.shape == reference.shape


def test_the_grids_of_real_scans_are_those_of_nibabel():
    for path in (head("patient07")[0], oblique()[0]):
        image = nib.load(path)
        grid, _ = conformed_grid(image.shape, image.affine, SHAPE, 1.0)
        reference = conform(nib.Nifti1Image(np.zeros(image.shape, np.float32), image.affine), SHAPE, order=0)
        np.testing.assert_array_equal(grid.affine, reference.affine)


def test_the_origin_of_a_head_turned_left_to_right():
    image = nib.load(head("patient07")[0])
    grid, maps = conformed_grid(image.shape, image.affine, SHAPE, 1.0)
    assert grid.affine[:3, 3].tolist() == [-128.0, -145.0, -109.0]
    assert [(m.axis, m.flipped, m.is_shift) for m in maps] == [(0, True, True), (1, False, True), (2, False, True)]


def test_the_centre_voxel_lands_on_the_centre_voxel():
    grid, maps = conformed_grid((10, 11, 12), affine_of("LPI", (2.0, 1.0, 0.5)), SHAPE, 1.0)
    assert [m.coordinates()[127] for m in maps] == [4.0, 5.0, 5.0]
    assert [m.step for m in maps] == [0.5, 1.0, 2.0]
    assert grid.affine.shape == (4, 4)


@given(
    st.sampled_from(ORIENTATIONS),
    st.tuples(*[st.integers(1, 20)] * 3),
    st.tuples(*[st.floats(0.3, 4.0)] * 3),
    st.floats(-0.3, 0.3),
)
def test_axis_maps_and_affines_agree(codes, shape, zooms, tilt):
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(tilt), -np.sin(tilt)], [np.sin(tilt), np.cos(tilt)]]
    affine = turn @ affine_of(codes, zooms)
    grid, maps = conformed_grid(shape, affine, (9, 8, 7), 1.0)
    target = np.array([3, 1, 5])
    source = np.zeros(3)
    for place, axis_map in enumerate(maps):
        coordinate = axis_map.coordinates()[target[place]]
        source[axis_map.axis] = axis_map.size - 1 - coordinate if axis_map.flipped else coordinate
    world = grid.affine @ [*target, 1]
    np.testing.assert_allclose(affine @ [*source, 1], world, atol=1e-2)


@given(st.integers(1, 30), st.integers(1, 30), st.floats(0.2, 3.0))
def test_support_and_cover_are_what_they_say(size, count, zoom):
    _, maps = conformed_grid((size, 1, 1), np.diag([zoom, 1.0, 1.0, 1.0]), (count, 1, 1), 1.0)
    coordinates = maps[0].coordinates()
    inside = [i for i, at in enumerate(coordinates) if 0 <= at <= size - 1]
    assert list(range(count))[maps[0].support()] == inside
    placed = [(k - maps[0].source_anchor) / maps[0].step + maps[0].target_anchor for k in range(size)]
    assert list(range(size))[maps[0].covered()] == [k for k, at in enumerate(placed) if -0.5 <= at < count - 0.5]


def test_what_is_covered_is_counted_from_the_stored_end():
    _, maps = conformed_grid((10, 1, 1), np.diag([-1.0, 1.0, 1.0, 1.0]), (4, 1, 1), 1.0)
    # Voxel 4 from the left is voxel 5 as stored, and lands on 1: 3 to 6 from the left lie on 0 to 3.
    assert maps[0].covered() == slice(3, 7)
    assert maps[0].support() == slice(0, 4)


def test_noise_of_single_precision_is_no_other_spacing():
    affine = np.diag([1.0000001, 0.9999999, 1.0, 1.0])
    assert all(m.is_shift for m in conformed_grid((250, 250, 250), affine, SHAPE, 1.0)[1])
    coarser = np.diag([1.0001, 1.0, 1.0, 1.0])
    assert not conformed_grid((250, 250, 250), coarser, SHAPE, 1.0)[1][0].is_shift


def test_axes_are_permuted_and_flipped_to_the_closest():
    axes, flips, canonical = canonical_order((4, 5, 6), affine_of("PIR"))
    assert (axes, flips) == ((2, 0, 1), (False, True, True))
    assert nib.aff2axcodes(canonical) == ("R", "A", "S")
