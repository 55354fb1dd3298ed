from dataclasses import replace

import pytest

from bgb_assets.modalities.beatmap.tables.filters import RULES, Difficulty, FilterParams, reason_to_leave_out

GOOD = Difficulty(
    upload="song",
    characteristic="Standard",
    difficulty="Expert",
    song_hash="s" * 64,
    beatmap_id="b" * 64,
    audio_id="a" * 64,
    tempo_id="t" * 64,
    status="ok",
    flags=frozenset({"bpm_info_disagrees"}),
    requirements=("Chroma",),
    notes=300,
    nps=5.0,
    off_grid_share=0.2,
    timing_ratio=1.3,
    timing_shift_ms=80.0,
    bpm=120.0,
    bpm_range=(30.0, 500.0),
    auto_generated=False,
)

LEFT_OUT = {
    "no_notes": {"notes": 0, "nps": None, "off_grid_share": None},
    "no_audio": {"audio_id": None, "timing_ratio": None, "timing_shift_ms": None},
    "requirements": {"requirements": ("Chroma", "Noodle Extensions")},
    "off_grid": {"off_grid_share": 0.21},
    "mistimed": {"timing_ratio": 1.29},
    "nps": {"nps": 20.5},
    "too_few_notes": {"notes": 15},
    "bpm": {"bpm_range": (29.0, 120.0)},
    "notes_after_audio": {"flags": frozenset({"notes_after_audio"})},
    "auto_generated": {"auto_generated": True},
    "characteristic": {"characteristic": "Lawless"},
    "difficulty": {"difficulty": "Easy"},
    "rotation": {"flags": frozenset({"rotation"})},
    "song_time_offset": {"flags": frozenset({"song_time_offset"})},
    "shuffle": {"flags": frozenset({"shuffle"})},
}
FILTERS = FilterParams(characteristics=("Standard", "OneSaber"), difficulties=("Hard", "Expert"))
LENIENT = FilterParams(
    audio=False,
    requirements=("Chroma", "Noodle Extensions"),
    max_off_grid_share=1.0,
    min_timing_ratio=0.0,
    min_timing_shift_ms=-150.0,
    max_timing_shift_ms=150.0,
    max_nps=99.0,
    min_notes=1,
    min_bpm=0.0,
    max_bpm=9e9,
    notes_after_audio=True,
    auto_generated=True,
    rotation=True,
    song_time_offset=True,
    shuffle=True,
)


def test_what_is_just_within_every_bound_is_kept():
    assert reason_to_leave_out(GOOD, FILTERS) == ""
    assert reason_to_leave_out(replace(GOOD, notes=16, nps=20.0, timing_shift_ms=0.0), FILTERS) == ""


@pytest.mark.parametrize("reason", LEFT_OUT)
def test_every_rule_leaves_out_its_case_and_can_be_switched_off(reason):
    case = replace(GOOD, **LEFT_OUT[reason])
    assert reason_to_leave_out(case, FILTERS) == reason
    assert reason_to_leave_out(case, LENIENT) == ("no_notes" if reason == "no_notes" else "")


def test_every_rule_is_tested_in_its_order():
    assert list(LEFT_OUT) == list(RULES)
    everything = {name: value for changes in reversed(LEFT_OUT.values()) for name, value in changes.items()}
    assert reason_to_leave_out(replace(GOOD, **everything), FILTERS) == "no_notes"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"timing_shift_ms": -5.0}, "mistimed"),
        ({"timing_shift_ms": 85.0}, "mistimed"),
        ({"timing_ratio": None, "timing_shift_ms": None}, ""),
        ({"bpm_range": (100.0, 501.0)}, "bpm"),
        ({"bpm_range": None}, ""),
        ({"nps": None}, ""),
        ({"requirements": ()}, ""),
    ],
)
def test_both_ends_of_a_range_and_unknown_values(changes, reason):
    assert reason_to_leave_out(replace(GOOD, **changes), FILTERS) == reason


@pytest.mark.parametrize("status", ["missing_file", "invalid"])
def test_what_cannot_be_read_has_its_status_as_reason(status):
    unreadable = replace(GOOD, beatmap_id=None, tempo_id=None, status=status, flags=frozenset(), notes=0, audio_id=None)
    assert reason_to_leave_out(unreadable, LENIENT) == status
