import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgb_assets.modalities.beatmap.formats.identities import canonical_json
from bgb_assets.modalities.beatmap.formats.reading import read_json
from bgb_assets.modalities.beatmap.formats.tempo import (
    region_disagreement_s,
    tempo_from_events,
    tempo_from_json,
    tempo_from_regions,
)
from bgb_assets_tests.fixtures import shared_data
from bgb_assets_tests.modalities.beatmap.map_files import parsed

NEAR = {"abs": 1e-9, "rel": 0}


def tempo_of(*events, base=120.0):
    return tempo_from_events(base, [beat for beat, _ in events], [bpm for _, bpm in events]).tempo


@pytest.mark.parametrize(
    ("events", "beat", "second"),
    [
        ([], 8, 4.0),
        ([], -2, -1.0),
        ([(8, 60), (12, 240)], 10, 6.0),
        ([(8, 60), (12, 240)], 12, 8.0),
        ([(8, 60), (12, 240)], 16, 9.0),
        ([(8, 60), (12, 240)], 14, 8.5),  # the end of a wall at 10 of 4 beats
        ([(12, 240), (8, 60)], 16, 9.0),
        ([(8, 60), (8, 240)], 10, 4.5),
        ([(0, 60)], 4, 4.0),
        ([(0, 60)], -4, -4.0),
        ([(0, 240), (-3, 60)], 4, 1.0),
        ([(-3, 60)], 4, 4.0),
    ],
)
def test_worked_values(events, beat, second):
    assert float(tempo_of(*events).time(beat)) == pytest.approx(second, **NEAR)


@pytest.mark.parametrize("bpm", [0.0, -120.0, float("nan"), float("inf"), 5e-324, 1.7e308])
def test_an_event_without_a_usable_tempo_is_ignored_and_counted(bpm):
    reading = tempo_from_events(120.0, [4.0, float("nan")], [bpm, 60.0])
    assert reading.ignored == 2
    assert reading.tempo.changes == 0


def test_equal_neighbours_are_merged_and_seconds_stay():
    merged = tempo_of((4, 120), (8, 60), (9, 60))
    assert merged.beats.tolist() == [0.0, 8.0]
    assert float(merged.time(10)) == pytest.approx(6.0, **NEAR)


def test_bpm_at_holds_from_its_beat_on():
    assert tempo_of((8, 60)).bpm_at([-1, 7.999, 8, 100]).tolist() == [120, 120, 60, 60]


SNIPPETS = ("2.0.0", "2.2.0", "2.4.0", "2.5.0", "2.6.0", "3.0.0", "3.1.0", "3.2.0", "3.3.0")


@pytest.mark.parametrize("name", SNIPPETS)
@pytest.mark.parametrize(
    ("bpm", "note_s", "wall_s", "arc_s"),
    [
        (208, 2.884615385, 5.228365385, 7.572115385),
        (120, 5.0, 7.34375, 9.6875),
    ],
)
def test_snippets_of_every_version_have_the_worked_times(name, bpm, note_s, wall_s, arc_s):
    file = shared_data("beatmap") / "wiki_snippets" / "beatmap" / f"{name}.dat"
    difficulty = parsed(read_json(file, name), bpm)
    objects, tempo = difficulty.parsed.objects, difficulty.tempo
    assert float(tempo.time(objects["notes"]["beat"])[0]) == pytest.approx(note_s, **NEAR)
    end_s = float(tempo.time(objects["walls"]["beat"] + objects["walls"]["duration_beats"])[0])
    assert end_s == pytest.approx(wall_s, **NEAR)
    if name == "2.6.0":
        assert float(tempo.time(objects["arcs"]["tail_beat"])[0]) == pytest.approx(arc_s, **NEAR)


def test_version_4_takes_its_tempo_from_the_audio_data():
    root = shared_data("beatmap") / "wiki_snippets"
    data = read_json(root / "audio" / "4.0.0.dat", "audio")
    difficulty = parsed(read_json(root / "beatmap" / "4.0.0.dat", "4.0.0"), 208, data)
    objects, tempo = difficulty.parsed.objects, difficulty.tempo
    assert float(tempo.time(objects["notes"]["beat"])[0]) == pytest.approx(10.022797837, **NEAR)
    end = objects["walls"]["beat"] + objects["walls"]["duration_beats"]
    assert float(tempo.time(end)[0]) == pytest.approx(15.034196756, **NEAR)
    assert float(parsed(read_json(root / "beatmap" / "4.0.0.dat", "4.0.0"), 208).tempo.time(10)) == pytest.approx(
        10 * 60 / 208, **NEAR
    )


def test_editor_bpm_changes_move_nothing():
    for key in ("_BPMChanges", "BPMChanges", "_bpmChanges"):
        change = {key: [{"_time": 1, "_BPM": 60, "b": 1, "m": 60}]}
        document = {"_version": "2.6.0", "_notes": [], "_customData": change, "customData": change} | change
        assert parsed(document).tempo.changes == 0


def test_type_10_is_a_tempo_event_before_2_5_and_a_light_after():
    event = {"_time": 4, "_type": 10, "_value": 60}
    assert parsed({"_version": "2.4.0", "_events": [event]}).tempo.changes == 1
    assert parsed({"_version": "2.4.0", "_events": [event | {"_type": 100}]}).tempo.bpm_at(5) == 60
    assert parsed({"_version": "2.5.0", "_events": [event]}).tempo.changes == 0
    assert parsed({"_version": "2.5.0", "_events": [event | {"_type": 100}]}).tempo.bpm_at(5) == 60


def test_the_float_value_of_an_event_goes_before_its_value():
    event = {"_time": 4, "_type": 100, "_value": 90, "_floatValue": 60.5}
    assert parsed({"_version": "2.6.0", "_events": [event]}).tempo.bpm_at(5) == 60.5


def test_regions_with_gaps_follow_the_formula():
    tempo = tempo_from_regions(120.0, [[44100, 88200, 2, 4], [132300, 176400, 6, 8]], 44100.0).tempo
    assert not tempo.regular
    assert tempo.time([2, 3, 4, 6, 8, 10]).tolist() == pytest.approx([1, 1.5, 2, 3, 4, 5], **NEAR)


def test_joined_regions_are_regular_and_equal_to_events():
    regions = tempo_from_regions(1.0, [[0, 44100, 0, 2], [44100, 88200, 2, 3]], 44100.0).tempo
    events = tempo_of((2, 60))
    assert regions.regular
    assert regions.beats.tolist() == events.beats.tolist()
    assert regions.bpms.tolist() == events.bpms.tolist()


def test_regions_without_length_are_ignored():
    reading = tempo_from_regions(120.0, [[0, 0, 0, 4], [0, 44100, 2, 2], [9, 8, 0, 1]], 44100.0)
    assert (reading.ignored, reading.tempo.bpms.tolist()) == (3, [120.0])


@pytest.mark.parametrize(
    ("region", "frequency_hz"),
    [
        ((0, 1e300, 0, 1), 44_100.0),
        ((0, 1, 0, 1e300), 44_100.0),
        ((1e308, 1.1e308, 0, 1e305), 44_100.0),
        ((0, 1e300, 0, 1), 1e-300),
        ((1e20, 2e20, 0, 1e300), 1e-300),
    ],
)
def test_regions_beyond_all_reckoning_are_ignored(region, frequency_hz):
    reading = tempo_from_regions(120.0, [region], frequency_hz)
    assert (reading.ignored, reading.tempo.bpms.tolist()) == (1, [120.0])
    assert region_disagreement_s(reading.tempo, [region], frequency_hz) > 1.0


def test_disagreement_is_the_largest_border_distance():
    assert region_disagreement_s(tempo_of(), [[0, 44100, 0, 2]], 44100.0) == pytest.approx(0.0, abs=1e-12)
    assert region_disagreement_s(tempo_of(), [[0, 44982, 0, 2]], 44100.0) == pytest.approx(0.02, abs=1e-9)


maps = st.lists(st.tuples(st.floats(0, 2000), st.floats(20, 400)), max_size=9).map(lambda events: tempo_of(*events))


@given(maps, st.lists(st.floats(-100, 3000), min_size=1, max_size=20))
def test_beat_undoes_time(tempo, beats):
    assert np.allclose(tempo.beat(tempo.time(beats)), beats, atol=1e-9, rtol=0)


def test_beat_undoes_time_for_ten_thousand_maps():
    rng = np.random.default_rng(7)
    worst = 0.0
    for _ in range(10_000):
        at = rng.uniform(0, 1000, rng.integers(0, 10))
        tempo = tempo_from_events(rng.uniform(60, 240), at, rng.uniform(60, 240, len(at))).tempo
        beat = rng.uniform(-10, 1200)
        worst = max(worst, abs(float(tempo.beat(tempo.time(beat))) - beat))
    assert worst < 1e-9


def test_beat_undoes_time_in_sample_regions():
    rng = np.random.default_rng(8)
    for _ in range(300):
        beats = np.concatenate(([0.0], np.cumsum(rng.uniform(1, 90, 8))))
        samples = np.concatenate(([0.0], np.cumsum(np.rint(np.diff(beats) * rng.uniform(11_025, 44_100, 8)))))
        regions = np.stack([samples[:-1], samples[1:], beats[:-1], beats[1:]], axis=1)
        tempo = tempo_from_regions(120.0, regions, 44_100.0).tempo
        asked = rng.uniform(0, beats[-1] + 50, 20)
        assert np.abs(tempo.beat(tempo.time(asked)) - asked).max() < 1e-9


@given(maps)
def test_time_rises_and_json_keeps_every_bit(tempo):
    beats = np.linspace(-10, 2100, 500)
    assert (np.diff(tempo.time(beats)) > 0).all()
    again = tempo_from_json(orjson.loads(canonical_json(tempo.to_json())))
    assert again.time(beats).tolist() == tempo.time(beats).tolist()
