import pytest

from bgb_assets.modalities.beatmap.formats.reading import read_json
from bgb_assets.modalities.beatmap.writing.uncarried import (
    difficulty_entries,
    uncarried_in_difficulty,
    uncarried_in_info,
)
from bgb_assets_tests.fixtures import shared_data

STAGES = ("WeaveEnvironment", "GlassDesertEnvironment")


def snippet(name):
    return read_json(shared_data("beatmap") / "wiki_snippets" / name, name)


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("beatmap/2.0.0.dat", {}),
        ("beatmap/2.6.0.dat", {"waypoints": 1, "keywords of events": 1}),
        ("beatmap/3.3.0.dat", {"waypoints": 1, "keywords of events": 1, "groups of lights": 4}),
        ("beatmap/4.0.0.dat", {}),
        ("lightshow/4.0.0.dat", {"waypoints": 1, "keywords of events": 1, "groups of lights": 4}),
    ],
)
def test_what_the_snippets_hold_beyond_objects_and_lights(name, counts):
    assert uncarried_in_difficulty(snippet(name)) == counts


def test_custom_data_is_counted_but_for_what_marks_fakes():
    document = {
        "colorNotes": [
            {"customData": {"color": [1]}},
            {"customData": {"uninteractable": True}},
            {"customData": {}},
            {"_customData": {"_fake": True, "_color": [1]}},
        ],
        "basicBeatmapEvents": [{"customData": {"lightID": 1}}],
        "customData": {"time": 3.5, "bookmarks": [], "fakeColorNotes": [{"b": 1}]},
        "somethingNew": [1, 2, 3],
    }
    assert uncarried_in_difficulty(document) == {
        "objects with custom data": 2,
        "events with custom data": 1,
        "custom values of difficulties": 1,
        "member somethingNew": 3,
    }


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("info/1.0.0.dat", {}),
        ("info/2.0.0.dat", {}),
        ("info/2.1.0.dat", {"colour schemes": 1}),
        ("info/4.0.1.dat", {"colour schemes": 1, "lighters": 5}),
    ],
)
def test_what_info_holds_beyond_what_is_carried(name, counts):
    assert uncarried_in_info(snippet(name), STAGES) == counts
    assert len(difficulty_entries(snippet(name))) == 5


def test_what_single_difficulties_have_of_their_own_is_counted():
    entry = {"characteristic": "Standard", "environmentNameIdx": 1, "customData": {"_requirements": ["Chroma"]}}
    other = {"characteristic": "90Degree", "environmentNameIdx": 1, "beatmapAuthors": {"mappers": ["A"]}}
    info = {
        "environmentNames": list(STAGES),
        "audio": {"lufs": -9.5, "songFilename": "song.ogg"},
        "songPreviewFilename": "preview.ogg",
        "difficultyBeatmaps": [entry, other],
        "customData": {"editors": {"x": 1}},
    }
    assert uncarried_in_info(info, STAGES) == {
        "stages of single difficulties": 1,
        "mappers of single difficulties": 2,
        "loudness": 1,
        "preview audio": 1,
        "custom values of Info": 1,
    }
