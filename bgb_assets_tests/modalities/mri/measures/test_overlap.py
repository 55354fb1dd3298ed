import nibabel
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import f1_score, matthews_corrcoef

from bgb_assets.modalities.mri.measures.overlap import LesionMatch, Overlap, bounding_box, match_lesions, overlap
from bgb_assets_tests.fixtures import shared_data

MASKS = hnp.arrays(np.bool_, (5, 4, 3))


def expert_mask(patient: str) -> np.ndarray:
    path = next((shared_data("mri") / "open_ms" / patient).glob("GOLD_STANDARD*"))
    return np.asarray(nibabel.load(path).dataobj) != 0


@pytest.mark.parametrize(
    ("patient", "tp", "off", "dice", "macro", "mcc"),
    [
        ("patient07", 748, 552, 0.5753846, 0.7876541, 0.5753082),
        ("patient19", 40_337, 9_432, 0.8104844, 0.9045846, 0.8091692),
    ],
)
def test_real_lesion_against_itself_one_voxel_further(
    patient: str, tp: int, off: int, dice: float, macro: float, mcc: float
) -> None:
    truth = expert_mask(patient)
    found = overlap(np.roll(truth, 1, axis=0), truth)
    assert found == Overlap(tp, off, off, truth.size - tp - 2 * off)
    assert found.lesion_dice() == pytest.approx(dice, abs=1e-7)
    assert found.macro_dice() == pytest.approx(macro, abs=1e-7)
    assert found.mcc() == pytest.approx(mcc, abs=1e-7)
    assert found.avd() == 0.0


@given(MASKS, MASKS)
def test_counts_and_figures_are_those_of_scikit_learn(prediction: np.ndarray, truth: np.ndarray) -> None:
    found = overlap(prediction, truth)
    assert found.tp + found.fp + found.fn + found.tn == truth.size
    assert (found.predicted, found.true) == (prediction.sum(), truth.sum())
    if truth.any() or prediction.any():
        assert found.lesion_dice() == pytest.approx(f1_score(truth.ravel(), prediction.ravel()))
    background = f1_score(~truth.ravel(), ~prediction.ravel(), zero_division=1.0)
    assert found.macro_dice() == pytest.approx((found.lesion_dice() + background) / 2)
    if len(np.unique(truth)) == len(np.unique(prediction)) == 2:
        assert found.mcc() == pytest.approx(matthews_corrcoef(truth.ravel(), prediction.ravel()))
    else:
        assert found.mcc() == 0.0


def test_empty_sides_have_figures_or_none_never_infinity() -> None:
    none, some = np.zeros((4, 4, 4), np.bool_), np.zeros((4, 4, 4), np.bool_)
    some[1, 1, 1] = True
    both, no_truth, no_prediction = overlap(none, none), overlap(some, none), overlap(none, some)
    assert (both.lesion_dice(), both.macro_dice(), both.avd(), both.mcc(), both.both_empty) == (1, 1, None, 0, True)
    assert (no_truth.lesion_dice(), no_truth.avd(), no_truth.mcc(), no_truth.both_empty) == (0, None, 0, False)
    assert (no_prediction.lesion_dice(), no_prediction.avd(), no_prediction.mcc()) == (0, 1, 0)
    assert no_truth.macro_dice() == no_prediction.macro_dice() == pytest.approx(2 * 63 / (2 * 63 + 1) / 2)
    assert Overlap(64, 0, 0, 0).macro_dice() == 1.0


def test_macro_dice_is_not_lesion_dice() -> None:
    found = Overlap(tp=660, fp=340, fn=340, tn=16_000_000)
    assert found.lesion_dice() == pytest.approx(0.66)
    assert found.macro_dice() == pytest.approx(0.83, abs=1e-4)


def test_counts_of_a_whole_volume_do_not_overflow() -> None:
    assert Overlap(8_388_608, 0, 0, 8_388_608).mcc() == 1.0
    assert Overlap(0, 8_388_608, 8_388_608, 0).mcc() == -1.0


def test_lesions_are_matched_by_any_touching_voxel_and_corners_connect() -> None:
    truth, prediction = np.zeros((2, 12, 12, 12), np.bool_)
    truth[1, 1, 1] = truth[2, 2, 2] = True  # one lesion, over a corner
    truth[6:9, 6:9, 6:9] = True
    truth[11, 0, 0] = True
    prediction[2, 2, 2] = True
    prediction[6, 6, 6] = prediction[8, 8, 8] = True  # two of one
    prediction[0, 11, 11] = True
    found = match_lesions(prediction, truth)
    assert found == LesionMatch(found=2, missed=1, predicted=4, false=1)
    assert found.lesion_f1() == 2 * 2 / (2 * 2 + 1 + 1)
    assert found.count_difference() == 1


def test_lesions_of_empty_sides() -> None:
    none, some = np.zeros((4, 4, 4), np.bool_), np.ones((4, 4, 4), np.bool_)
    assert (match_lesions(none, none).lesion_f1(), match_lesions(none, none).count_difference()) == (1, 0)
    assert (match_lesions(some, none).lesion_f1(), match_lesions(some, none).count_difference()) == (0, 1)
    assert (match_lesions(none, some).lesion_f1(), match_lesions(none, some).missed) == (0, 1)


@given(MASKS.filter(lambda mask: mask.any()), st.integers(0, 2))
def test_box_is_the_smallest(mask: np.ndarray, axis: int) -> None:
    box = bounding_box(mask)
    assert mask[box].sum() == mask.sum()
    inner = np.moveaxis(mask[box], axis, 0)
    assert inner[0].any()
    assert inner[-1].any()


def test_only_masks_on_one_grid_are_compared() -> None:
    mask = np.zeros((3, 3, 3), np.bool_)
    for count in (overlap, match_lesions):
        with pytest.raises(ValueError, match="one grid, got shapes"):
            count(mask, mask[:2])
        with pytest.raises(ValueError, match="truth values, got bool and uint8"):
            count(mask, mask.astype(np.uint8))
