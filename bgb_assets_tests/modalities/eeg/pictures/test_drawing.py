import numpy as np

from bgb_assets.modalities.eeg.pictures.drawing import figure_of, legend_above, mark, shade, whole_numbers


def test_spans_are_shaded_with_one_name_and_bars_in_their_rows():
    _, (axes,) = figure_of(2.0)
    shade(axes, np.array([[0.0, 1.0], [2.0, 3.0]]), "#112233", "a")
    shade(axes, np.array([[0.5, 1.5]]), "#445566", "b", row=1)
    legend_above(axes)
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["a", "b"]
    bars = [patch for patch in axes.patches if patch.get_alpha() is None]
    assert bars[0].get_y() > bars[-1].get_y()


def test_no_names_no_legend():
    _, (axes,) = figure_of(2.0)
    shade(axes, np.zeros((0, 2)), "#112233", "a")
    legend_above(axes)
    assert axes.get_legend() is None


def test_marks_lie_on_their_row_and_axes_count():
    _, (axes,) = figure_of(2.0)
    mark(axes, np.array([[1.0, 4.0]]), 2.0, 0.5, "#112233", "a")
    corners = axes.collections[0].get_paths()[0].vertices
    assert (corners.min(axis=0).tolist(), corners.max(axis=0).tolist()) == ([1.0, 1.75], [4.0, 2.25])
    whole_numbers(axes.xaxis)
    axes.set_xlim(0.0, 2.0)
    assert all(float(tick).is_integer() for tick in axes.get_xticks())
