from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgb_assets.modalities.beatmap.formats.tempo import tempo_from_events
from bgb_assets.modalities.beatmap.writing.lead_in import MIN_FIRST_NOTE_S, with_lead_in
from bgb_assets.modalities.beatmap.writing.lights import simple_lights
from bgb_assets.modalities.beatmap.writing.song_to_write import DifficultyToWrite, SongToWrite
from bgb_assets.runtime.errors import ContractError
from bgb_assets_tests.modalities.beatmap.map_files import difficulty_v3, parsed


def song(first_beat, bpm=120.0, changes=()):
    document = difficulty_v3(
        {"b": first_beat}, {"b": first_beat + 40}, sliders=[{"b": first_beat, "tb": first_beat + 1}]
    )
    tempo = tempo_from_events(bpm, [beat for beat, _ in changes], [to for _, to in changes]).tempo
    return SongToWrite("x", tempo, (DifficultyToWrite("Standard", "Easy", parsed(document).parsed.objects),))


@pytest.mark.parametrize(("first_beat", "silence_s"), [(4, 0), (3.9, 0.5), (0, 2), (-3, 3.5), (9, 0)])
def test_silence_is_the_fewest_whole_beats(first_beat, silence_s):
    assert with_lead_in(song(first_beat)).silence_s == pytest.approx(silence_s)


def test_a_song_that_is_late_enough_is_left_alone():
    late = song(4)
    assert with_lead_in(late).song is late


@given(st.floats(-20, 20), st.floats(40, 300), st.lists(st.tuples(st.floats(0.5, 60), st.floats(40, 300)), max_size=4))
def test_every_time_moves_by_the_silence(first_beat, bpm, changes):
    before = song(first_beat, bpm, changes)
    after = with_lead_in(before)
    old, new = (item.difficulties[0].objects for item in (before, after.song))
    for kind, name in (("notes", "beat"), ("arcs", "tail_beat")):
        moved_s = after.song.tempo.time(new[kind][name]) - before.tempo.time(old[kind][name])
        assert np.abs(moved_s - after.silence_s).max() < 1e-6
    assert after.song.tempo.time(new["notes"]["beat"]).min() >= MIN_FIRST_NOTE_S - 1e-6
    beats = after.silence_s * bpm / 60
    assert beats == pytest.approx(round(beats), abs=1e-6)


def test_the_light_show_comes_later_too():
    tempo = tempo_from_events(120, [], []).tempo
    show = simple_lights(np.ones(200), 0.1, tempo)
    early = song(0)
    own = replace(early.difficulties[0], difficulty="Hard", lights=show)
    to_write = replace(early, difficulties=(*early.difficulties, own), lights=show)
    moved = with_lead_in(to_write).song
    for lights in (moved.lights, moved.difficulties[1].lights):
        assert (lights.beat - show.beat).tolist() == [4.0] * len(show.beat)
        assert (lights.boost_beat - show.boost_beat).tolist() == [4.0] * len(show.boost_beat)
    assert moved.difficulties[0].lights is None


def test_difficulties_with_a_tempo_of_their_own_are_not_moved():
    early = song(0)
    own = replace(early.difficulties[0], tempo=early.tempo)
    with pytest.raises(ContractError, match="a difficulty has its own"):
        with_lead_in(replace(early, difficulties=(own,)))
