import numpy as np
import pytest

from bgb_assets.modalities.beatmap.synthetic.synth_score import Key, compose


def score_of(seed, with_changes=False):
    return compose(np.random.default_rng(seed), with_changes)


@pytest.mark.parametrize("seed", range(8))
def test_sections_follow_each_other_and_hold_all_events(seed):
    score = score_of(seed)
    firsts = [section.first_bar for section in score.sections]
    ends = [section.first_bar + section.bars for section in score.sections]
    assert firsts == [0, *ends[:-1]]
    assert [score.sections[0].name, score.sections[-1].name] == ["intro", "end"]
    assert score.beats == 4 * ends[-1]
    for events in (score.hits, score.tones):
        beats = [event.beat for event in events]
        assert beats == sorted(beats)
        assert 0 <= beats[0] <= beats[-1] < score.beats


@pytest.mark.parametrize("seed", range(8))
def test_tempo_changes_at_a_chorus_only_where_asked(seed):
    assert score_of(seed).changes == ()
    score = score_of(seed, with_changes=True)
    first, bpm = score.changes[0]
    assert bpm != score.bpm
    assert first in {4.0 * section.first_bar for section in score.sections if section.name == "chorus"}
    assert score.tempo.changes == len(score.changes)


def test_verse_and_chorus_sound_different():
    score = score_of(3)
    spans = {section.name: section for section in score.sections}

    def kicks(name):
        start, end = 4 * spans[name].first_bar, 4 * (spans[name].first_bar + spans[name].bars)
        return [hit.beat % 4 for hit in score.hits if hit.drum == "kick" and start <= hit.beat < end]

    assert set(kicks("verse")) == {0.0, 2.0, 2.5}
    assert set(kicks("chorus")) == {0.0, 1.0, 2.0, 3.0}


def test_no_drum_is_struck_twice_at_once():
    for seed in range(8):
        hits = score_of(seed).hits
        assert len(hits) == len(set(hits))


def test_degrees_are_notes_of_the_scale():
    key = Key(60, (0, 2, 4, 5, 7, 9, 11))
    assert [key.pitch(degree) for degree in (0, 2, 6, 7, -1)] == [60, 64, 71, 72, 59]
    assert key.pitch(0, octave=-1) == 48
