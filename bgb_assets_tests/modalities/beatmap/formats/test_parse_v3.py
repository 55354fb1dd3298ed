import pytest

from bgb_assets.modalities.beatmap.formats.objects import KINDS, count
from bgb_assets.modalities.beatmap.formats.reading import read_json
from bgb_assets.runtime.errors import BadInput
from bgb_assets_tests.fixtures import shared_data
from bgb_assets_tests.modalities.beatmap.map_files import NOTE_V3, difficulty_v3, parsed


def row(columns, index=0):
    return {name: column[index].item() for name, column in columns.items()}


@pytest.mark.parametrize("name", ["3.0.0", "3.1.0", "3.2.0", "3.3.0"])
def test_snippets_have_one_object_of_each_kind(name):
    document = read_json(shared_data("beatmap") / "wiki_snippets" / "beatmap" / f"{name}.dat", name)
    objects = parsed(document).parsed.objects
    assert {kind: count(objects[kind]) for kind in KINDS} == {
        "notes": 1,
        "bombs": 1,
        "walls": 1,
        "arcs": 1,
        "chains": 1,
        "njs": 0,
        "rotations": 2,
    }
    assert row(objects["arcs"]) == {
        "beat": 10,
        "color": 0,
        "x": 1,
        "y": 0,
        "cut": 1,
        "mult": 1,
        "tail_beat": 15,
        "tail_x": 2,
        "tail_y": 2,
        "tail_cut": 0,
        "tail_mult": 1,
        "mid_anchor": 0,
    }
    assert row(objects["chains"]) == {
        "beat": 10,
        "color": 0,
        "x": 1,
        "y": 0,
        "cut": 1,
        "tail_beat": 15,
        "tail_x": 2,
        "tail_y": 2,
        "slices": 3,
        "squish": 0.5,
    }
    assert row(objects["walls"]) == {
        "beat": 10,
        "duration_beats": 5,
        "x": 1,
        "y": 0,
        "width": 1,
        "height": 5,
        "fake": False,
    }
    assert objects["rotations"]["degrees"].tolist() == [15, 15]


def test_every_omitted_field_is_0():
    document = difficulty_v3({}, obstacles=[{}], sliders=[{}], burstSliders=[{}], bombNotes=[{}])
    objects = parsed(document).parsed.objects
    for kind in ("notes", "bombs", "walls", "arcs", "chains"):
        assert set(row(objects[kind]).values()) == {0}, kind


def test_fakes_are_marked_on_the_object_or_in_lists_of_their_own():
    custom = {"fakeColorNotes": [{"b": 3}], "fakeBombNotes": [{"b": 4}], "fakeObstacles": [{"b": 5}]}
    document = difficulty_v3(NOTE_V3, {"b": 11, "customData": {"uninteractable": True}}, customData=custom)
    objects = parsed(document).parsed.objects
    assert objects["notes"]["beat"].tolist() == [3, 10, 11]
    assert objects["notes"]["fake"].tolist() == [True, False, True]
    assert objects["bombs"]["fake"].tolist() == objects["walls"]["fake"].tolist() == [True]


def test_a_fraction_of_an_integer_field_is_rounded_and_a_third_colour_dropped():
    result = parsed(difficulty_v3({"b": 1, "x": 2.5, "d": 45.0}, {"b": 2, "c": 2})).parsed
    assert row(result.objects["notes"]) | {"x": 3, "cut_direction": 45} == row(result.objects["notes"])
    assert result.issues == {"rounded": 1, "unknown_color": 1}


def test_beats_that_are_no_numbers_drop_the_object():
    notes = [{"b": float("nan")}, {"b": 2e6}, {"b": -1}, {"b": None}]
    result = parsed(difficulty_v3(*notes)).parsed
    assert result.objects["notes"]["beat"].tolist() == [-1]
    assert result.issues == {"beyond_last_beat": 1, "not_finite": 2}


def test_broken_collections_are_named():
    with pytest.raises(BadInput, match=r"Expert.dat: sliders\[0\]: expected an object, got 4"):
        parsed(difficulty_v3(sliders=[4]))
    with pytest.raises(BadInput, match=r"Expert.dat: fakeColorNotes must be a list"):
        parsed(difficulty_v3(customData={"fakeColorNotes": 1}))


def test_a_real_map_has_its_arcs_and_angles():
    file = shared_data("beatmap") / "maps" / "JOURNEY" / "ExpertPlusOneSaber.dat"
    objects = parsed(read_json(file, file.name), 185).parsed.objects
    assert (count(objects["notes"]), count(objects["walls"]), count(objects["arcs"])) == (1227, 435, 45)
    angles = objects["notes"]["angle_deg"]
    assert int((angles != 0).sum()) == 96
    assert {158, 330, 22} <= set(angles.tolist())
