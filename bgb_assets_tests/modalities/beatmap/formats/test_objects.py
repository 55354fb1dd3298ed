from collections import Counter

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgb_assets.modalities.beatmap.formats.identities import canonical_json
from bgb_assets.modalities.beatmap.formats.objects import (
    KINDS,
    checked,
    collection,
    empty_objects,
    from_json,
    numbers,
    to_json,
)
from bgb_assets.runtime.errors import BadInput


def bombs(**columns):
    issues = Counter()
    table = checked("bombs", {name: np.array(column, float) for name, column in columns.items()}, issues)
    return {name: column.tolist() for name, column in table.items()}, dict(issues)


def test_rows_are_sorted_by_all_fields_and_repeats_counted():
    table, issues = bombs(beat=[4, 2, 4, 2], x=[1, 3, 0, 3], y=[0, 1, 2, 1])
    assert table == {"beat": [2, 2, 4, 4], "x": [3, 3, 0, 1], "y": [1, 1, 2, 0], "fake": [False] * 4}
    assert issues == {"repeated": 1}


def test_what_cannot_be_in_a_song_is_dropped_and_counted():
    table, issues = bombs(beat=[1, np.nan, np.inf, 1_000_001, 1_000_000, -3, -1e300])
    assert table["beat"] == [-3, 1, 1_000_000]
    assert issues == {"not_finite": 2, "beyond_last_beat": 2}


def test_fractions_of_cells_are_rounded_half_up_and_counted():
    table, issues = bombs(beat=[0, 1, 2], x=[2.5, 45.0, -0.5], y=[0, 0, 0])
    assert table["x"] == [3, 45, 0]
    assert issues == {"rounded": 2}


def test_coordinates_of_mapping_extensions_survive():
    table, issues = bombs(beat=[0, 1, 2, 3], x=[1000, 3000, -1, 40_000])
    assert (table["x"], issues) == ([1000, 3000, -1, 40_000], {})


def test_huge_numbers_are_held_at_what_float64_holds_exactly():
    assert bombs(beat=[0], x=[1e300])[0]["x"] == [2**53]


def test_notes_of_other_colours_are_dropped_and_counted():
    issues = Counter()
    table = checked("notes", {"beat": np.arange(3.0), "color": np.array([0.0, 1.0, 2.0])}, issues)
    assert (table["beat"].tolist(), issues) == ([0, 1], {"unknown_color": 1})


def test_minus_zero_is_zero():
    table = checked("bombs", {"beat": np.array([-0.0])}, Counter())
    assert not np.signbit(table["beat"]).any()


def test_omitted_fields_are_0_null_is_nan_and_text_is_read():
    assert numbers([{"b": 2}, {}, {"b": "3.5"}], "b", "n").tolist() == [2, 0, 3.5]
    assert np.isnan(numbers([{"b": None}], "b", "n")).all()


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([{}, {"b": "x"}], "n[1].b: expected a number, got 'x'"),
        ([{}, {"b": {}}], "n[1].b: expected a number, got {}"),
        ([{"b": 10**400}], "n[0].b: expected a number, got 1000"),
        ([{}, 7], "n[1]: expected an object, got 7"),
        ([None], "n[0]: expected an object, got None"),
    ],
)
def test_a_wrong_entry_is_named(rows, reason):
    with pytest.raises(BadInput) as caught:
        numbers(rows, "b", "n")
    assert caught.value.reason.startswith(reason)


def test_a_collection_is_a_list_or_absent():
    assert collection({"a": None}, "a", "x") == collection({}, "a", "x") == []
    with pytest.raises(BadInput, match=r"x: a must be a list, got \{\}"):
        collection({"a": {}}, "a", "x")


@given(st.lists(st.tuples(st.floats(0, 1e5), st.integers(-5, 5), st.integers(-5, 5)), max_size=20), st.randoms())
def test_the_order_in_a_file_does_not_matter(rows, random):
    shuffled = random.sample(rows, len(rows))

    def read(table):
        columns = zip(("beat", "x", "y"), zip(*table, strict=True), strict=False)
        return bombs(**dict(columns)) if table else None

    assert read(rows) == read(shuffled)


def test_json_keeps_every_column_and_type():
    objects = empty_objects() | {"bombs": checked("bombs", {"beat": np.array([0.1, 1e5])}, Counter())}
    again = from_json(orjson.loads(canonical_json(to_json(objects))))
    for kind, fields in KINDS.items():
        for name, dtype in fields.items():
            assert again[kind][name].dtype == np.dtype(dtype)
            assert again[kind][name].tolist() == objects[kind][name].tolist()
