"""Packed masks: which voxel a set bit is, what a cube holds, and how often a cube holds a lesion."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bgb_assets.modalities.mri.learning.patches import crop_bits, patch_origin, set_bit
from bgb_assets.modalities.mri.learning.variants import Patches

SIDES = st.tuples(st.integers(3, 9), st.integers(3, 9), st.integers(3, 9))


def mask_of(shape, share, seed):
    return np.random.default_rng(seed).random(shape) < share


@settings(max_examples=60, deadline=None)
@given(shape=SIDES, share=st.sampled_from([0.0, 0.02, 0.5, 1.0]), seed=st.integers(0, 999))
def test_every_set_bit_can_be_asked_for_and_no_other(shape, share, seed):
    mask = mask_of(shape, share, seed)
    voxels = np.flatnonzero(mask).tolist()
    bits = np.packbits(mask)
    found = [set_bit(bits, (rank + 0.5) / len(voxels)) for rank in range(len(voxels))]
    assert found == voxels
    assert voxels or set_bit(bits, 0.5) is None


@settings(max_examples=60, deadline=None)
@given(shape=SIDES, size=st.integers(1, 3), seed=st.integers(0, 999), place=st.tuples(*[st.floats(0, 0.999)] * 3))
def test_a_cube_of_bits_is_the_cube_of_the_mask(shape, size, seed, place):
    mask = mask_of(shape, 0.4, seed)
    origin = [int(share * (axis - size + 1)) for share, axis in zip(place, shape, strict=True)]
    inside = tuple(slice(low, low + size) for low in origin)
    np.testing.assert_array_equal(crop_bits(np.packbits(mask), shape, origin, size), np.packbits(mask[inside]))


@pytest.mark.parametrize(("share", "least", "most"), [(0.0, 0.0, 0.05), (0.33, 0.28, 0.42), (1.0, 1.0, 1.0)])
def test_the_share_of_cubes_with_lesion(share, least, most):
    mask = np.zeros((40, 30, 20), bool)
    mask[3, 28, 10] = mask[39, 0, 0] = True
    bits, random, held = np.packbits(mask), np.random.default_rng(0), 0
    for _ in range(500):
        origin = patch_origin(bits, mask.shape, Patches(8, 1, share), random)
        assert all(0 <= low <= axis - 8 for low, axis in zip(origin, mask.shape, strict=True))
        held += mask[tuple(slice(low, low + 8) for low in origin)].any()
    assert least <= held / 500 <= most


def test_without_lesion_cubes_lie_anywhere_and_one_as_large_as_the_volume_at_its_start():
    empty = np.packbits(np.zeros((6, 6, 6), bool))
    origins = {patch_origin(empty, (6, 6, 6), Patches(5, 1, 1.0), np.random.default_rng(seed)) for seed in range(99)}
    assert origins == {(x, y, z) for x in (0, 1) for y in (0, 1) for z in (0, 1)}
    assert patch_origin(empty, (6, 6, 6), Patches(6, 1, 0.5), np.random.default_rng(0)) == (0, 0, 0)
