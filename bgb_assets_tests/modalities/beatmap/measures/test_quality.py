import dataclasses

import numpy as np
import pytest

from bgb_assets.modalities.beatmap.audio.onset_peaks import NOTES_LEAD_S
from bgb_assets.modalities.beatmap.formats.objects import empty_objects
from bgb_assets.modalities.beatmap.formats.tempo import tempo_from_events
from bgb_assets.modalities.beatmap.measures.quality import measure, nps_error, played
from bgb_assets_tests.modalities.beatmap.map_files import difficulty_v3, parsed
from bgb_assets_tests.modalities.beatmap.objects_case import real_maps

REAL = {
    (222, "Standard", "Easy"): (258, 2.492, 252, 2, 8, 0.859, 0),
    (222, "Standard", "Normal"): (371, 3.584, 359, 2, 8, 0.943, 0),
    (222, "Standard", "Hard"): (495, 4.782, 480, 5, 1, 0.943, 2),
    (222, "Standard", "Expert"): (729, 6.969, 691, 2, 0, 0.891, 6),
    (222, "Standard", "ExpertPlus"): (909, 8.690, 845, 0, 0, 0.954, 21),
    (185, "Standard", "ExpertPlus"): (2313, 6.914, 2135, 1, 3, 0.903, 0),
    (185, "OneSaber", "ExpertPlus"): (1227, 3.667, 1097, 25, 2, 0.928, 0),
}
"""Tempo, characteristic, difficulty -> notes, per second, swings, violations, resets, distinct runs, notes off grid."""


def test_measures_of_all_real_maps():
    found = {}
    for one in real_maps():
        made = measure(one.parsed.objects, one.tempo, ())
        assert made.parity_rate == made.parity_violations / made.swings
        found[int(one.base_bpm), one.info.characteristic, one.info.difficulty] = (
            made.notes,
            round(made.nps, 3),
            made.swings,
            made.parity_violations,
            made.parity_resets,
            round(made.distinct_4, 3),
            round(made.off_grid_share * made.notes),
        )
        assert made.collisions == 0
    assert found == REAL


def test_people_rarely_cut_twice_the_same_way():
    rates = [measure(one.parsed.objects, one.tempo, ()).parity_rate for one in real_maps()]
    assert max(rates) <= 0.023
    assert min(rates) == 0.0


def test_one_saber_is_of_the_right_hand_alone():
    shares = {one.info.characteristic: measure(one.parsed.objects, one.tempo, ()).red_share for one in real_maps()}
    assert shares["OneSaber"] == 0.0
    assert 0.4 < shares["Standard"] < 0.6


@pytest.mark.parametrize(("shift_s", "f1"), [(0.0, 1.0), (0.04, 1.0), (-0.04, 1.0), (0.06, 0.0)])
def test_notes_lead_the_onsets_of_the_audio_by_35_ms(shift_s, f1):
    one = parsed(difficulty_v3(*({"b": beat, "d": beat % 2} for beat in range(4, 40))))
    peaks_s = one.tempo.time(one.parsed.objects["notes"]["beat"]) + NOTES_LEAD_S + shift_s
    made = measure(one.parsed.objects, one.tempo, peaks_s)
    assert (made.onset_f1, made.onset_precision, made.onset_recall) == (f1, f1, f1)


def test_the_peak_is_of_four_seconds():
    # 120 beats per minute: 16 notes in two seconds, then one every two seconds.
    beats = [*(beat / 4 for beat in range(16)), *range(8, 40, 4)]
    one = parsed(difficulty_v3(*({"b": beat} for beat in beats)))
    made = measure(one.parsed.objects, one.tempo, ())
    assert made.peak_nps == 16 / 4
    assert made.nps == 24 / 18


def test_an_empty_map_is_no_division_by_zero():
    made = measure(empty_objects(), tempo_from_events(120.0, [], []).tempo, np.zeros(0))
    assert set(dataclasses.asdict(made).values()) == {0}


def test_fakes_are_not_played():
    fake = {"customData": {"uninteractable": True}}
    both = parsed(difficulty_v3({"b": 1, "d": 1}, {"b": 1, "d": 1} | fake, {"b": 2, "d": 1} | fake, {"b": 3, "d": 0}))
    alone = parsed(difficulty_v3({"b": 1, "d": 1}, {"b": 3, "d": 0}))
    assert len(played(both.parsed.objects["notes"])["beat"]) == 2
    peaks_s = [0.6, 1.1]
    assert measure(both.parsed.objects, both.tempo, peaks_s) == measure(alone.parsed.objects, alone.tempo, peaks_s)


def test_the_error_of_a_pace_is_relative_to_what_was_asked_for():
    assert nps_error(6.0, 6.0) == 0.0
    assert nps_error(5.4, 6.0) == nps_error(6.6, 6.0) == pytest.approx(0.1)
