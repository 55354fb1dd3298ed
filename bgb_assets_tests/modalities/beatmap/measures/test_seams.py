import pytest

from bgb_assets.modalities.beatmap.measures.seams import SeamCounts, count_at_seams, seam_ratio
from bgb_assets_tests.modalities.beatmap.map_files import difficulty_v3, parsed

UP, DOWN = 0, 1


def counted(cuts, seams):
    """Notes of the left hand on every beat, half a second apart."""
    columns = parsed(difficulty_v3(*({"b": beat, "d": cut, "c": 0} for beat, cut in enumerate(cuts)))).parsed
    notes = columns.objects["notes"]
    return count_at_seams(notes, notes["beat"] / 2, seams), seam_ratio(notes, notes["beat"] / 2, seams)


def test_violations_near_a_seam_are_held_against_those_elsewhere():
    # Beats 4 and 9 repeat the direction of the one before.
    cuts = [DOWN, UP, DOWN, UP, UP, DOWN, UP, DOWN, UP, UP, DOWN, UP]
    counts, ratio = counted(cuts, [4.0])
    assert counts == SeamCounts(near_swings=3, near_violations=1, other_swings=9, other_violations=1)
    assert ratio == pytest.approx((1 / 3) / (1 / 9))
    assert counted(cuts, [4.0, 9.0])[0] == SeamCounts(6, 2, 6, 0)
    assert counted(cuts, [6.5])[0] == SeamCounts(2, 0, 10, 2)
    assert counted(cuts, [6.5])[1] == 0.0
    # A swing that is near two seams counts once.
    assert counted(cuts, [3.5, 4.0, 4.5])[0].near_swings == 3


def test_a_beat_from_the_seam_is_near_and_more_is_not():
    cuts = [DOWN, UP, DOWN, UP]
    assert counted(cuts, [2.0])[0].near_swings == 3
    assert counted(cuts, [2.01])[0].near_swings == 2


def test_without_anything_to_compare_with_there_is_no_ratio():
    assert counted([DOWN, UP, UP, DOWN], [2.0])[1] is None
    assert counted([DOWN, UP, UP, DOWN], [100.0])[1] is None
    assert counted([], [2.0]) == (SeamCounts(0, 0, 0, 0), None)
    assert counted([DOWN, UP, UP, DOWN], [])[0] == SeamCounts(0, 0, 4, 1)
