import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgb_assets.modalities.mri.conform.cropping import (
    covered_box,
    lost_image_share,
    lost_voxels,
    lost_voxels_in_world,
)
from bgb_assets.modalities.mri.conform.grid import conformed_grid
from bgb_assets.modalities.mri.conform.resample import Scaling
from bgb_assets_tests.modalities.mri.conform.test_grid import ORIENTATIONS, affine_of


def test_nothing_is_lost_of_a_scan_that_fits():
    _, maps = conformed_grid((5, 6, 7), affine_of("LIA"), (8, 8, 8), 1.0)
    assert lost_image_share(np.ones((5, 6, 7)), Scaling(), maps) == 0.0
    assert covered_box(maps) == (slice(0, 5), slice(0, 6), slice(0, 7))


def test_the_share_of_an_image_outside_the_box():
    values = np.array([4, -1, 1, 1, 1, 2], np.int16).reshape(6, 1, 1)
    _, maps = conformed_grid((6, 1, 1), np.eye(4), (4, 1, 1), 1.0)
    # Voxel 2 lands on 1: voxels 1 to 4 stay, 4 of 10 in absolute values.
    assert lost_image_share(values, Scaling(), maps) == pytest.approx(0.6)
    assert lost_image_share(values, Scaling(-3.0, 0.0), maps) == pytest.approx(0.6)
    assert lost_image_share(np.zeros((6, 1, 1)), Scaling(), maps) == 0.0


@given(
    st.sampled_from(ORIENTATIONS),
    st.tuples(*[st.sampled_from([0.5, 0.8, 1.0, 2.2])] * 3),
    st.tuples(*[st.integers(2, 9)] * 3),
    st.integers(0, 99),
)
def test_both_ways_of_counting_lost_voxels_agree(codes, zooms, target, seed):
    affine = affine_of(codes, zooms)
    lesion = np.random.default_rng(seed).random((7, 8, 9)) > 0.6
    grid, maps = conformed_grid(lesion.shape, affine, target, 1.0)
    assert lost_voxels(lesion, maps) == pytest.approx(lost_voxels_in_world(lesion, affine, grid), abs=0.5)
