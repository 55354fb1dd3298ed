import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.spatial.distance import cdist

from bgb_assets.modalities.mri.measures.surface import hd95_mm

MASKS = hnp.arrays(np.bool_, (6, 5, 4)).filter(lambda mask: mask.any())
SPACING_MM = st.tuples(*[st.floats(0.5, 3)] * 3)


def surface_by_hand(mask: np.ndarray) -> list[tuple[int, ...]]:
    """Return the set voxels with a face on an unset one or on the edge."""
    padded = np.pad(mask, 1)
    found = []
    for voxel in np.argwhere(mask):
        i, j, k = voxel + 1
        faces = [(i - 1, j, k), (i + 1, j, k), (i, j - 1, k), (i, j + 1, k), (i, j, k - 1), (i, j, k + 1)]
        if not all(padded[face] for face in faces):
            found.append(tuple(voxel))
    return found


@given(MASKS, MASKS, SPACING_MM)
def test_distances_are_those_of_all_pairs(
    prediction: np.ndarray, truth: np.ndarray, spacing_mm: tuple[float, float, float]
) -> None:
    points = [np.array(surface_by_hand(mask)) * spacing_mm for mask in (prediction, truth)]
    apart = cdist(*points)
    expected = np.percentile(np.concatenate([apart.min(axis=1), apart.min(axis=0)]), 95)
    assert hd95_mm(prediction, truth, spacing_mm) == pytest.approx(expected, abs=1e-9)
    assert hd95_mm(truth, prediction, spacing_mm) == pytest.approx(expected, abs=1e-9)


def test_shifted_cube_is_as_far_as_it_was_shifted() -> None:
    truth = np.zeros((30, 30, 30), np.bool_)
    truth[5:15, 5:15, 5:15] = True
    assert hd95_mm(truth, truth, (1, 1, 1)) == 0.0
    assert hd95_mm(np.roll(truth, 7, axis=2), truth, (1, 1, 3)) == 21.0


def test_empty_side_has_no_distance() -> None:
    none, some = np.zeros((3, 3, 3), np.bool_), np.ones((3, 3, 3), np.bool_)
    for prediction, truth in ((none, none), (some, none), (none, some)):
        assert hd95_mm(prediction, truth, (1, 1, 1)) is None


@pytest.mark.parametrize("spacing_mm", [(1, 1), (1, 1, 0), (1, 1, float("inf")), (1, 1, float("nan"))])
def test_impossible_spacing_is_refused(spacing_mm: tuple[float, ...]) -> None:
    some = np.ones((3, 3, 3), np.bool_)
    with pytest.raises(ValueError, match="3 positive numbers of mm"):
        hd95_mm(some, some, spacing_mm)
