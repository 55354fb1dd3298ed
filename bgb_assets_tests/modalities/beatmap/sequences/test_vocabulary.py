import numpy as np
import pytest

from bgb_assets.modalities.beatmap.sequences import vocabulary as v
from bgb_assets.runtime.errors import BadInput


def test_the_spans_lie_where_the_format_says():
    expected = {"DIFF": 5, "DIFF_ANY": 10, "CHAR": 11, "CHAR_ANY": 19, "NPS": 20, "NPS_ANY": 52, "TEMPO": 53}
    expected |= {"TEMPO_ANY": 85, "QUAL": 86, "QUAL_ANY": 94, "POS": 96, "NOTE": 288, "BOMB": 504, "WALL": 516}
    expected |= {"ARC": 536, "CHAIN": 537, "LENB": 538, "LENT": 602, "SLICES": 650, "FINE": 682, "ANGLE": 701}
    expected |= {"ANGF": 772, "PAD": 0, "BOS": 1, "EOS": 2, "BAR": 3}
    assert {name: start for name, (start, _) in v.named_spans().items()} == expected
    assert v.ANGF.stop == 776 < v.SIZE == 832


def test_spans_do_not_overlap():
    held = [token for start, count in v.named_spans().values() for token in range(start, start + count)]
    assert len(held) == len(set(held))


def test_every_id_maps_to_its_fields_and_back():
    notes = np.arange(v.NOTE.start, v.NOTE.stop)
    assert np.array_equal(v.note_ids(*v.note_fields(notes)), notes)
    walls = np.arange(v.WALL.start, v.WALL.stop)
    x, width, crouch = v.wall_fields(walls)
    assert np.array_equal(v.wall_ids(x, width, crouch), walls)
    assert (x + width <= 4).all()
    fine = np.arange(v.FINE.start, v.FINE.stop)
    assert v.fine_rest(fine).tolist() == [*range(-9, 0), *range(1, 11)]
    assert np.array_equal(v.fine_ids(v.fine_rest(fine)), fine)
    angles = np.arange(v.ANGLE.start, v.ANGLE.stop)
    assert v.angle_degrees(angles).tolist() == [*range(-175, 0, 5), *range(5, 181, 5)]
    assert np.array_equal(v.angle_ids(v.angle_degrees(angles)), angles)
    rests = np.arange(v.ANGF.start, v.ANGF.stop)
    assert v.angle_rests(rests).tolist() == [-2, -1, 1, 2]
    assert np.array_equal(v.angle_rest_ids(v.angle_rests(rests)), rests)


def test_a_note_is_numbered_by_color_column_row_and_cut():
    assert v.note_ids(1, 2, 1, 5) == 288 + 108 + 27 * 2 + 9 * 1 + 5
    assert v.bomb_ids(3, 2) == 515
    assert v.wall_ids([0, 1, 2, 3, 0], [4, 3, 2, 1, 1], [0, 0, 0, 0, 1]).tolist() == [519, 522, 524, 525, 526]


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        (v.nps_ids([0.0, 0.49, 0.5, 4.2, 99.0]), [20, 20, 21, 28, 51]),
        (v.tempo_ids([30.0, 40.0, 128.3, 359.9, 999.0]), [53, 53, 61, 84, 84]),
    ],
)
def test_conditions_are_binned_and_clipped(ids, expected):
    assert ids.tolist() == expected


def test_quality_is_a_score_an_origin_or_open():
    scores = [0.49, 0.5, 0.69, 0.7, 0.89, 0.9, 0.95, 1.0]
    assert [v.quality_id(score) - 86 for score in scores] == [0, 1, 2, 3, 4, 5, 6, 6]
    assert v.quality_id(0.2, official=True) == 93
    assert v.quality_id(None) == 94


def test_names_of_difficulties_and_characteristics():
    assert [v.difficulty_id(name) for name in ("Easy", "Normal", "Hard", "Expert", "ExpertPlus")] == [5, 6, 7, 8, 9]
    assert v.characteristic_id("OneSaber") == 12
    assert v.characteristic_id("Lightshow") == v.characteristic_id("Invented") == 18
    with pytest.raises(BadInput, match="got 'expert'"):
        v.difficulty_id("expert")


def test_the_mirror_is_its_own_inverse_and_keeps_what_has_no_side():
    table = v.mirror_table()
    assert np.array_equal(table[table], np.arange(v.SIZE))
    assert np.array_equal(table[: v.NOTE.start], np.arange(v.NOTE.start))
    assert table[v.note_ids(0, 0, 2, 4)] == v.note_ids(1, 3, 2, 5)
    assert table[v.wall_ids(0, 3, 1)] == v.wall_ids(1, 3, 1)
    assert table[v.angle_ids(180)] == v.angle_ids(180)
    assert table[v.angle_ids(45)] == v.angle_ids(-45)


def test_tokens_have_names():
    assert v.name_of(120) == "POS_24"
    assert v.name_of(10) == "DIFF_ANY"
    with pytest.raises(BadInput, match="831"):
        v.name_of(831)
