import pytest

from bgb_assets.modalities.mri.experiment.runs import asked_now, name_of, planned
from bgb_assets.modalities.mri.learning.variants import VARIANTS
from bgb_assets.runtime.errors import UsageError
from bgb_assets.storage.digests import as_plain

PARAMS = VARIANTS["meshnet-5"]


def test_ten_restarts_of_three_folds_have_ten_seeds_and_all_folds_come_first() -> None:
    runs = planned(PARAMS, 3, 10, dealt=3)
    assert len(runs) == 30
    assert list(runs)[:4] == ["fold-0_restart-0", "fold-1_restart-0", "fold-2_restart-0", "fold-0_restart-1"]
    assert {(run.outer_fold, run.restart) for run in runs.values()} == {(f, r) for f in range(3) for r in range(10)}
    assert {run.seed for run in runs.values()} == set(range(42, 52))
    assert {run.seed - run.restart for run in runs.values()} == {42}
    assert {run.inner_fold for run in runs.values()} == {-1}, "each trains on its whole outer training set"


def test_a_control_is_another_run_of_another_name() -> None:
    control = planned(PARAMS, 1, 1, dealt=3, shuffled_labels=True)
    assert list(control) == ["fold-0_restart-0_shuffled-labels"]
    assert all(run.shuffled_labels for run in control.values())


@pytest.mark.parametrize(("folds", "restarts"), [(4, 1), (0, 1), (1, 0)])
def test_only_folds_that_were_dealt_can_be_tested(folds: int, restarts: int) -> None:
    with pytest.raises(UsageError, match=f"expected 1 to 3 folds.*got {folds} and {restarts}"):
        planned(PARAMS, folds, restarts, dealt=3)


def test_a_record_tells_which_run_it_was() -> None:
    for options in ({}, {"shuffled_labels": True}):
        for name, run in planned(PARAMS, 3, 2, dealt=3, **options).items():
            assert asked_now(PARAMS, as_plain(run)) == run
            assert name_of(run) == name
