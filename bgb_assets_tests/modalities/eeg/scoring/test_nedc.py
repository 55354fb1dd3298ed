"""NEDC's scorers: by hand, against masks and a walk written out, and on real labels."""

import numpy as np
import pytest

from bgb_assets.modalities.eeg.scoring.counts import Counts
from bgb_assets.modalities.eeg.scoring.events import Events
from bgb_assets.modalities.eeg.scoring.nedc import nedc_epoch, nedc_overlap, nedc_taes
from bgb_assets_tests.fixtures import shared_data
from bgb_assets_tests.modalities.eeg.scoring.random_events import EMPTY, events, random_pair, shuffled
from bgb_assets_tests.modalities.eeg.scoring.seizeit2 import recordings

Pairs = list[tuple[float, float]]
BY_HAND: list[tuple[Pairs, Pairs, tuple[float, float, float]]] = [
    ([(0, 10), (20, 30)], [(5, 25)], (0.5, 1.5, 1)),
    ([(100, 120)], [(105, 125)], (0.75, 0.25, 0.25)),
    ([(0, 100)], [(10, 20), (30, 50), (90, 110)], (0.4, 0.6, 0.1)),
    ([(0, 10), (20, 30), (40, 50)], [(0, 50)], (1, 2, 1)),
    ([(100, 160)], [(0, 400)], (1, 0, 1)),
    ([(0, 100), (105, 110)], [(0, 50), (60, 120)], (0.9, 1.1, 0.2)),
    ([(10, 20)], [], (0, 1, 0)),
]


@pytest.mark.parametrize(("reference", "hypothesis", "expected"), BY_HAND)
def test_taes_by_hand(reference: Pairs, hypothesis: Pairs, expected: tuple[float, float, float]) -> None:
    counts = nedc_taes(events(*reference), events(*hypothesis), 1_000.0)
    assert (counts.tp, counts.fn, counts.fp) == pytest.approx(expected, abs=1e-12)


def slow_taes(reference: Events, hypothesis: Events) -> tuple[float, float, float]:
    """Return tp, fn, fp by the rule written out, every pair of events looked at."""
    refs, hyps = reference.tolist(), hypothesis.tolist()
    used_ref, used_hyp = [False] * len(refs), [False] * len(hyps)
    tp = fn = fp = 0.0
    for i, (start, stop) in enumerate(refs):
        for j, (onset, offset) in enumerate(hyps):
            if used_ref[i] or used_hyp[j] or not (onset < stop and offset > start):
                continue
            used_ref[i] = used_hyp[j] = True
            share = (min(stop, offset) - max(start, onset)) / (stop - start)
            outside = max(0.0, start - onset) + max(0.0, offset - stop)
            tp, fn, fp = tp + share, fn + 1 - share, fp + min(1.0, outside / (stop - start))
            if offset >= stop:
                for k in range(i + 1, len(refs)):
                    if not used_ref[k] and refs[k][0] < offset and refs[k][1] > onset:
                        used_ref[k], fn = True, fn + 1
            else:
                for k in range(j + 1, len(hyps)):
                    if not used_hyp[k] and hyps[k][0] < stop and hyps[k][1] > start:
                        used_hyp[k] = True
                        share = (min(stop, hyps[k][1]) - hyps[k][0]) / (stop - start)
                        tp, fn = tp + share, fn - share
                        fp += min(1.0, max(0.0, hyps[k][1] - stop) / (stop - start))
    return tp, fn + used_ref.count(False), fp + used_hyp.count(False)


def test_taes_of_random_pairs_is_that_of_the_rule_written_out() -> None:
    rng = np.random.default_rng(9)
    for _ in range(500):
        reference, hypothesis, duration_s = random_pair(rng)
        counts = nedc_taes(shuffled(rng, reference), hypothesis, duration_s)
        assert (counts.tp, counts.fn, counts.fp) == pytest.approx(slow_taes(reference, hypothesis), abs=1e-9)


def test_overlap_of_random_pairs_is_that_of_every_pair_looked_at() -> None:
    rng = np.random.default_rng(10)
    for _ in range(300):
        reference, hypothesis, duration_s = random_pair(rng)
        meets = (reference[:, None, 0] < hypothesis[None, :, 1]) & (hypothesis[None, :, 0] < reference[:, None, 1])
        counts = nedc_overlap(shuffled(rng, reference), shuffled(rng, hypothesis), duration_s)
        found, false = int(meets.any(1).sum()), int((~meets.any(0)).sum())
        assert counts == Counts(found, false, len(reference), duration_s)


def test_touching_ends_do_not_overlap() -> None:
    assert nedc_overlap(events((10, 20)), events((20, 30), (0, 10)), 60.0) == Counts(0, 2, 1, 60.0)
    assert nedc_taes(events((10, 20)), events((20, 30)), 60.0) == Counts(0, 1, 1, 60.0)


def test_one_long_detection_finds_all_it_covers_by_overlap_but_one_by_taes() -> None:
    true, long = events((0, 10), (20, 30), (40, 50)), events((0, 50))
    assert nedc_overlap(true, long, 60.0).tp == 3
    assert nedc_taes(true, long, 60.0).fn == 2


def test_epochs_of_random_pairs_are_those_of_labels_at_their_middles() -> None:
    rng = np.random.default_rng(11)
    for _ in range(200):
        reference, hypothesis, duration_s = random_pair(rng)
        middles = np.arange(0.125, duration_s, 0.25)
        true, detected = (
            ((one[:, None, 0] < middles) & (middles <= one[:, None, 1])).any(0) for one in (reference, hypothesis)
        )
        counts = nedc_epoch(reference, hypothesis, duration_s)
        expected = int((true & detected).sum()), int((~true & detected).sum()), int(true.sum())
        assert (counts.tp, counts.fp, counts.reference) == expected


def test_a_middle_on_a_boundary_belongs_to_what_ends_there() -> None:
    assert nedc_epoch(events((0.125, 0.375)), EMPTY, 60.0).reference == 1
    assert nedc_epoch(events((0.1249, 0.3749)), EMPTY, 60.0).reference == 1
    assert nedc_epoch(events((0.1, 0.375)), EMPTY, 60.0).reference == 2


def test_real_labels_score_as_known() -> None:
    found = recordings(shared_data("eeg") / "seizeit2")
    overlap, taes = (
        sum((score(one.reference, one.hypothesis, one.duration_s) for one in found), Counts(0, 0, 0, 0))
        for score in (nedc_overlap, nedc_taes)
    )
    assert (overlap.tp, overlap.fn, overlap.fp) == (27, 41, 56)
    assert (taes.tp, taes.fn, taes.fp) == pytest.approx((17.813998, 50.186002, 58.436002), abs=5e-7)
