import numpy as np
import pytest

from bgb_assets.modalities.beatmap.generation.pace import (
    BIAS_LIMIT,
    HORIZON_BARS,
    Pace,
    chance,
    place_log_odds,
    wanted_pace,
)
from bgb_assets.modalities.beatmap.sequences import vocabulary as v

BAR_SECONDS = np.arange(41) * 2.0


def test_the_odds_of_a_place_are_those_against_all_that_would_skip_it():
    logits = np.full(v.SIZE, -np.inf)
    logits[[v.BAR, 300]] = [np.log(0.25), np.log(2.0)]
    logits[[v.POS.start + 48, v.POS.start + 96]] = [np.log(0.5), np.log(0.125)]
    log_odds = place_log_odds(logits)
    assert np.flatnonzero(log_odds > -np.inf).tolist() == [48, 96]
    assert np.exp(log_odds[[48, 96]]) == pytest.approx([0.5 / 0.375, 0.5])


def test_there_is_nothing_to_bias_where_only_one_thing_can_come():
    only_bar = np.where(np.arange(v.SIZE) == v.BAR, 0.0, -np.inf)
    only_events = np.where(v.NOTE.holds(np.arange(v.SIZE)), 0.0, -np.inf)
    assert place_log_odds(only_bar) is None
    assert place_log_odds(only_events) is None


def test_log_odds_of_the_surest_and_the_impossible_are_finite():
    logits = np.full(v.SIZE, -np.inf)
    logits[v.BAR] = 0.0
    logits[[v.POS.start, v.POS.start + 1, v.POS.start + 2]] = [900.0, -900.0, 0.0]
    log_odds = place_log_odds(logits)
    assert log_odds[0] == 30.0
    assert np.isfinite(log_odds[:3]).all()
    assert (log_odds[3:] == -np.inf).all()


def test_what_is_wanted_ends_with_the_music():
    wanted = wanted_pace(BAR_SECONDS, 33.0, [3.0] * 10 + [1.0] * 30)
    assert [wanted.until(second) for second in (0.0, 5.0, 20.0, 22.0, 33.0, 60.0)] == [
        0.0,
        15.0,
        60.0,
        62.0,
        73.0,
        73.0,
    ]
    assert wanted.between(18.0, 22.0) == pytest.approx(2.0)
    assert wanted.between(32.0, 34.0) == pytest.approx(1.0)
    assert wanted.between(40.0, 42.0) == 0.0


def expected_rate(bias, log_odds):
    """Return notes per second of bars of 2 s."""
    return chance(log_odds + bias).sum() / 2.0


def test_the_bias_is_the_one_whose_pace_is_wanted():
    flat = np.full(v.TICKS_PER_BAR, -3.0)
    pace = Pace(wanted_pace(BAR_SECONDS, 80.0, 5.0), BAR_SECONDS)
    pace.open_bar()
    assert pace.bias(0, flat) == 0.0  # nothing is owed before the first note
    pace.passed(flat[:1], chance(flat[0]))
    pace.wrote_note(0)
    bias = pace.bias(48, flat[49:])
    # 2.5 notes wanted since the first one, 1 written: 1.5 owed; of the places 1 was taken where few were expected.
    share = (1 + 8) / (chance(flat[0]) + 8)
    assert expected_rate(bias, flat) == pytest.approx((5.0 + 1.5 / (2.0 * HORIZON_BARS)) / share, rel=0.01)


def test_a_debt_is_paid_before_the_music_ends_and_nothing_behind_it():
    flat = np.full(v.TICKS_PER_BAR, -3.0)
    pace = Pace(wanted_pace(BAR_SECONDS[:5], 7.0, 5.0), BAR_SECONDS)
    for bar in range(4):
        pace.open_bar()
        pace.wrote_note(0)
        if bar < 3:
            pace.passed(flat, 1.0)
    # At 6 s 30 notes are wanted, 4 are there; 1 s is left.
    bias = pace.bias(0, flat)
    assert expected_rate(bias, flat) > 40.0
    assert pace.bias(96, flat[97:]) == -BIAS_LIMIT


def test_what_is_written_again_is_forgotten():
    flat = np.full(v.TICKS_PER_BAR, -3.0)

    def state(bars, kept):
        pace = Pace(wanted_pace(BAR_SECONDS, 80.0, 5.0), BAR_SECONDS)
        for bar in range(bars):
            pace.open_bar()
            pace.bias(0, flat)
            for tick in (0, 24, 48)[: bar % 4]:
                pace.wrote_note(tick)
            pace.passed(flat, 3.0)
        pace.rewind(kept)
        pace.open_bar()
        return pace.bias(0, flat)

    assert state(9, 6) == state(6, 6)
    assert state(9, 1) == 0.0
