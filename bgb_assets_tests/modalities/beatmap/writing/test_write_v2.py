from collections import Counter

import pytest

from bgb_assets.modalities.beatmap.formats.tempo import tempo_from_events
from bgb_assets.modalities.beatmap.writing.write_v2 import difficulty_v2
from bgb_assets_tests.modalities.beatmap.map_files import difficulty_v3, parsed


def written(document, *events):
    tempo = tempo_from_events(120, [beat for beat, _ in events], [bpm for _, bpm in events]).tempo
    return difficulty_v2(parsed(document).parsed.objects, tempo, Counter())


@pytest.mark.parametrize(("y", "h", "kind"), [(0, 5, 0), (2, 3, 1), (1, 2, 2), (0, 3, 2)])
def test_walls_get_the_type_of_their_shape(y, h, kind):
    (wall,) = written(difficulty_v3(obstacles=[{"y": y, "h": h}]))["_obstacles"]
    assert (wall["_type"], wall["_lineLayer"], wall["_height"]) == (kind, y, h)


def test_notes_and_bombs_share_one_list_in_time_order():
    notes = written(difficulty_v3({"b": 2, "c": 1}, {"b": 0.5}, bombNotes=[{"b": 1}]))["_notes"]
    assert [(note["_time"], note["_type"]) for note in notes] == [(0.5, 0), (1, 3), (2, 1)]


def test_tempo_changes_are_events_of_type_100():
    events = written(difficulty_v3(), (4, 60))["_events"]
    assert events == [{"_time": 4.0, "_type": 100, "_value": 0, "_floatValue": 60.0}]
