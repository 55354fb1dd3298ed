import pytest

from bgb_assets.modalities.beatmap.formats.reading import read_json
from bgb_assets.modalities.beatmap.formats.versions import difficulty_version, info_version
from bgb_assets.runtime.errors import BadInput
from bgb_assets_tests.fixtures import shared_data


def test_every_snippet_and_skeleton_is_recognised_by_its_version_string():
    root = shared_data("beatmap")
    for file in sorted((root / "wiki_snippets" / "beatmap").glob("*.dat")):
        if file.stem == "4.1.0":
            continue  # not JSON
        version = difficulty_version(read_json(file, file.name), file.name)
        assert ".".join(map(str, version.number)) == file.stem
        assert version.warning is None
    for major, file in enumerate(sorted((root / "skeletons" / "empty").glob("*/Difficulty.dat")), 1):
        version = difficulty_version(read_json(file, file.name), file.name)
        assert (version.major, version.warning) == (major, None)


def test_every_info_is_recognised():
    root = shared_data("beatmap")
    found = {
        file.stem: info_version(read_json(file, file.name), file.name).major
        for file in (root / "wiki_snippets" / "info").glob("*.dat")
    }
    assert found == {"1.0.0": 1, "2.0.0": 2, "2.1.0": 2, "4.0.0": 4, "4.0.1": 4}
    for major in (1, 2, 4):
        document = read_json(root / "skeletons" / "empty" / f"v{major}" / "Info.dat", "Info.dat")
        assert info_version(document, "Info.dat").major == major


@pytest.mark.parametrize(
    ("document", "major"),
    [
        ({"_notes": []}, 2),
        ({"colorNotes": [{"b": 1, "i": 0}]}, 4),
        ({"colorNotesData": []}, 4),
        ({"content": {"colorNotesData": []}}, 4),
        ({"colorNotes": []}, 3),
        ({"bombNotes": [{"b": 1}]}, 3),
        ({"burstSliders": []}, 3),
        ({"version": "4.0.0"}, 4),
        ({"version": "3.0.0"}, 3),
        ({"_version": "1.5.0"}, 1),
    ],
)
def test_structure_tells_the_version_where_no_string_does(document, major):
    assert difficulty_version(document, "a.dat").major == major


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ({}, "a.dat: no version and nothing that tells it"),
        ({"obstacles": []}, "a.dat: no version and nothing that tells it"),
        ({"version": "5.0.0"}, "a.dat: unknown version '5.0.0', expected a major number in (1, 2, 3, 4)"),
        ([], "a.dat: expected a JSON object, got list"),
    ],
)
def test_what_cannot_be_told_is_an_error(document, reason):
    with pytest.raises(BadInput) as caught:
        difficulty_version(document, "a.dat")
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("document", "major"),
    [({"version": "3.0.0", "_notes": [{}]}, 3), ({"_version": "2.0.0", "colorNotes": [{"i": 1}]}, 2)],
)
def test_the_version_string_rules_over_the_structure_with_a_warning(document, major):
    version = difficulty_version(document, "a.dat")
    assert version.major == major
    assert version.warning.startswith("a.dat: the version string says")


def test_no_warning_for_empty_collections_or_structure_1_in_2():
    assert difficulty_version({"version": "4.0.0", "colorNotes": [], "bombNotes": []}, "a").warning is None
    assert difficulty_version({"_version": "1.5.0", "_notes": [{}]}, "a").warning is None
