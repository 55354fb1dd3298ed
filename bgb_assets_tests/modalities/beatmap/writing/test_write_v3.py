from collections import Counter

from bgb_assets.modalities.beatmap.formats.reading import read_json
from bgb_assets.modalities.beatmap.formats.tempo import tempo_from_events
from bgb_assets.modalities.beatmap.writing.write_v3 import difficulty_v3 as write_v3
from bgb_assets_tests.fixtures import shared_data
from bgb_assets_tests.modalities.beatmap.map_files import difficulty_v3, parsed


def test_every_collection_that_the_format_names_is_there():
    written = write_v3(parsed(difficulty_v3()).parsed.objects, tempo_from_events(120, [], []).tempo, Counter())
    skeleton = read_json(shared_data("beatmap") / "skeletons" / "empty" / "v3" / "Difficulty.dat", "v3")
    assert written == skeleton


def test_rows_have_the_fields_of_the_format_and_tempo_changes_their_own_list():
    tempo = tempo_from_events(120, [4], [60]).tempo
    document = write_v3(parsed(difficulty_v3({"b": 2, "c": 1, "d": 8, "a": 5})).parsed.objects, tempo, Counter())
    assert document["colorNotes"] == [{"b": 2.0, "x": 0, "y": 0, "c": 1, "d": 8, "a": 5}]
    assert document["bpmEvents"] == [{"b": 4.0, "m": 60.0}]
