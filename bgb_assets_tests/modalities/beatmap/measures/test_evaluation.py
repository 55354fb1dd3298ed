import dataclasses
import math

import numpy as np
import pytest

from bgb_assets.modalities.beatmap.formats.song import read_song
from bgb_assets.modalities.beatmap.measures.evaluation import MEASURES, Against, Missing, evaluate
from bgb_assets.modalities.beatmap.measures.quality import MapQuality
from bgb_assets.modalities.beatmap.measures.variety import NOTE_CLASSES
from bgb_assets_tests.fixtures import shared_data
from bgb_assets_tests.modalities.beatmap.map_files import difficulty_v3, info_v2, simple_map, write_files


def notes(*beats, **fields):
    return [{"b": beat, "x": 1, "d": number % 2} | fields for number, beat in enumerate(beats)]


def scored(song, **against):
    return {(one.characteristic, one.difficulty): one for one in evaluate(song, Against(**against))}


def only(tmp_path, *rows, **against):
    (one,) = evaluate(read_song(simple_map(tmp_path / "map", *rows)), Against(**against))
    return one


def test_every_measure_is_there_and_none_is_guessed(tmp_path):
    one = only(tmp_path, *notes(*range(4, 20)))
    assert list(one.measures) == list(MEASURES)
    missing = {name: value.reason for name, value in one.measures.items() if isinstance(value, Missing)}
    assert missing == {
        **{name: "no reference" for name in MEASURES if name.startswith("onset_")},
        **{name: "no audio" for name in MEASURES if name.startswith("audio_onset_")},
        "nps_error": "no pace was asked for",
        "seam_ratio": "no seams are known",
        "total_variation": "no training manifest",
    }
    json = one.to_json()
    assert json["missing"] == missing
    assert {name for name, value in json["measures"].items() if value is None} == set(missing)


def test_every_field_of_the_quality_is_a_measure():
    own = {field.name for field in dataclasses.fields(MapQuality)}
    assert {name.replace("onset_", "audio_onset_") for name in own} <= set(MEASURES)


def test_with_all_that_it_can_be_held_against_nothing_is_missing(tmp_path):
    # Two notes down in a row at beat 8, and again at beat 16.
    rows = notes(*range(4, 8)) + notes(*range(8, 16)) + notes(*range(16, 20))
    rows[4]["d"] = rows[12]["d"] = 1
    song = read_song(simple_map(tmp_path / "map", *rows))
    peaks_s = np.arange(4, 20) / 2 + 0.035
    (one,) = evaluate(
        song,
        Against(
            onset_peaks_s=peaks_s,
            reference=song,
            training=np.ones(NOTE_CLASSES, np.int64),
            asked_nps=3.0,
            seam_beats=(8.0,),
        ),
    )
    found = one.to_json()
    assert found["missing"] == {}
    measured = found["measures"]
    assert all(measured[name] == 1.0 for name in MEASURES if "onset_" in name)
    assert measured["nps"] == 16 / 7.5
    assert measured["nps_error"] == pytest.approx((3 - 16 / 7.5) / 3)
    assert measured["parity_violations"] > 0
    assert math.isfinite(measured["seam_ratio"])
    # Two of the 217 classes are used, half of the notes each.
    assert measured["total_variation"] == pytest.approx(1 - 2 / NOTE_CLASSES)


def test_times_are_compared_in_seconds_whatever_the_tempo(tmp_path):
    slow = read_song(simple_map(tmp_path / "slow", *notes(2, 4, 6, 8), _beatsPerMinute=60))
    fast = read_song(simple_map(tmp_path / "fast", *notes(4, 8, 12, 16), _beatsPerMinute=120))
    (one,) = evaluate(slow, Against(reference=fast))
    assert one.measures["onset_f1"] == one.measures["onset_f1_25ms"] == 1.0
    late = read_song(simple_map(tmp_path / "late", *notes(4.08, 8.08, 12.08, 16.08), _beatsPerMinute=120))
    (one,) = evaluate(slow, Against(reference=late))
    assert (one.measures["onset_f1"], one.measures["onset_f1_25ms"]) == (1.0, 0.0)


def test_a_difficulty_is_held_against_the_same_of_the_reference(tmp_path):
    two = {("Standard", "Hard"): "Hard.dat", ("OneSaber", "Expert"): "Expert.dat"}
    made = {"Hard.dat": difficulty_v3(*notes(4, 8)), "Expert.dat": difficulty_v3(*notes(4, 8), *notes(5, 6, c=1))}
    song = read_song(write_files(tmp_path / "map", {"Info.dat": info_v2(two), **made}))
    reference = read_song(
        write_files(tmp_path / "other", {"Info.dat": info_v2({("Standard", "Hard"): "Hard.dat"}), **made})
    )
    found = scored(song, reference=reference)
    assert found["Standard", "Hard"].measures["onset_f1"] == 1.0
    reason = Missing("the reference has no readable OneSaber Expert")
    assert found["OneSaber", "Expert"].measures["onset_f1"] == reason


def test_a_difficulty_that_cannot_be_read_keeps_its_reason(tmp_path):
    two = {("Standard", "Hard"): "Hard.dat", ("Standard", "Expert"): "Expert.dat"}
    folder = write_files(tmp_path / "map", {"Info.dat": info_v2(two), "Hard.dat": difficulty_v3(*notes(4))})
    lost = scored(read_song(folder))["Standard", "Expert"].to_json()
    assert (lost["status"], lost["measures"], lost["missing"]) == ("missing_file", {}, {})
    assert lost["reason"] == "Info names the file 'Expert.dat', which is not in the upload"


def test_a_map_without_notes_has_no_rates(tmp_path):
    folder = write_files(tmp_path / "map", {"Info.dat": info_v2(), "Expert.dat": difficulty_v3()})
    song = read_song(folder)
    (one,) = evaluate(
        song, Against(onset_peaks_s=np.array([1.0]), asked_nps=4.0, training=np.ones(NOTE_CLASSES, np.int64))
    )
    told = {name: value for name, value in one.measures.items() if not isinstance(value, Missing)}
    zero = ("notes", "audio_onset_f1", "audio_onset_recall", "swings", "parity_violations", "parity_resets")
    assert told == dict.fromkeys((*zero, "crossovers", "vision_blocks", "collisions"), 0)
    assert one.measures["nps"] == one.measures["nps_error"] == one.measures["red_share"] == Missing("no notes")
    assert one.measures["total_variation"] == one.measures["audio_onset_precision"] == Missing("no notes")


def test_notes_at_one_time_have_no_pace(tmp_path):
    one = only(tmp_path, {"b": 4, "x": 0}, {"b": 4, "x": 3, "c": 1}, asked_nps=4.0)
    assert one.measures["nps"] == one.measures["nps_error"] == Missing("all notes are at one time")
    assert one.measures["peak_nps"] == 0.5
    assert one.measures["distinct_4"] == Missing("fewer than 4 notes")


def test_audio_without_onsets_is_no_score_of_0(tmp_path):
    one = only(tmp_path, *notes(*range(4, 20)), onset_peaks_s=np.zeros(0))
    assert one.measures["audio_onset_f1"] == Missing("the audio has no onsets")
    assert only(tmp_path, *notes(4, 5), onset_peaks_s=np.array([90.0])).measures["audio_onset_f1"] == 0.0


def test_a_ratio_without_violations_elsewhere_says_what_was_counted(tmp_path):
    one = only(tmp_path, *notes(*range(4, 20)), seam_beats=(8.0,))
    reason = "no violation elsewhere to compare with: 0 violations in 3 swings near the seams"
    assert one.measures["seam_ratio"] == Missing(reason)
    assert only(tmp_path, *notes(4, 5), seam_beats=(80.0,)).measures["seam_ratio"] == Missing("no swings near a seam")


def test_an_empty_training_split_is_no_distance(tmp_path):
    one = only(tmp_path, *notes(4, 5), training=np.zeros(NOTE_CLASSES, np.int64))
    assert one.measures["total_variation"] == Missing("no training maps")


@pytest.mark.parametrize("name", ["werewolf_howls", "JOURNEY"])
def test_a_real_map_agrees_with_itself(name):
    song = read_song(shared_data("beatmap") / "maps" / name)
    for one in evaluate(song, Against(reference=song)):
        if one.status == "ok":
            assert one.measures["onset_f1"] == one.measures["onset_f1_25ms"] == 1.0


def test_one_note_among_walls_scores_as_what_it_is(tmp_path):
    # Each object may be right by itself: what a player gets is no map.
    human = read_song(simple_map(tmp_path / "human", *notes(*range(4, 104))))
    walls = [{"b": beat / 8, "d": 0.1, "x": 0, "w": 1, "h": 5} for beat in range(1_572)]
    made = {"Info.dat": info_v2(), "Expert.dat": difficulty_v3(*notes(4), obstacles=walls)}
    (one,) = evaluate(read_song(write_files(tmp_path / "made", made)), Against(reference=human, asked_nps=2.0))
    assert one.measures["notes"] == 1
    assert (one.measures["onset_precision"], one.measures["onset_recall"]) == (1.0, 0.01)
    assert one.measures["onset_f1"] < 0.02
    assert one.measures["nps"] == one.measures["nps_error"] == Missing("all notes are at one time")


def test_right_times_do_not_hide_swings_that_nobody_can_make(tmp_path):
    human = read_song(simple_map(tmp_path / "human", *notes(*range(4, 104))))
    same = read_song(simple_map(tmp_path / "same", *notes(*range(4, 104), d=1)))
    (one,) = evaluate(same, Against(reference=human))
    assert one.measures["onset_f1"] == 1.0
    assert (one.measures["swings"], one.measures["parity_violations"]) == (100, 99)
    assert one.measures["distinct_4"] == pytest.approx(1 / 97)
    (good,) = evaluate(human, Against(reference=human))
    assert good.measures["parity_rate"] == 0.0
