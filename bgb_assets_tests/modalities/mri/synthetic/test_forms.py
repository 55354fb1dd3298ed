"""Grids: any orientation, about the world's origin, with the spacing that was asked for."""

import nibabel
import numpy as np
import pytest

from bgb_assets.modalities.mri.synthetic.forms import FIELD_OF_VIEW_MM, Form, grid_of, points_of


@pytest.mark.parametrize("orientation", ["RAS", "LAS", "PSR", "ILP", "LPI"])
def test_axes_point_where_they_say(orientation):
    shape, affine = grid_of(Form(orientation=orientation, spacing_mm=(2.0, 3.0, 4.0)))
    assert "".join(nibabel.aff2axcodes(affine)) == orientation
    extent = np.ptp(points_of(shape, affine).reshape(-1, 3), axis=0)
    np.testing.assert_allclose(extent, np.array(FIELD_OF_VIEW_MM) - (2, 3, 4), atol=4)
    np.testing.assert_allclose(points_of(shape, affine).reshape(-1, 3).mean(axis=0), 0, atol=1e-9)


def test_a_tilt_turns_and_keeps_lengths():
    _, affine = grid_of(Form(spacing_mm=(2.4, 2.4, 4.8), tilt_deg=(9.0, -6.0, 4.0)))
    np.testing.assert_allclose(nibabel.affines.voxel_sizes(affine), (2.4, 2.4, 4.8))
    assert np.linalg.det(affine) == pytest.approx(2.4 * 2.4 * 4.8)
    assert 5 < np.degrees(nibabel.affines.obliquity(affine)).max() < 15
