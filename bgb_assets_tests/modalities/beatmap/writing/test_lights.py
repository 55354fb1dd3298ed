import numpy as np
import pytest

from bgb_assets.modalities.beatmap.audio.bpm import onset_envelope
from bgb_assets.modalities.beatmap.formats.tempo import tempo_from_events
from bgb_assets.modalities.beatmap.writing.lights import (
    BACK,
    LEFT_LASERS,
    LEFT_SPEED,
    MIDDLE,
    OFF,
    RIGHT_LASERS,
    RINGS,
    no_lights,
    simple_lights,
)

HOP_S = 0.01
STEADY = tempo_from_events(120, [], []).tempo


def onsets(times_s, seconds, strength=1.0):
    row = np.zeros(round(seconds / HOP_S) + 1)
    row[np.rint(np.asarray(times_s) / HOP_S).astype(int)] = strength
    return row


def events(lights, kind):
    return lights.beat[lights.kind == kind].tolist()


def test_lasers_take_turns_on_the_beats_that_are_heard():
    lights = simple_lights(onsets([0.0, 0.5, 1.0, 2.0], 4.0), HOP_S, STEADY)
    assert events(lights, LEFT_LASERS)[:-1] == [0, 2, 4]
    assert events(lights, RIGHT_LASERS)[:-1] == [1]
    assert events(lights, MIDDLE)[:-1] == [0, 1, 2, 4]
    assert events(lights, RINGS)[:-1] == []


def test_strong_half_beats_light_the_rings():
    lights = simple_lights(onsets([0.25, 1.75], 4.0), HOP_S, STEADY)
    assert events(lights, RINGS)[:-1] == [0.5, 3.5]
    assert events(lights, LEFT_LASERS)[:-1] == []


def test_lights_follow_changes_of_tempo():
    tempo = tempo_from_events(120, [4], [60]).tempo
    heard = tempo.time(np.arange(8))
    lights = simple_lights(onsets(heard, 6.0), HOP_S, tempo)
    assert events(lights, MIDDLE)[:-1] == list(range(8))


def test_a_show_ends_dark_and_in_order():
    lights = simple_lights(onsets(np.arange(0, 30, 0.5), 30.0), HOP_S, STEADY)
    assert (np.diff(lights.beat) >= 0).all()
    last = lights.beat == lights.beat[-1]
    assert set(lights.value[last].tolist()) == {OFF}
    assert set(lights.kind[last].tolist()) == {0, 1, 2, 3, 4}
    assert ((lights.strength > 0) & (lights.strength <= 1)).all()


def test_loud_sections_are_boosted_and_quiet_ones_are_not():
    loud = np.arange(16, 32, 0.5)  # bars 8 to 15 at 120 beats per minute
    row = onsets(np.arange(0, 48, 0.5), 48.0, 0.1)
    row[np.rint(loud / HOP_S).astype(int)] = 1.0
    lights = simple_lights(row, HOP_S, STEADY)
    assert lights.boost_beat.tolist() == [32.0, 64.0]
    assert lights.boost_on.tolist() == [True, False]
    speeds = lights.value[lights.kind == LEFT_SPEED]
    assert speeds[8] > speeds[0]
    back = {
        beat: value for beat, kind, value in zip(lights.beat, lights.kind, lights.value, strict=True) if kind == BACK
    }
    assert back[0.0] == OFF
    assert back[32.0] != OFF


def test_a_real_song_gives_the_same_show_each_time():
    random = np.random.default_rng(3)
    envelope = onset_envelope((random.normal(0, 2_000, 22_050 * 10)).astype(np.int16), 22_050)
    first, second = (simple_lights(envelope.strength, envelope.hop_s, STEADY) for _ in range(2))
    assert len(first) > 20
    for name in ("beat", "kind", "value", "strength", "boost_beat", "boost_on"):
        assert np.array_equal(getattr(first, name), getattr(second, name))


@pytest.mark.parametrize("row", [[], np.zeros(500)])
def test_silence_stays_dark(row):
    assert len(simple_lights(row, HOP_S, STEADY)) == 0
    assert len(no_lights()) == 0
