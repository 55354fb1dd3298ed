import pytest

from bgb_assets.modalities.beatmap.formats.identities import beatmap_id
from bgb_assets.modalities.beatmap.formats.objects import KINDS, count
from bgb_assets.modalities.beatmap.formats.reading import read_json
from bgb_assets.runtime.errors import BadInput
from bgb_assets_tests.fixtures import shared_data
from bgb_assets_tests.modalities.beatmap.map_files import parsed


def snippet():
    return read_json(shared_data("beatmap") / "wiki_snippets" / "beatmap" / "4.0.0.dat", "4.0.0")


def test_the_snippet_equals_that_of_version_3():
    objects = parsed(snippet()).parsed.objects
    assert {kind: count(objects[kind]) for kind in KINDS} == {
        "notes": 1,
        "bombs": 1,
        "walls": 1,
        "arcs": 1,
        "chains": 1,
        "njs": 0,
        "rotations": 2,
    }
    older = read_json(shared_data("beatmap") / "wiki_snippets" / "beatmap" / "3.3.0.dat", "3.3.0")
    assert beatmap_id(objects) == beatmap_id(parsed(older).parsed.objects)
    assert objects["rotations"]["late"].tolist() == [0, 1]


def test_collections_may_lie_under_content():
    document = snippet()
    wrapped = {"version": document.pop("version"), "content": document}
    assert beatmap_id(parsed(wrapped).parsed.objects) == beatmap_id(parsed(snippet()).parsed.objects)


def test_jump_speed_events_of_4_1():
    document = {
        "version": "4.1.0",
        "njsEvents": [{"b": 1.0, "i": 0}],
        "njsEventData": [{"p": 1, "e": 1, "d": 2.0}],
    }
    njs = parsed(document).parsed.objects["njs"]
    assert [njs[name].item() for name in ("beat", "delta", "easing", "extend")] == [1.0, 2.0, 1, 1]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        (
            {"colorNotes": [{"b": 1}, {"b": 2, "i": 2}]},
            "colorNotes[1].i: index 2 into colorNotesData, which has 2 entries",
        ),
        ({"bombNotesData": []}, "bombNotes[0].i: index 0 into bombNotesData, which has 0 entries"),
        ({"arcs": [{"hb": 1, "ti": -1}]}, "arcs[0].ti: index -1 into colorNotesData, which has 2 entries"),
        ({"obstacles": [{"i": 0.5}]}, "obstacles[0].i: index 0.5 into obstaclesData, which has 1 entries"),
    ],
)
def test_an_index_past_its_data_names_object_and_index(changed, reason):
    with pytest.raises(BadInput) as caught:
        parsed(snippet() | changed)
    assert caught.value.reason == f"Expert.dat: {reason}"


def test_an_omitted_index_is_0_and_needs_its_data():
    assert count(parsed({"version": "4.0.0", "bombNotes": [{}], "bombNotesData": [{}]}).parsed.objects["bombs"]) == 1
    with pytest.raises(BadInput, match="which has 0 entries"):
        parsed({"version": "4.0.0", "bombNotes": [{}]})


def test_objects_with_a_rotation_of_their_own_flag_the_difficulty():
    document = snippet() | {"spawnRotations": []}
    assert "rotation" not in parsed(document).flags
    document["bombNotes"][0]["r"] = 15
    assert "rotation" in parsed(document).flags


def test_fakes_of_version_4():
    document = snippet() | {"customData": {"fakeColorNotes": [{"b": 2, "i": 1}]}}
    document["bombNotes"][0]["customData"] = {"uninteractable": True}
    objects = parsed(document).parsed.objects
    assert objects["notes"]["fake"].tolist() == [True, False]
    assert objects["bombs"]["fake"].tolist() == [True]


def test_skeletons_hold_nothing():
    for folder in sorted((shared_data("beatmap") / "skeletons" / "empty").iterdir()):
        objects = parsed(read_json(folder / "Difficulty.dat", "Difficulty.dat")).parsed.objects
        assert all(count(columns) == 0 for columns in objects.values()), folder
