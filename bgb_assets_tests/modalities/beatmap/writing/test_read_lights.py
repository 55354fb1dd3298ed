import pytest

from bgb_assets.modalities.beatmap.formats.reading import read_json
from bgb_assets.modalities.beatmap.formats.versions import difficulty_version
from bgb_assets.modalities.beatmap.writing.read_lights import NO_NUMBERS, OTHER_MEANING, read_lights, read_lightshow
from bgb_assets.runtime.errors import BadInput
from bgb_assets_tests.fixtures import shared_data
from bgb_assets_tests.modalities.beatmap.lights_case import rows_of


def read(document):
    return read_lights(document, difficulty_version(document, "x"), "x")


@pytest.mark.parametrize("name", ["2.0.0", "2.4.0", "2.5.0", "2.6.0", "3.0.0", "3.3.0"])
def test_lights_of_the_snippets(name):
    document = read_json(shared_data("beatmap") / "wiki_snippets" / "beatmap" / f"{name}.dat", name)
    found = read(document)
    assert rows_of(found.lights) == ([(10.0, 1, 3, 1.0)], [(10.0, True)])
    assert found.left == {}


def test_lights_of_a_version_4_file():
    name = "lightshow/4.0.0.dat"
    lights = read_lightshow(read_json(shared_data("beatmap") / "wiki_snippets" / name, name), name).lights
    assert rows_of(lights) == ([(10.0, 1, 3, 1.0)], [(10.0, True)])


def test_all_lights_of_a_real_map_are_there_and_nothing_else():
    folder = shared_data("beatmap") / "maps"
    old = read_json(folder / "werewolf_howls" / "ExpertStandard.dat", "x")
    lights = read(old).lights
    assert len(lights) == sum(event["_type"] not in (10, 14, 15, 100) for event in old["_events"])
    assert set(lights.strength.tolist()) == {1.0}
    newer = read_json(folder / "JOURNEY" / "ExpertPlusOneSaber.dat", "x")
    lights = read(newer).lights
    assert (len(lights.beat), len(lights.boost_beat)) == (13_320, 104)


def test_type_10_is_a_light_from_2_5_on():
    event = {"_time": 1, "_type": 10, "_value": 3}
    assert len(read({"_version": "2.4.0", "_notes": [], "_events": [event]}).lights) == 0
    assert rows_of(read({"_version": "2.5.0", "_notes": [], "_events": [event]}).lights)[0] == [(1.0, 10, 3, 1.0)]


def test_what_would_become_something_else_is_counted():
    events = [{"b": 1, "et": kind, "i": 1, "f": 1} for kind in (5, 14, 15, 100, 4)]
    found = read({"version": "3.3.0", "basicBeatmapEvents": events, "colorBoostBeatmapEvents": [{"b": None}]})
    assert rows_of(found.lights)[0] == [(1.0, 4, 1, 1.0)]
    assert found.left == {OTHER_MEANING: 4, NO_NUMBERS: 1}


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ([], "expected a JSON object, got list"),
        ({"basicEvents": [{"i": 1}], "basicEventsData": [{}]}, r"basicEvents\[0\].i: index 1 into basicEventsData"),
        ({"basicEvents": [{"b": "x"}]}, r"basicEvents\[0\].b: expected a number"),
    ],
)
def test_broken_light_shows_are_refused(document, reason):
    with pytest.raises(BadInput, match=reason):
        read_lightshow(document, "Lightshow.dat")
