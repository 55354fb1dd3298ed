import numpy as np

from bgb_assets.modalities.beatmap.formats.objects import empty_objects
from bgb_assets.modalities.beatmap.measures.parity import repair_parity
from bgb_assets.modalities.beatmap.measures.swings import count_swings
from bgb_assets_tests.modalities.beatmap.objects_case import random_objects, real_maps


def random_notes(seed, count=200, dots=0.1):
    random = np.random.default_rng(seed)
    objects = empty_objects()
    columns = {"beat": np.sort(random.choice([1 / 12, 1 / 4, 1 / 2], count)).cumsum()}
    columns |= {"x": random.integers(0, 4, count), "y": random.integers(0, 3, count)}
    columns |= {"color": random.integers(0, 2, count)}
    columns |= {"cut_direction": np.where(random.random(count) < dots, 8, random.integers(0, 8, count))}
    columns |= {"angle_deg": random.choice([0, 0, 20, -45], count), "fake": np.zeros(count, bool)}
    objects["notes"] = columns
    return objects


def test_a_good_map_is_left_alone_and_violations_of_others_are_mended():
    changed = {}
    for one in real_maps():
        objects = one.parsed.objects
        times_s = one.tempo.time(objects["notes"]["beat"])
        before = count_swings(objects["notes"], times_s)
        repaired = repair_parity(objects, times_s)
        after = count_swings(repaired.objects["notes"], times_s)
        assert (after.violations, after.swings, after.resets) == (0, before.swings, before.resets)
        assert before.violations <= repaired.changed <= 2 * before.violations
        changed[one.info.characteristic, one.info.difficulty, before.swings] = repaired.changed
    assert changed["Standard", "ExpertPlus", 845] == 0


def test_maps_with_a_rate_above_30_percent_end_below_half_a_percent():
    for seed in range(20):
        objects = random_notes(seed, count=600, dots=0.0)
        times_s = objects["notes"]["beat"] * 0.4
        before = count_swings(objects["notes"], times_s)
        repaired = repair_parity(objects, times_s)
        after = count_swings(repaired.objects["notes"], times_s)
        assert before.violations / before.swings > 0.3
        assert after.violations / after.swings <= 0.005
        for name in ("beat", "x", "y", "color", "fake"):
            assert np.array_equal(repaired.objects["notes"][name], objects["notes"][name])


def test_random_maps_can_be_played_afterwards():
    for seed in range(20):
        objects = random_notes(seed) if seed % 2 else random_objects(seed)
        times_s = objects["notes"]["beat"] * 0.5
        before = count_swings(objects["notes"], times_s)
        repaired = repair_parity(objects, times_s)
        mended = repaired.objects["notes"]
        assert before.violations > 0
        assert count_swings(mended, times_s).violations == 0
        for name in ("beat", "x", "y", "color", "fake"):
            assert np.array_equal(mended[name], objects["notes"][name])
        dots = objects["notes"]["cut_direction"] == 8
        assert np.array_equal(mended["cut_direction"] == 8, dots)
        assert not ((mended["angle_deg"] != objects["notes"]["angle_deg"]) & dots).any()
        changed = (mended["cut_direction"] != objects["notes"]["cut_direction"]) | (
            mended["angle_deg"] != objects["notes"]["angle_deg"]
        )
        assert repaired.changed == np.count_nonzero(changed)


def notes_of(*rows):
    names = ("beat", "x", "y", "color", "cut_direction", "angle_deg")
    columns = dict(zip(names, np.array(rows, float).T, strict=True))
    typed = {name: column if name == "beat" else column.astype(int) for name, column in columns.items()}
    return {**empty_objects(), "notes": typed | {"fake": np.zeros(len(rows), bool)}}


def test_the_least_angle_is_turned():
    objects = notes_of((1, 1, 0, 0, 1, 0), (1.5, 1, 0, 0, 6, 0), (2.0, 1, 0, 0, 1, 0))
    cuts = repair_parity(objects, objects["notes"]["beat"] * 0.5).objects["notes"]["cut_direction"]
    # down, down-left, down: turning the middle one up (135 degrees) costs more than to the left (45 degrees).
    assert cuts.tolist() == [1, 2, 1]


def test_a_rest_of_a_second_resets_the_hand():
    objects = notes_of((1, 1, 0, 0, 1, 0), (3, 1, 0, 0, 1, 0))
    assert repair_parity(objects, np.array([0.5, 1.5])).changed == 0
    assert repair_parity(objects, np.array([0.5, 1.49])).changed == 1


def test_arcs_and_chains_follow_their_notes():
    objects = notes_of((1, 1, 0, 0, 1, 0), (2, 2, 1, 0, 1, 0))
    arc = {
        "beat": [1.0],
        "color": [0],
        "x": [1],
        "y": [0],
        "cut": [1],
        "tail_beat": [2.0],
        "tail_x": [2],
        "tail_y": [1],
    }
    objects["arcs"] = {name: np.array(value) for name, value in (arc | {"tail_cut": [1]}).items()}
    objects["chains"] = {name: np.array(value) for name, value in arc.items()}
    mended = repair_parity(objects, np.array([0.5, 1.0])).objects
    cuts = mended["notes"]["cut_direction"].tolist()
    assert cuts != [1, 1]
    assert [mended["arcs"]["cut"][0], mended["arcs"]["tail_cut"][0]] == cuts
    assert mended["chains"]["cut"][0] == cuts[0]


def test_a_map_without_notes_stays():
    assert repair_parity(empty_objects(), np.zeros(0)).changed == 0
