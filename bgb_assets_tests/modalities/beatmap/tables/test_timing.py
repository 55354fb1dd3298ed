import numpy as np
import pytest

from bgb_assets.modalities.beatmap.formats.reading import read_json
from bgb_assets.modalities.beatmap.tables.timing import audit_timing, notes_per_second, off_grid, peak_notes_per_second
from bgb_assets_tests.fixtures import shared_data
from bgb_assets_tests.modalities.beatmap.map_files import parsed

HOP_S = 512 / 22050
OFF = {
    ("werewolf_howls", "EasyStandard", 222): (0, 0),
    ("werewolf_howls", "NormalStandard", 222): (0, 0),
    ("werewolf_howls", "HardStandard", 222): (6, 2),
    ("werewolf_howls", "ExpertStandard", 222): (20, 6),
    ("werewolf_howls", "ExpertPlusStandard", 222): (35, 21),
    ("JOURNEY", "ExpertPlusStandard", 185): (4, 0),
    ("JOURNEY", "ExpertPlusOneSaber", 185): (0, 0),
}


def test_pace_is_notes_over_the_time_from_first_to_last():
    assert notes_per_second(np.array([1.0, 2.0, 3.0])) == 1.5
    assert notes_per_second(np.array([2.0, 2.0])) is None
    assert notes_per_second(np.zeros(0)) is None


def test_peak_pace_is_the_densest_four_seconds():
    assert peak_notes_per_second(np.array([0.0, 10.0, 11.0, 13.9, 14.0])) == 0.75
    assert peak_notes_per_second(np.array([5.0])) == 0.25
    assert peak_notes_per_second(np.zeros(0)) is None


@pytest.mark.parametrize(("song", "name", "bpm"), OFF)
def test_beats_off_the_grid_of_real_maps(song, name, bpm):
    file = shared_data("beatmap") / "maps" / song / f"{name}.dat"
    beats = parsed(read_json(file, name), bpm).parsed.objects["notes"]["beat"]
    assert (int(off_grid(beats, 16).sum()), int(off_grid(beats, 48).sum())) == OFF[song, name, bpm]


def onset_track(peaks_s, seconds=60.0):
    frames_s = np.arange(int(seconds / HOP_S)) * HOP_S
    return np.exp(-((np.abs(frames_s[:, None] - peaks_s).min(axis=1) / 0.03) ** 2)).astype(np.float32)


@pytest.mark.parametrize("shift_ms", [-100, 0, 35, 120])
def test_the_audit_finds_how_far_notes_come_before_onsets(shift_ms):
    times_s = np.arange(1.0, 50.0, 0.6)
    found = audit_timing(times_s, onset_track(times_s + shift_ms / 1000), HOP_S)
    assert found.shift_ms == pytest.approx(shift_ms, abs=5)
    assert found.ratio > 3


def test_notes_at_chance_are_not_above_the_mean_by_much():
    rng = np.random.default_rng(3)
    onset = onset_track(rng.uniform(0, 60, 120))
    assert audit_timing(rng.uniform(0, 60, 2000), onset, HOP_S).ratio < 1.2


def test_equal_times_count_once():
    onset = onset_track(np.array([1.0, 2.0]))
    once = audit_timing(np.array([1.0, 30.0]), onset, HOP_S)
    assert audit_timing(np.array([1.0, 1.0, 1.0, 30.0]), onset, HOP_S) == once


def test_without_notes_or_sound_there_is_no_audit():
    assert audit_timing(np.zeros(0), np.ones(9, np.float32), HOP_S) is None
    assert audit_timing(np.ones(3), np.zeros(9, np.float32), HOP_S) is None
    assert audit_timing(np.ones(3), np.zeros(0, np.float32), HOP_S) is None


def test_a_flat_song_has_no_preferred_shift_and_ratio_1():
    found = audit_timing(np.arange(5.0, 50.0), np.ones(4000, np.float32), HOP_S)
    assert (found.shift_ms, found.ratio) == (0.0, 1.0)
