import pytest

from bgb_assets.modalities.beatmap.formats.reading import read_json
from bgb_assets.modalities.beatmap.measures.swings import SwingCounts, count_swings
from bgb_assets_tests.fixtures import shared_data
from bgb_assets_tests.modalities.beatmap.map_files import difficulty_v3, parsed

REAL = {
    ("werewolf_howls", "EasyStandard"): (252, 2, 8),
    ("werewolf_howls", "NormalStandard"): (359, 2, 8),
    ("werewolf_howls", "HardStandard"): (480, 5, 1),
    ("werewolf_howls", "ExpertStandard"): (691, 2, 0),
    ("werewolf_howls", "ExpertPlusStandard"): (845, 0, 0),
    ("JOURNEY", "ExpertPlusStandard"): (2135, 1, 3),
    ("JOURNEY", "ExpertPlusOneSaber"): (1097, 25, 2),
}
UP, DOWN, LEFT, RIGHT, DOWN_RIGHT, ANY = 0, 1, 2, 3, 7, 8


def swings(*notes, bpm=120, **more):
    """Notes as (beat, cut) of the left hand."""
    document = difficulty_v3(*({"b": beat, "d": cut, "c": 0} | more for beat, cut in notes))
    difficulty = parsed(document, bpm)
    columns = difficulty.parsed.objects["notes"]
    return count_swings(columns, difficulty.tempo.time(columns["beat"]))


@pytest.mark.parametrize(("folder", "name"), REAL)
def test_counts_of_real_maps(folder, name):
    file = shared_data("beatmap") / "maps" / folder / f"{name}.dat"
    difficulty = parsed(read_json(file, name), 222 if folder == "werewolf_howls" else 185)
    notes = difficulty.parsed.objects["notes"]
    found = count_swings(notes, difficulty.tempo.time(notes["beat"]))
    assert (found.swings, found.violations, found.resets) == REAL[folder, name]


def test_alternating_cuts_are_no_violation_and_equal_ones_are():
    assert swings((0, DOWN), (1, UP), (2, DOWN)) == SwingCounts(3, 0, 0)
    assert swings((0, DOWN), (1, DOWN)) == SwingCounts(2, 1, 0)


def test_with_a_second_between_it_is_a_reset():
    assert swings((0, DOWN), (2, DOWN)) == SwingCounts(2, 0, 1)
    assert swings((0, DOWN), (1.99, DOWN)) == SwingCounts(2, 1, 0)


def test_near_notes_join_while_their_directions_agree():
    assert swings((0, DOWN), (0.125, DOWN), (0.25, DOWN_RIGHT)).swings == 1
    assert swings((0, DOWN), (0.126, DOWN)).swings == 2
    assert swings((0, DOWN), (0.1, RIGHT)).swings == 2
    assert swings((0, ANY), (0.1, RIGHT), (0.2, ANY)).swings == 1


def test_a_swing_without_direction_goes_back_from_the_one_before():
    assert swings((0, DOWN), (1, ANY), (2, DOWN)) == SwingCounts(3, 0, 0)
    assert swings((0, DOWN), (1, ANY), (2, UP)) == SwingCounts(3, 1, 0)
    # The first of all cuts down.
    assert swings((0, ANY), (1, DOWN)) == SwingCounts(2, 1, 0)
    assert swings((0, ANY), (1, UP)) == SwingCounts(2, 0, 0)


def test_the_angle_turns_the_direction_counter_clockwise():
    # Down, turned by 90 degrees counter-clockwise, is right.
    assert swings((0, DOWN), a=90) == SwingCounts(1, 0, 0)
    turned = difficulty_v3({"b": 0, "d": DOWN, "a": 90}, {"b": 1, "d": RIGHT})
    columns = parsed(turned).parsed.objects["notes"]
    assert count_swings(columns, columns["beat"] / 2).violations == 1
    straight = parsed(difficulty_v3({"b": 0, "d": DOWN, "a": 90}, {"b": 1, "d": LEFT})).parsed.objects["notes"]
    assert count_swings(straight, straight["beat"] / 2).violations == 0


def test_hands_are_apart_and_fakes_are_not_played():
    both = parsed(difficulty_v3({"b": 0, "d": DOWN, "c": 0}, {"b": 1, "d": DOWN, "c": 1})).parsed.objects["notes"]
    assert count_swings(both, both["beat"] / 2) == SwingCounts(2, 0, 0)
    assert swings((0, DOWN), (1, DOWN), customData={"uninteractable": True}) == SwingCounts(0, 0, 0)


def test_no_notes_no_swings():
    assert swings() == SwingCounts(0, 0, 0)
