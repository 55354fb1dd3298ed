import mir_eval
import numpy as np
import pytest

from bgb_assets.modalities.beatmap.objects import empty_objects
from bgb_assets.modalities.beatmap.quality import collisions, distinct_runs, measure, merged, onset_score
from bgb_assets.modalities.beatmap.tempo import tempo_from_events
from bgb_assets_tests.modalities.beatmap.objects_case import real_maps


def test_onset_f1_is_that_of_mir_eval():
    random = np.random.default_rng(0)
    for _ in range(50):
        found, wanted = (np.sort(random.uniform(0, 20, random.integers(1, 80))) for _ in range(2))
        ours = onset_score(found, wanted)
        theirs = mir_eval.onset.f_measure(merged(wanted), merged(found), window=0.05)
        assert (ours.f1, ours.precision, ours.recall) == pytest.approx(theirs, abs=1e-12)


def test_a_map_agrees_with_itself_and_not_with_itself_moved():
    times = np.arange(2.0, 30.0, 0.25)
    assert onset_score(times, times).f1 == onset_score(times + 0.04, times).f1 == 1.0
    assert onset_score(times + 0.06, times).f1 == 0.0
    assert onset_score([], times).f1 == 0.0


EXPECTED = {
    ("Standard", "Easy"): (258, 2.492, 252, 2, 0.859),
    ("Standard", "Normal"): (371, 3.584, 359, 2, 0.943),
    ("Standard", "Hard"): (495, 4.782, 480, 5, 0.943),
    ("Standard", "Expert"): (729, 6.969, 691, 2, 0.891),
    ("OneSaber", "ExpertPlus"): (1227, 3.667, 1097, 25, 0.928),
}


def test_measures_of_real_maps():
    seen = 0
    for one in real_maps():
        key = (one.info.characteristic, one.info.difficulty)
        if key not in EXPECTED:
            continue
        notes, nps, swings, violations, distinct = EXPECTED[key]
        made = measure(one.parsed.objects, one.tempo, np.zeros(0))
        assert (made.notes, round(made.nps, 3), made.swings) == (notes, nps, swings)
        assert made.parity_rate == pytest.approx(violations / swings)
        assert round(made.distinct_4, 3) == distinct
        seen += 1
    assert seen == len(EXPECTED)


def test_collisions_and_an_empty_map():
    objects = empty_objects()
    made = measure(objects, tempo_from_events(120.0, [], []).tempo, np.zeros(0))
    assert (made.notes, made.nps, made.parity_rate, made.collisions, made.distinct_4) == (0, 0.0, 0.0, 0, 0.0)
    one = {"beat": np.zeros(2), "x": np.array([1, 1]), "y": np.array([0, 0])}
    assert collisions({**objects, "bombs": one}) == 1
    assert distinct_runs({**one, "color": np.zeros(2), "cut_direction": np.zeros(2)}) == 0.0
