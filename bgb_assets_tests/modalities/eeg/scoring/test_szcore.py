"""SzCORE's scorers, against `timescoring` and by hand."""

import warnings

import numpy as np
import pytest

from bgb_assets.modalities.eeg.scoring.counts import Counts
from bgb_assets.modalities.eeg.scoring.events import Events
from bgb_assets.modalities.eeg.scoring.szcore import szcore_event, szcore_sample
from bgb_assets_tests.fixtures import shared_data
from bgb_assets_tests.modalities.eeg.scoring.random_events import EMPTY, events, random_pair, shuffled
from bgb_assets_tests.modalities.eeg.scoring.seizeit2 import recordings

HOUR_S = 3_600.0
BY_HAND = [
    ([(600, 1320)], [(900, 960)], (2, 0, 3)),
    ([(600, 660)], [(560, 570)], (0, 1, 1)),
    ([(600, 660)], [(560, 571)], (1, 0, 1)),
    ([(600, 660)], [(719.8, 740)], (1, 0, 1)),
    ([(600, 660)], [(720, 740)], (0, 1, 1)),
    ([(100, 200)], [(900, 910), (999.9, 1010)], (0, 1, 1)),
    ([(100, 200)], [(900, 910), (1000, 1010)], (0, 2, 1)),
]


def peer(reference: Events, hypothesis: Events, duration_s: float, *, by_event: bool) -> tuple[int, int, int, float]:
    """Return tp, fp, references and false alarms a day as `timescoring` counts them."""
    from timescoring import scoring
    from timescoring.annotations import Annotation

    true, detected = (
        Annotation([tuple(pair) for pair in one.tolist()], 10, round(duration_s * 10))
        for one in (reference, hypothesis)
    )
    found = scoring.EventScoring(true, detected) if by_event else scoring.SampleScoring(true, detected)
    return int(found.tp), int(found.fp), int(found.refTrue), float(found.fpRate)


def counted(counts: Counts) -> tuple[float, float, float, float | None]:
    return counts.tp, counts.fp, counts.reference, counts.false_alarms_per_day


@pytest.mark.parametrize(("reference", "hypothesis", "expected"), BY_HAND)
def test_events_by_hand(
    reference: list[tuple[float, float]], hypothesis: list[tuple[float, float]], expected: tuple[int, int, int]
) -> None:
    counts = szcore_event(events(*reference), events(*hypothesis), HOUR_S)
    assert (counts.tp, counts.fp, counts.reference) == expected


def test_two_thousand_random_pairs_score_as_timescoring() -> None:
    rng = np.random.default_rng(8)
    long = 0
    for _ in range(2_000):
        pair = random_pair(rng)
        long += int((pair[0][:, 1] - pair[0][:, 0] > 300).sum())
        assert counted(szcore_event(*pair)) == pytest.approx(peer(*pair, by_event=True), rel=1e-12)
        assert counted(szcore_sample(*pair)) == pytest.approx(peer(*pair, by_event=False), rel=1e-12)
    assert long > 100


def test_order_and_nesting_do_not_change_a_score() -> None:
    rng = np.random.default_rng(17)
    for _ in range(200):
        reference, hypothesis, duration_s = random_pair(rng)
        other = shuffled(rng, reference), shuffled(rng, hypothesis), duration_s
        assert szcore_event(*other) == szcore_event(reference, hypothesis, duration_s)
        assert szcore_sample(*other) == szcore_sample(reference, hypothesis, duration_s)


def test_two_right_events_in_the_wrong_order_are_right() -> None:
    true, detected = events((100, 200), (1000, 1100)), events((1000, 1100), (100, 200))
    assert szcore_event(true, detected, HOUR_S) == Counts(2, 0, 2, HOUR_S)
    with warnings.catch_warnings(action="ignore"):
        assert peer(true, detected, HOUR_S, by_event=True)[:2] == (0, 1), "the peer has been mended: say so in szcore"


def test_touching_pieces_are_one_event_however_they_were_cut() -> None:
    chunks = events(*((start, start + 600) for start in range(0, 2_400, 600)))
    assert szcore_event(EMPTY, chunks, HOUR_S) == szcore_event(EMPTY, events((0, 2_400)), HOUR_S)
    assert szcore_event(EMPTY, chunks, HOUR_S).fp == 8


def test_one_false_alarm_in_half_an_hour_is_48_a_day() -> None:
    counts = szcore_event(events((300, 360)), events((310, 350), (1200, 1230)), 1_800.0)
    assert (counts.tp, counts.fp, counts.reference) == (1, 1, 1)
    assert counts.false_alarms_per_day == 48.0


def test_real_labels_score_as_known() -> None:
    found = recordings(shared_data("eeg") / "seizeit2")
    by_event = sum((szcore_event(one.reference, one.hypothesis, one.duration_s) for one in found), Counts(0, 0, 0, 0))
    by_sample = sum((szcore_sample(one.reference, one.hypothesis, one.duration_s) for one in found), Counts(0, 0, 0, 0))
    assert (by_event.reference, by_event.tp, by_event.fp) == (69, 67, 15)
    assert by_event.f1 == pytest.approx(0.887417, abs=5e-7)
    assert by_event.false_alarms_per_day == pytest.approx(0.881216, abs=5e-7)
    assert (by_sample.tp, by_sample.fp, by_sample.reference) == (2_856, 1_331, 4_375)


def test_a_piece_whose_length_rounds_to_more_than_300_s_is_not_cut_again() -> None:
    onset = next(t for t in np.random.default_rng(0).uniform(300, 1_000, 1_000) if (t + 300) - t > 300)
    pair = events((onset, onset + 1_000)), EMPTY, HOUR_S
    assert counted(szcore_event(*pair))[:3] == peer(*pair, by_event=True)[:3]
