"""Which slices are drawn, and that truth and prediction are told apart."""

import numpy as np
import pytest

from bgb_assets.modalities.mri.pictures.drawing import PREDICTED_COLOR, TRUE_COLOR
from bgb_assets.modalities.mri.pictures.head import Head
from bgb_assets.modalities.mri.pictures.montage import ROW_SLICES, axial_slices, montage, rows_of_heads
from bgb_assets.modalities.mri.pictures.slices import CONVENTION
from bgb_assets.runtime.rendering import bounded_data_uri, render_png
from bgb_assets_tests.modalities.mri.pictures.figure_parts import outlines, shown, texts


def head_of(lesion: slice | None, depth: int = 60, role: str = "truth") -> Head:
    image = np.random.default_rng(0).random((30, 36, depth), np.float32) * 0.01
    image[3:27, 3:33, 5 : depth - 5] += 1.0
    mask = np.zeros(image.shape, bool)
    if lesion is not None:
        mask[10:16, 10:20, lesion] = True
    return Head(image, np.eye(4), **{role: mask})


def test_slices_run_evenly_from_end_to_end_of_the_lesion():
    chosen = axial_slices(head_of(slice(10, 55)))
    assert (len(chosen), chosen[0], chosen[-1]) == (12, 10, 54)
    assert set(np.diff(chosen)) == {4}


@pytest.mark.parametrize("lesion", [slice(30, 31), slice(0, 3), slice(57, 60), slice(20, 29)])
def test_a_small_lesion_is_drawn_with_its_surroundings(lesion):
    chosen = axial_slices(head_of(lesion))
    assert chosen == list(range(chosen[0], chosen[0] + 12))
    assert set(range(lesion.start, lesion.stop)) <= set(chosen)
    assert chosen[0] >= 0
    assert chosen[-1] < 60


def test_without_a_lesion_slices_run_through_the_head():
    head = head_of(None)
    chosen = axial_slices(head)
    assert head.extent[2] == slice(5, 55)
    assert (len(chosen), chosen[0], chosen[-1]) == (12, 5 + 3, 54 - 3)


def test_a_flat_stack_is_drawn_whole():
    assert axial_slices(head_of(slice(2, 3), depth=11)) == list(range(11))


def test_the_montage_outlines_truth_and_prediction():
    truth, predicted = head_of(slice(20, 40)), head_of(slice(22, 44), role="prediction")
    figure = montage(Head(truth.image, truth.affine, truth.truth, predicted.prediction), "a scan")
    tiles = shown(figure)
    assert len(tiles) == 12
    assert len(outlines(tiles[0], TRUE_COLOR)) == 1
    assert not outlines(tiles[0], PREDICTED_COLOR)
    assert not outlines(tiles[-1], TRUE_COLOR)
    assert len(outlines(tiles[-1], PREDICTED_COLOR)) == 1
    assert {"a scan", CONVENTION, "truth", "prediction"} <= set(texts(figure))
    assert sum(text.endswith("0 mm") and "z" not in text for text in texts(figure)) <= 1


def test_pictures_are_the_same_bytes_twice_and_small_enough_to_attach():
    first, second = (render_png(montage(head_of(slice(20, 40)), "x"), "dark") for _ in range(2))
    assert first == second
    assert len(bounded_data_uri(montage(head_of(slice(20, 40)), "x"), "light", 200_000)) <= 200_000


def test_several_heads_have_a_row_each():
    figure = rows_of_heads([("first", head_of(slice(20, 40))), ("second", head_of(slice(30, 31)))], "worst")
    assert len(shown(figure)) == 2 * ROW_SLICES
    assert {"first", "second", "worst"} <= set(texts(figure))
    assert rows_of_heads([], "none") is None
