import numpy as np

from bgb_assets.modalities.beatmap.writing.write_rows import rows_of, with_fake_mark

TABLE = {"beat": np.array([0.5, 2.0]), "x": np.array([3, -1]), "fake": np.array([False, True])}


def test_rows_have_plain_numbers_under_the_names_of_the_file():
    rows = rows_of(TABLE, {"beat": "b", "x": "x"})
    assert rows == [{"b": 0.5, "x": 3}, {"b": 2.0, "x": -1}]
    assert [type(value) for value in rows[0].values()] == [float, int]


def test_only_fakes_are_marked():
    marked = with_fake_mark(rows_of(TABLE, {"beat": "b"}), TABLE)
    assert marked == [{"b": 0.5}, {"b": 2.0, "customData": {"uninteractable": True}}]
