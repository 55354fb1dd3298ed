"""Left and right, outlines, positions and the scale bar are where they belong."""

import numpy as np
import pytest

from bgb_assets.modalities.mri.pictures.drawing import PREDICTED_COLOR, TRUE_COLOR, figure_of
from bgb_assets.modalities.mri.pictures.head import Head
from bgb_assets.modalities.mri.pictures.slices import (
    CONVENTION,
    SCALE_MM,
    draw_cross,
    draw_scale,
    draw_slice,
    legend_of,
    size_mm,
)
from bgb_assets_tests.modalities.mri.pictures.figure_parts import outlines, texts

AFFINE = np.diag([2.0, 2.0, 3.0, 1.0]) + np.array([[0, 0, 0, -40], [0, 0, 0, -50], [0, 0, 0, -30], [0, 0, 0, 0]])


def head_with(*place: int, role: str = "truth") -> Head:
    """Return a bright head with a lesion of 4 voxels around a place; axes run right, anterior, superior."""
    image = np.zeros((40, 50, 20), np.float32)
    image[4:36, 4:46, 2:18] = 1.0
    mask = np.zeros(image.shape, bool)
    mask[tuple(slice(at - 2, at + 2) for at in place)] = True
    return Head(image, AFFINE, **{role: mask})


def drawn(head: Head, axis: int, index: int):
    figure, (axes,) = figure_of(3.0)
    draw_slice(axes, head, axis, index)
    return figure, axes


def middle_of_outline(axes, color: str) -> np.ndarray:
    (path,) = outlines(axes, color)
    return (path.vertices.min(axis=0) + path.vertices.max(axis=0)) / 2


@pytest.mark.parametrize(("x", "side"), [(8, "right"), (32, "left")])
@pytest.mark.parametrize("axis", [2, 1])
def test_the_patients_left_is_on_the_right(axis, x, side):
    """Low x is the patient's left, which radiologists see on the right."""
    head = head_with(x, 20, 10)
    _, axes = drawn(head, axis, head.voxel_at(head.centre_mm)[axis])
    width, _ = size_mm(head, axis)
    across = middle_of_outline(axes, TRUE_COLOR)[0]
    assert (across > width / 2) == (side == "right")
    left_letter, right_letter = (text for text in axes.texts if text.get_text() in "LR")
    assert (left_letter.get_text(), right_letter.get_text()) == ("R", "L")
    assert left_letter.get_position()[0] < right_letter.get_position()[0]
    assert "the patient's right is on the left" in CONVENTION


def test_in_sagittal_slices_the_nose_points_to_the_left():
    head = head_with(20, 40, 10)
    _, axes = drawn(head, 0, 20)
    assert middle_of_outline(axes, TRUE_COLOR)[0] < size_mm(head, 0)[0] / 2
    assert [text.get_text() for text in axes.texts][:2] == ["A", "P"]


def test_outlines_lie_on_the_image_to_the_millimetre():
    head = head_with(12, 30, 10, role="prediction")
    _, axes = drawn(head, 2, 10)
    box = head.box
    middle_mm = np.array([(box[0].stop - 12) * 2.0, (30 - box[1].start) * 2.0])
    np.testing.assert_allclose(middle_of_outline(axes, PREDICTED_COLOR), middle_mm, atol=1e-6)
    (shown,) = axes.images
    row, column = (30 - box[1].start, box[0].stop - 1 - 12)
    assert shown.get_array()[row, column] == head.image[12, 30, 10]
    np.testing.assert_allclose(shown.get_extent()[1], (box[0].stop - box[0].start) * 2.0)


def test_the_slice_says_where_it_lies():
    figure, _ = drawn(head_with(20, 20, 10), 2, 10)
    assert "z +0.0 mm" in texts(figure)
    figure, _ = drawn(head_with(20, 20, 10), 2, 8)
    assert "z \N{MINUS SIGN}6.0 mm" in texts(figure)


def test_a_scale_bar_has_its_length():
    head = head_with(20, 20, 10)
    figure, axes = drawn(head, 2, 10)
    draw_scale(axes, head, 2)
    (bar,) = axes.lines
    width = size_mm(head, 2)[0]
    assert np.ptp(bar.get_xdata()) == min(SCALE_MM, 0.6 * width)
    assert f"{min(SCALE_MM, 0.6 * width):g} mm" in texts(figure)


def test_the_cross_is_where_the_planes_cut():
    head = head_with(12, 30, 10)
    _, axes = drawn(head, 2, 10)
    draw_cross(axes, head, 2, (12, 30, 10))
    upright, level = axes.lines
    assert upright.get_xdata()[0] == (head.box[0].stop - 12.5) * 2.0
    assert level.get_ydata()[0] == (30.5 - head.box[1].start) * 2.0


def test_the_legend_names_what_is_drawn():
    for role, other in (("truth", "prediction"), ("prediction", "truth")):
        head = head_with(20, 20, 10, role=role)
        figure, _ = drawn(head, 2, 10)
        legend_of(figure, head)
        assert CONVENTION in texts(figure)
        assert role in texts(figure)
        assert other not in texts(figure)
