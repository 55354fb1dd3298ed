import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bgb_assets.modalities.beatmap.formats.objects import empty_objects
from bgb_assets.modalities.beatmap.formats.tempo import tempo_from_events, tempo_from_regions
from bgb_assets.modalities.beatmap.writing.lights import simple_lights
from bgb_assets.modalities.beatmap.writing.retiming import regular_tempo, retimed_lights, retimed_objects, same_tempo
from bgb_assets_tests.modalities.beatmap.objects_case import random_objects

SLOW = tempo_from_events(90, [8, 20], [60, 200]).tempo
STEADY = tempo_from_events(128.3, [], []).tempo


def check_same_seconds(objects, before, after):
    moved = retimed_objects(objects, before, after)
    for kind, columns in objects.items():
        assert np.allclose(after.time(moved[kind]["beat"]), before.time(columns["beat"]), atol=1e-9)
        if "tail_beat" in columns:
            assert np.allclose(after.time(moved[kind]["tail_beat"]), before.time(columns["tail_beat"]), atol=1e-9)
        if "duration_beats" in columns:
            ends = after.time(moved[kind]["beat"] + moved[kind]["duration_beats"])
            assert np.allclose(ends, before.time(columns["beat"] + columns["duration_beats"]), atol=1e-9)
        for name in set(columns) - {"beat", "tail_beat", "duration_beats"}:
            assert np.array_equal(moved[kind][name], columns[name])


def test_objects_keep_their_seconds():
    for seed in range(5):
        check_same_seconds(random_objects(seed), SLOW, STEADY)
    check_same_seconds(empty_objects(), SLOW, STEADY)


numbers = st.floats(-5, 200, allow_nan=False)


@given(
    st.lists(
        st.tuples(st.integers(-50_000, 5_000_000), st.integers(1, 500_000), numbers, st.floats(0.25, 64)), min_size=1
    )
)
def test_any_regions_have_a_regular_map_that_keeps_seconds(regions):
    table = [(start, start + length, beat, beat + beats) for start, length, beat, beats in regions]
    tempo = tempo_from_regions(120, table, 44_100).tempo
    regular = regular_tempo(tempo)
    assert regular.regular
    assert (np.diff(regular.beats) > 0).all()
    beats = np.linspace(-3, 50, 40)
    moved = regular.beat(tempo.time(beats))
    assert np.allclose(regular.time(moved), tempo.time(beats), atol=1e-7)


def test_a_map_whose_pieces_join_stays():
    assert same_tempo(regular_tempo(STEADY), STEADY)
    assert not same_tempo(SLOW, STEADY)
    again = regular_tempo(SLOW)
    assert np.allclose(again.beats, SLOW.beats)
    assert np.allclose(again.seconds, SLOW.seconds)


def test_lights_keep_their_seconds():
    show = simple_lights(np.ones(400), 0.1, SLOW)
    moved = retimed_lights(show, SLOW, STEADY)
    assert np.allclose(STEADY.time(moved.beat), SLOW.time(show.beat))
    assert retimed_lights(show, SLOW, SLOW) is show
