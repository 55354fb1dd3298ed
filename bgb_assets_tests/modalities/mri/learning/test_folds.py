"""Which scans train, validate and test; and what cannot be trained on is said with its counts."""

import dataclasses

import pytest

from bgb_assets.modalities.mri.learning.folds import dealt
from bgb_assets.modalities.mri.learning.variants import MESHNET_5
from bgb_assets.runtime.errors import TrainingError
from bgb_assets_tests.modalities.mri.learning.made_scans import made_store

FOLDS = [0, 0, 1, 1, 2, 2]


def parts(store, outer=0, inner=-1):
    found = dealt(store, dataclasses.replace(MESHNET_5, outer_fold=outer, inner_fold=inner))
    return [part.ids.tolist() for part in found]


def test_a_run_trains_on_all_outside_its_outer_fold(tmp_path):
    store = made_store(tmp_path, FOLDS)
    assert parts(store) == [[2, 3, 4, 5], [], [0, 1]]
    assert parts(store, outer=2) == [[0, 1, 2, 3], [], [4, 5]]
    assert parts(store, outer=-1) == [[0, 1, 2, 3, 4, 5], [], []]


def test_an_inner_fold_is_validated_on_and_never_the_test(tmp_path):
    store = made_store(tmp_path, FOLDS)
    for inner in range(3):
        train, validation, test = parts(store, outer=1, inner=inner)
        assert test == [2, 3]
        assert validation == [row for row in (0, 1, 4, 5) if row % 3 == inner]
        assert sorted(train + validation) == [0, 1, 4, 5]


def test_scans_without_weight_mask_or_fold_are_left_out(tmp_path):
    store = made_store(tmp_path, FOLDS, weight=[1, 1, 0, 1, 1, 1], mask_source=[1, 3, 5, -1, 9, 11])
    assert parts(store) == [[4, 5], [], [0, 1]]
    assert parts(made_store(tmp_path / "b", [0, -1, 1])) == [[2], [], [0]]


@pytest.mark.parametrize(
    ("folds", "columns", "run", "message"),
    [
        (FOLDS, {}, (3, -1), r"no scan is in outer fold 3: 6 scans .* by outer fold \{0: 2, 1: 2, 2: 2\}"),
        (FOLDS, {}, (0, 7), "no scan is in inner fold 7 of outer fold 0"),
        ([0, 0], {}, (0, -1), "no scan is left to train on for outer fold 0: 2 scans in the index, 2 with image"),
        ([0, 0], {"weight": [0, 0]}, (-1, -1), "no scan is left to train on for outer fold -1: .* 0 with image"),
        ([0, 1, 1], {"lesion_voxels": [64, 0, 0]}, (0, -1), "none of the 2 scans to train on .* has a lesion"),
        ([0, 4], {}, (4, 0), "no column 'inner_fold_4'"),
    ],
)
def test_what_cannot_be_trained_on_is_said_with_its_counts(tmp_path, folds, columns, run, message):
    with pytest.raises(TrainingError, match=message):
        parts(made_store(tmp_path, folds, **columns), *run)
