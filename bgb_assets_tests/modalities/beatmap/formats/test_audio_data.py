import pytest

from bgb_assets.modalities.beatmap.formats.audio_data import parse_audio_data
from bgb_assets.modalities.beatmap.formats.reading import read_json
from bgb_assets.runtime.errors import BadInput
from bgb_assets_tests.fixtures import shared_data


@pytest.mark.parametrize("name", ["2.0.0", "4.0.0"])
def test_both_versions_say_the_same(name):
    data = parse_audio_data(read_json(shared_data("beatmap") / "wiki_snippets" / "audio" / f"{name}.dat", name), name)
    assert data.frequency_hz == 44100
    assert data.regions.tolist() == [[0, 1149214, 0, 26]]


def test_omitted_fields_are_0_and_no_region_needs_no_frequency():
    assert parse_audio_data({"version": "4.0.0"}, "a").regions.shape == (0, 4)
    data = parse_audio_data({"songFrequency": 8, "bpmData": [{"ei": 16, "eb": 4}]}, "a")
    assert data.regions.tolist() == [[0, 16, 0, 4]]


def test_a_broken_file_says_why():
    with pytest.raises(BadInput, match="a: the song's frequency must be positive, got None"):
        parse_audio_data({"bpmData": [{"ei": 16, "eb": 4}]}, "a")
    with pytest.raises(BadInput, match=r"a: bpmData\[0\].ei: expected a number, got 'x'"):
        parse_audio_data({"bpmData": [{"ei": "x"}]}, "a")
    with pytest.raises(BadInput, match="expected a JSON object, got list"):
        parse_audio_data([], "a")
