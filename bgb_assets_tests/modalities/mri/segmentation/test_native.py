"""The way back to the scan's grid, held against resampling in world space by other hands."""

import nibabel
import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from bgb_assets.modalities.mri.conform.grid import conformed_grid
from bgb_assets.modalities.mri.segmentation.native import to_conformed, to_native

OBLIQUE = np.array([[1.9, 0.3, 0.1, -40], [-0.3, 1.9, 0.2, -50], [-0.1, -0.2, 2.9, -30], [0, 0, 0, 1]])
AFFINES = {
    "as it is": np.diag([1.0, 1, 1, 1]),
    "LAS": np.diag([-1.0, 1, 1, 1]),
    "turned": np.array([[0, 0, 2.0, -9], [-0.7, 0, 0, 8], [0, -1.3, 0, 7], [0, 0, 0, 1]]),
    "oblique": OBLIQUE,
    "oblique, turned": OBLIQUE[:, [2, 0, 1, 3]] * [1, -1, 1, 1],
}


@pytest.mark.parametrize("name", AFFINES)
def test_values_are_those_of_world_space(name):
    affine, shape = AFFINES[name], (13, 17, 11)
    grid, maps = conformed_grid(shape, affine, (24, 26, 28), 1.5 if name != "as it is" else 1.0)
    values = np.random.default_rng(0).random(grid.shape, np.float32)
    found = to_native(values, maps)
    world = nibabel.affines.apply_affine(affine, np.stack(np.indices(shape), axis=-1))
    places = nibabel.affines.apply_affine(np.linalg.inv(grid.affine), world)
    expected = map_coordinates(values, np.moveaxis(places, -1, 0), order=1, mode="constant", cval=0.0)
    inside = ((places >= 0) & (places <= np.array(grid.shape) - 1)).all(axis=-1)
    assert found.shape == shape
    assert found.flags.f_contiguous
    assert inside.mean() > 0.5
    np.testing.assert_allclose(found[inside], expected[inside], atol=1e-4)
    assert not found[((places < -0.01) | (places > np.array(grid.shape) - 0.99)).any(axis=-1)].any()


def test_a_mask_on_equal_spacing_comes_back_voxel_for_voxel():
    shape = (12, 9, 15)
    for affine in (AFFINES["LAS"], AFFINES["as it is"][:, [1, 2, 0, 3]]):
        _, maps = conformed_grid(shape, affine, (20, 21, 22), 1.0)
        mask = np.random.default_rng(1).random(shape) < 0.3
        there = to_conformed(mask, maps)
        assert there.sum() == mask.sum()
        np.testing.assert_array_equal(to_native(there.astype(np.float32), maps) > 0.5, mask)


def test_outside_the_conformed_volume_there_is_nothing():
    _, maps = conformed_grid((30, 30, 30), np.eye(4), (10, 10, 10), 1.0)
    found = to_native(np.ones((10, 10, 10), np.float32), maps)
    assert found.sum() == 1000
    assert not found[0].any()
