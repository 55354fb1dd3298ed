import numpy as np
import pytest

from bgb_assets.modalities.beatmap.formats.objects import count
from bgb_assets.modalities.beatmap.formats.reading import read_json
from bgb_assets.runtime.errors import BadInput
from bgb_assets_tests.fixtures import shared_data
from bgb_assets_tests.modalities.beatmap.map_files import parsed


def v2(notes=(), obstacles=(), events=(), version="2.6.0", **more):
    return parsed(
        {"_version": version, "_notes": list(notes), "_obstacles": list(obstacles), "_events": list(events)} | more
    ).parsed


def row(columns, index=0):
    return {name: column[index].item() for name, column in columns.items()}


@pytest.mark.parametrize("name", ["1.5.0", "2.0.0", "2.2.0", "2.4.0", "2.5.0", "2.6.0"])
def test_snippets_have_one_object_of_each_kind(name):
    document = read_json(shared_data("beatmap") / "wiki_snippets" / "beatmap" / f"{name}.dat", name)
    objects = parsed(document).parsed.objects
    assert row(objects["notes"]) == {
        "beat": 10,
        "x": 1,
        "y": 0,
        "color": 0,
        "cut_direction": 1,
        "angle_deg": 0,
        "fake": False,
    }
    assert row(objects["bombs"]) == {"beat": 10, "x": 1, "y": 0, "fake": False}
    assert row(objects["walls"]) == {
        "beat": 10,
        "duration_beats": 5,
        "x": 1,
        "y": 0,
        "width": 1,
        "height": 5,
        "fake": False,
    }
    assert count(objects["arcs"]) == (1 if name == "2.6.0" else 0)
    assert (count(objects["notes"]), count(objects["bombs"]), count(objects["chains"])) == (1, 1, 0)


def test_the_snippet_arc_has_every_field():
    document = read_json(shared_data("beatmap") / "wiki_snippets" / "beatmap" / "2.6.0.dat", "2.6.0")
    assert row(parsed(document).parsed.objects["arcs"]) == {
        "beat": 10,
        "color": 1,
        "x": 1,
        "y": 0,
        "cut": 1,
        "mult": 1,
        "tail_beat": 20,
        "tail_x": 2,
        "tail_y": 2,
        "tail_cut": 0,
        "tail_mult": 1,
        "mid_anchor": 0,
    }


def test_walls_have_the_shape_of_their_type_whatever_else_they_say():
    walls = [{"_time": kind, "_type": kind, "_lineLayer": 1, "_height": 2} for kind in range(4)]
    result = v2(obstacles=walls)
    assert result.objects["walls"]["y"].tolist() == [0, 2, 1]
    assert result.objects["walls"]["height"].tolist() == [5, 3, 2]
    assert result.issues == {"unknown_type": 1}


def test_notes_of_unknown_type_are_dropped_and_counted():
    result = v2([{"_time": 1, "_type": kind} for kind in (0, 1, 2, 3, 4)])
    assert result.objects["notes"]["color"].tolist() == [0, 1]
    assert count(result.objects["bombs"]) == 1
    assert result.issues == {"unknown_type": 2}


def test_custom_data_marks_fakes():
    customs = [{"_fake": True}, {"_interactable": False}, {"_fake": False}, None, {"_interactable": True}]
    notes = [{"_time": time, "_type": 3, "_customData": custom} for time, custom in enumerate(customs)]
    assert v2(notes).objects["bombs"]["fake"].tolist() == [True, True, False, False, False]


def test_rotation_events_mean_degrees():
    events = [
        {"_time": 1, "_type": 14, "_value": 0},
        {"_time": 2, "_type": 15, "_value": 7},
        {"_time": 3, "_type": 14, "_value": 8},
    ]
    result = v2(events=events)
    rotations = result.objects["rotations"]
    assert (rotations["late"].tolist(), rotations["degrees"].tolist()) == ([0, 1], [-60, 60])
    assert result.issues == {"unknown_rotation": 1}


def test_broken_entries_are_named():
    with pytest.raises(BadInput, match=r"Expert.dat: _notes\[1\]._time: expected a number, got 'x'"):
        v2([{"_time": 1}, {"_time": "x"}])
    with pytest.raises(BadInput, match=r"Expert\.dat: _obstacles must be a list"):
        parsed({"_version": "2.0.0", "_obstacles": {"a": 1}})


def test_real_maps_mix_whole_and_fractional_beats():
    file = shared_data("beatmap") / "maps" / "JOURNEY" / "ExpertPlusStandard.dat"
    objects = parsed(read_json(file, file.name), 185).parsed.objects
    assert (count(objects["notes"]), count(objects["bombs"]), count(objects["walls"])) == (2313, 16, 236)
    assert objects["notes"]["beat"].dtype == np.float64
