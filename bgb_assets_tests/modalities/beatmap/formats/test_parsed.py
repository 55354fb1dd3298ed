from collections import Counter

import numpy as np
import pytest

from bgb_assets.modalities.beatmap.formats.objects import KINDS, count
from bgb_assets.modalities.beatmap.formats.parsed import columns, fake_flags, finish
from bgb_assets.runtime.errors import BadInput


@pytest.mark.parametrize(
    ("custom", "fake"),
    [
        ({"_fake": True}, True),
        ({"_interactable": False}, True),
        ({"uninteractable": True}, True),
        ({"_fake": 1}, False),
        ({"_interactable": True}, False),
        ({"color": [1]}, False),
        (None, False),
        ("x", False),
    ],
)
def test_only_these_marks_make_a_fake(custom, fake):
    assert fake_flags([{"c": custom}, {}], "c").tolist() == [fake, False]


def test_kinds_left_out_are_empty_and_issues_sorted_without_zeros():
    issues = Counter({"unknown_type": 2, "nothing": 0})
    result = finish({"bombs": {"beat": np.array([1.0, np.nan])}}, issues)
    assert {kind: count(result.objects[kind]) for kind in KINDS if count(result.objects[kind])} == {"bombs": 1}
    assert list(result.issues.items()) == [("not_finite", 1), ("unknown_type", 2)]
    assert len(result.tempo_beats) == len(result.tempo_bpms) == 0


def test_columns_name_the_entry_that_cannot_be_read():
    assert columns([{"b": 1}, {}], {"beat": "b"}, "n")["beat"].tolist() == [1, 0]
    with pytest.raises(BadInput, match=r"n\[1\]\.b: expected a number, got \[\]"):
        columns([{"b": 1}, {"b": []}], {"beat": "b"}, "n")
