import pytest

from bgb_assets.modalities.beatmap.formats.reading import read_json
from bgb_assets.modalities.beatmap.formats.tempo import tempo_from_events
from bgb_assets.modalities.beatmap.writing.lights import no_lights
from bgb_assets.modalities.beatmap.writing.write_lights import lightshow_v4
from bgb_assets.modalities.beatmap.writing.write_v4 import audio_data_v4, difficulty_v4
from bgb_assets_tests.fixtures import shared_data
from bgb_assets_tests.modalities.beatmap.map_files import difficulty_v3, parsed


def test_equal_data_is_stored_once():
    document = difficulty_v4(parsed(difficulty_v3(*({"b": beat, "x": beat % 2} for beat in range(6)))).parsed.objects)
    assert document["colorNotesData"] == [
        {"x": 0, "y": 0, "c": 0, "d": 0, "a": 0},
        {"x": 1, "y": 0, "c": 0, "d": 0, "a": 0},
    ]
    assert [note["i"] for note in document["colorNotes"]] == [0, 1, 0, 1, 0, 1]


def test_heads_and_tails_of_arcs_lie_in_the_data_of_notes():
    arc = {"b": 1, "c": 1, "x": 2, "d": 3, "tb": 2, "tx": 1, "ty": 2, "tc": 4}
    document = difficulty_v4(parsed(difficulty_v3({"b": 1, "c": 1, "x": 2, "d": 3}, sliders=[arc])).parsed.objects)
    (written,) = document["arcs"]
    assert document["colorNotesData"][written["hi"]] == {"x": 2, "y": 0, "c": 1, "d": 3, "a": 0}
    assert document["colorNotesData"][written["ti"]] == {"x": 1, "y": 2, "c": 1, "d": 4, "a": 0}
    assert written["hi"] == document["colorNotes"][0]["i"]


def test_regions_join_and_cover_all_that_is_timed():
    data = audio_data_v4(tempo_from_events(120, [8, 12], [60, 240]).tempo, 30.25, 1000, 9000)
    assert data["bpmData"] == [
        {"si": 0, "ei": 4000, "sb": 0.0, "eb": 8.0},
        {"si": 4000, "ei": 8000, "sb": 8.0, "eb": 12.0},
        {"si": 8000, "ei": 12750, "sb": 12.0, "eb": 31.0},
    ]
    assert data["songSampleCount"] == 9000


@pytest.mark.parametrize("name", ["Difficulty", "Lightshow"])
def test_the_collections_of_the_format_are_there(name):
    skeleton = read_json(shared_data("beatmap") / "skeletons" / "empty" / "v4" / f"{name}.dat", name)["content"]
    written = (
        lightshow_v4(no_lights()) if name == "Lightshow" else difficulty_v4(parsed(difficulty_v3()).parsed.objects)
    )
    assert set(skeleton) <= set(written)
