import math

import numpy as np
from hypothesis import given
from hypothesis.extra import numpy as hnp

from bgb_assets.modalities.mri.measures.overlap import match_lesions, overlap
from bgb_assets.modalities.mri.measures.scan import measure_scan
from bgb_assets.modalities.mri.measures.surface import hd95_mm

MASKS = hnp.arrays(np.bool_, (4, 4, 4))


@given(MASKS, MASKS)
def test_figures_are_those_of_their_modules_and_all_finite(prediction: np.ndarray, truth: np.ndarray) -> None:
    found = measure_scan(prediction, truth, (1, 1, 2))
    counts, lesions = overlap(prediction, truth), match_lesions(prediction, truth)
    assert found.overlap == counts
    assert (found.lesion_dice, found.macro_dice) == (counts.lesion_dice(), counts.macro_dice())
    assert (found.avd, found.mcc) == (counts.avd(), counts.mcc())
    assert (found.lesion_f1, found.count_difference) == (lesions.lesion_f1(), lesions.count_difference())
    assert found.hd95_mm == hd95_mm(prediction, truth, (1, 1, 2))
    assert all(value is None or math.isfinite(value) for value in found.to_json().values())
