import pytest

from bgb_assets.modalities.beatmap.formats.reading import read_json
from bgb_assets.modalities.beatmap.formats.tempo import tempo_from_events
from bgb_assets.modalities.beatmap.formats.versions import difficulty_version
from bgb_assets.modalities.beatmap.writing.lights import no_lights, simple_lights
from bgb_assets.modalities.beatmap.writing.read_lights import read_lights, read_lightshow
from bgb_assets.modalities.beatmap.writing.write_lights import light_collections_v3, light_events_v2, lightshow_v4
from bgb_assets_tests.fixtures import shared_data
from bgb_assets_tests.modalities.beatmap.lights_case import rows_of

SHOW = simple_lights([1.0, 0.0, 0.3, 0.0, 0.0] * 200, 0.1, tempo_from_events(128.3, [40], [90]).tempo)


def again(form, lights):
    if form == "v4":
        return read_lightshow(lightshow_v4(lights), "Lightshow.dat")
    document = {"_version": "2.6.0", "_events": light_events_v2(lights)}
    if form == "v3":
        document = {"version": "3.3.0", **light_collections_v3(lights)}
    return read_lights(document, difficulty_version(document, "x"), "x")


@pytest.mark.parametrize("form", ["v2", "v3", "v4"])
@pytest.mark.parametrize("lights", [SHOW, no_lights()], ids=["simple", "dark"])
def test_a_show_is_read_back(form, lights):
    read = again(form, lights)
    assert rows_of(read.lights) == rows_of(lights)
    assert read.left == {}


def test_the_show_is_one_with_boosts():
    assert len(SHOW.beat) > 100
    assert len(SHOW.boost_beat) > 0


def test_fields_are_those_of_the_format():
    snippets = shared_data("beatmap") / "wiki_snippets"
    v2 = read_json(snippets / "beatmap" / "2.6.0.dat", "x")["_events"][:2]
    v3 = read_json(snippets / "beatmap" / "3.3.0.dat", "x")
    v4 = read_json(snippets / "lightshow" / "4.0.0.dat", "x")
    assert {frozenset(event) for event in light_events_v2(SHOW)} == {frozenset(event) for event in v2}
    written = light_collections_v3(SHOW)
    for name in ("basicBeatmapEvents", "colorBoostBeatmapEvents"):
        assert set(written[name][0]) == set(v3[name][0])
    show = lightshow_v4(SHOW)
    assert set(show) == set(v4)
    for name in ("basicEvents", "basicEventsData", "colorBoostEvents", "colorBoostEventsData"):
        assert set(show[name][0]) == set(v4[name][0])
