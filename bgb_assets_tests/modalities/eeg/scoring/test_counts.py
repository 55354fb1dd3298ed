"""Ratios of counts, and where there are none."""

import numpy as np

from bgb_assets.modalities.eeg.scoring import counts
from bgb_assets.modalities.eeg.scoring.counts import Counts


def test_the_ratios() -> None:
    one = Counts(3, 2, 4, 43_200.0)
    assert (one.fn, one.sensitivity, one.precision, one.f1) == (1, 0.75, 0.6, 2 * 3 / (2 * 3 + 2 + 1))
    assert one.false_alarms_per_day == 4.0


def test_what_is_undefined_is_none_and_never_zero() -> None:
    silent = Counts(0, 0, 0, 60.0)
    assert (silent.sensitivity, silent.precision, silent.f1) == (None, None, None)
    assert silent.false_alarms_per_day == 0.0
    assert Counts(0, 0, 0, 0.0).false_alarms_per_day is None
    assert Counts(0, 0, 2, 60.0).f1 == 0.0


def test_sums_are_of_counts_and_tables_give_the_same_ratios() -> None:
    parts = [Counts(1, 0, 2, 100.0), Counts(2, 5, 3, 50.0)]
    assert parts[0] + parts[1] == Counts(3, 5, 5, 150.0)
    table = np.array([one.row for one in parts])
    assert counts.f1(table).tolist() == [one.f1 for one in parts]
    assert counts.precision(table).tolist() == [one.precision for one in parts]
