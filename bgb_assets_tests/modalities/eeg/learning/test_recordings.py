"""Whole recordings: where events lie, what they are scored as, across gaps."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from bgb_assets.modalities.eeg.detection.postprocess import PostprocessParams
from bgb_assets.modalities.eeg.learning.recordings import (
    MONITOR,
    at_threshold,
    f1_of,
    hear,
    measures,
    points_of,
    together,
)
from bgb_assets.modalities.eeg.scoring.metrics import Scorer
from bgb_assets_tests.modalities.eeg.corpus_case import Corpus

W, S = 15_360, 2_560


class Loud(torch.nn.Module):
    """Certain of a seizure wherever the signal is loud."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = torch.nn.Parameter(torch.tensor(8.0))

    def forward(self, signal: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        level = (signal.abs() * mask[:, :, None]).mean(1)
        return self.gain * (torch.nn.functional.avg_pool1d(level, 16) - 1.0)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Two recordings that are loud where they hold a seizure; the second has a gap, then a seizure."""
    made = Corpus(tmp_path_factory.mktemp("corpus"))
    for key, segments, seizures_s in (
        ("a_1", [W + 10 * S], [(50.0, 80.0)]),
        ("b_1", [W + 4 * S + 5, W + 8 * S], [(70.0, 95.0), (210.0, 240.0)]),
    ):
        signal = made.add(key, segments, seizures_s, split="val") // 4
        gap = [0.0, 100.0][: len(segments)]
        starts_s = np.cumsum([0, *segments[:-1]]) / 256 + gap
        for start_s, stop_s in seizures_s:
            segment = np.flatnonzero(starts_s <= start_s)[-1]
            first = sum(segments[:segment]) + round((start_s - starts_s[segment]) * 256)
            signal[first : first + round((stop_s - start_s) * 256)] = 12_000
        (made.members[key].entries["features"].directory / "signal.i16").write_bytes(signal.astype("<i2").tobytes())
    return made


@pytest.fixture(scope="module")
def heard(corpus):
    return list(hear(Loud().eval(), corpus.index(), {0: "a", 1: "b"}))


def test_a_recording_is_one_timeline_with_its_labels(heard):
    one, two = heard
    assert (one.key, one.patient, one.duration_s) == ("a_1", "a", (W + 10 * S) / 256)
    assert len(one.probabilities) == (W + 10 * S) // 16
    assert one.probabilities.dtype == np.float16
    assert one.labels.sum() == 30 * 16
    assert two.cuts.tolist() == [0, (W + 4 * S) // 16 + 1, (W + 4 * S) // 16 + 1 + (W + 8 * S) // 16]
    assert one.evaluated_s is None
    assert two.duration_s == pytest.approx(100 + (2 * W + 12 * S + 5) / 256)
    assert two.evaluated_s == pytest.approx((2 * W + 12 * S + 5) / 256)


def test_events_are_where_the_seizures_are(heard):
    for one in heard:
        found = one.events(PostprocessParams())
        assert found.shape == one.reference.shape
        np.testing.assert_allclose(found, one.reference, atol=1.1)


def test_no_event_crosses_a_gap(heard):
    two = heard[1]
    two.probabilities[:] = 1.0
    found = two.events(PostprocessParams())
    assert len(found) == 2
    assert found[1, 0] - found[0, 1] == pytest.approx(100, abs=1 / 16)
    plain = two.without_gaps(found)
    assert plain[0].tolist() == found[0].tolist()
    assert plain[1, 0] == pytest.approx((W + 4 * S + 5) / 256)


def test_a_network_that_is_right_scores_one_and_its_threshold_is_found(corpus):
    heard = list(hear(Loud().eval(), corpus.index(), {0: "a", 1: "b"}))
    found = measures(heard, PostprocessParams())
    assert found[MONITOR] == 1.0
    assert found["timeline_auroc"] > 0.999
    assert MONITOR == "szcore_event_f1"
    f1, tau_on = f1_of(heard, PostprocessParams(), np.array([0.2, 0.5, 0.9]))
    assert (f1, tau_on) == (1.0, 0.9)
    steps = together(heard)
    assert steps.positives.sum() == sum(one.labels.sum() for one in heard)


def test_thresholds_stay_thresholds():
    for tau in (0.0, 0.04, 0.86, 1.0):
        params = at_threshold(PostprocessParams(), tau)
        assert 0 < params.tau_off <= params.tau_on <= 1
    assert at_threshold(PostprocessParams(), 0.86).tau_off == pytest.approx(0.78)


def on_both_sides(heard, gap_s: float):
    """Return the recording with seizures and detections of 20 s, 40 s before its gap and 40 s after it."""
    two = heard[1]
    steps, cut_at = len(two.probabilities), int(two.cuts[1])
    onsets_s = np.arange(steps) / 16 + np.where(np.arange(steps) >= cut_at, gap_s, 0.0)
    before, after = onsets_s[cut_at - 1] - 60, onsets_s[cut_at] + 40
    events = np.array([[before, before + 20], [after, after + 20]])
    probabilities = np.zeros(steps, np.float16)
    for onset_s, offset_s in events:
        probabilities[(onsets_s >= onset_s) & (onsets_s < offset_s)] = 1.0
    return replace(
        two,
        duration_s=steps / 16 + gap_s,
        reference=events,
        probabilities=probabilities,
        labels=probabilities > 0,
        onsets_s=onsets_s,
        missing_s=np.array([0.0, gap_s]),
    )


@pytest.mark.parametrize(("gap_s", "events"), [(2.0, 1), (3_600.0, 2)])
def test_events_around_a_gap_are_one_where_it_is_short_and_two_where_it_is_long(heard, gap_s, events):
    one = on_both_sides(heard, gap_s)
    points = points_of([one], PostprocessParams(), np.array([0.5]), Scorer.SZCORE_EVENT)
    tp, fp, reference, duration_s = points.table[0, 0].tolist()
    assert (tp, fp, reference) == (events, 0, events)
    assert duration_s == pytest.approx(len(one.probabilities) / 16), "what was not recorded is no time without alarms"
    overlap = points_of([one], PostprocessParams(), np.array([0.5]), Scorer.NEDC_OVERLAP)
    assert overlap.table[0, 0, 2] == 2, "NEDC merges nothing"
