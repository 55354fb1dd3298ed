from collections import defaultdict

import numpy as np
import pytest

from bgb_assets.modalities.beatmap.synthetic.synth_map import LEFT, MANNERS, RIGHT, draw_map
from bgb_assets.modalities.beatmap.synthetic.synth_score import compose

VECTORS = {0: (0, 1), 1: (0, -1), 4: (-1, 1), 5: (1, 1), 6: (-1, -1), 7: (1, -1)}


def drawn(seed, manner):
    score = compose(np.random.default_rng([seed, 0]), with_changes=seed % 2 == 0)
    return score, draw_map(score, manner, np.random.default_rng([seed, 1]))


@pytest.fixture(params=[(seed, manner) for seed in range(5) for manner in MANNERS], ids=str)
def mapped(request):
    return drawn(*request.param)


def test_no_hand_swings_twice_the_same_way_within_a_second(mapped):
    score, song_map = mapped
    for hand in (LEFT, RIGHT):
        own = [note for note in song_map.notes if note.hand == hand]
        times_s = score.tempo.time([note.beat for note in own])
        for before, after, gap_s in zip(own, own[1:], np.diff(times_s), strict=False):
            (ax, ay), (bx, by) = VECTORS[before.cut], VECTORS[after.cut]
            assert gap_s >= 1.0 or ax * bx + ay * by <= 0, (before, after)


def test_every_note_is_on_something_that_is_played(mapped):
    score, song_map = mapped
    played = {event.beat for event in (*score.hits, *score.tones)}
    assert {note.beat for note in song_map.notes} <= played


def test_the_player_has_time_to_begin(mapped):
    score, song_map = mapped
    assert score.tempo.time(song_map.notes[0].beat) >= 2.0


def test_nothing_shares_a_cell_and_no_note_lies_within_a_wall(mapped):
    _, song_map = mapped
    cells = [(item.beat, item.x, item.y) for item in (*song_map.notes, *song_map.bombs)]
    assert len(cells) == len(set(cells))
    for wall in song_map.walls:
        assert not [beat for beat, x, _ in cells if x == wall.x and wall.beat <= beat <= wall.beat + wall.beats]


def test_hands_do_not_cross_when_both_strike(mapped):
    lanes = defaultdict(dict)
    for note in mapped[1].notes:
        lanes[note.beat][note.hand] = note.x
    both = [lane for lane in lanes.values() if len(lane) == 2]
    assert all(lane[LEFT] < lane[RIGHT] for lane in both)


def test_arcs_and_chains_begin_at_notes_and_go_forward(mapped):
    _, song_map = mapped
    heads = [head for head, _ in (*song_map.arcs, *song_map.chains)]
    assert set(heads) <= set(song_map.notes)
    assert len(heads) == len(set(heads))
    assert all(tail.beat > head.beat and tail.hand == head.hand for head, tail in (*song_map.arcs, *song_map.chains))


def test_harder_difficulties_have_more_notes():
    for seed in range(5):
        counts = [len(drawn(seed, manner)[1].notes) for manner in MANNERS]
        assert counts == sorted(counts)
        assert counts[0] >= 16
        assert counts[-1] > counts[0]
