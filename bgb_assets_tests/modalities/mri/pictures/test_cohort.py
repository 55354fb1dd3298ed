"""The page of all scans: counts that are those of the manifest."""

import numpy as np
import pytest

from bgb_assets.modalities.mri.pictures.cohort import MAX_NAMED, cohort_page, left_out_page
from bgb_assets_tests.modalities.mri.cohort_case import Cohort
from bgb_assets_tests.modalities.mri.pictures.figure_parts import texts


@pytest.fixture
def cohort(tmp_path):
    made = Cohort(tmp_path)
    for number in range(12):
        acquisition = ("space_2x", "space_no_accel")[number % 2]
        made.add(f"M{number:02d}", volume_mm3=(9_000.0, 50_000.0, 200_000.0)[number % 3], acquisition=acquisition)
    return made


def test_folds_and_acquisitions_add_up(cohort):
    figure = cohort_page(cohort.manifest()[0])
    volumes, folds, acquisitions = figure.axes
    assert "12 scans that train, by lesion volume" in texts(figure)
    for axes, columns in ((folds, 3), (acquisitions, 2)):
        heights = np.array([[bar.get_height() for bar in held] for held in axes.containers if len(held) == columns])
        np.testing.assert_array_equal(heights.sum(axis=0), [12 / columns] * columns)
    points = np.concatenate([held.get_offsets() for held in volumes.collections])
    np.testing.assert_allclose(np.unique(points[:, 1]), [9.0, 50.0, 200.0])
    assert [label.get_text() for label in volumes.get_xticklabels()] == ["smallest", "small", "largest"]


def test_what_does_not_train_is_counted_and_named(cohort):
    assert left_out_page(cohort.manifest()[0]) is None
    for number in range(MAX_NAMED + 3):
        cohort.add(f"N{number:02d}", volume_mm3=None)
    cohort.add("T1", acquisition="turbo_spin_echo")
    said = texts(left_out_page(cohort.manifest()[0]))
    assert f"{MAX_NAMED + 4} scans do not train, {MAX_NAMED} of them named" in said
    assert {f"{MAX_NAMED + 3} in all", "1 in all", "sub-T1_ses-1", "excluded_acquisition", "no_mask"} <= set(said)
    assert sum(text.startswith("sub-") for text in said) == MAX_NAMED


def test_without_scans_there_is_no_page(tmp_path):
    made = Cohort(tmp_path)
    made.add("N1", volume_mm3=None)
    assert cohort_page(made.manifest()[0]) is None
