"""The files of an evaluation: every figure there is, by scorer and patient, with intervals; thresholds; calibration."""

import json

import numpy as np
import pytest

from bgb_assets.modalities.eeg.detection.postprocess import PostprocessParams
from bgb_assets.modalities.eeg.learning.evaluation import tune, write_evaluation
from bgb_assets.modalities.eeg.learning.recordings import Heard, at_threshold, points_of, together
from bgb_assets.modalities.eeg.scoring.metrics import STD_OF, Figure, Metric, Scorer, all_metrics, parse_metric
from bgb_assets.modalities.eeg.scoring.nedc import nedc_overlap
from bgb_assets.modalities.eeg.scoring.thresholds import candidate_thresholds
from bgb_assets.modalities.eeg.scoring.timeline import auroc, step_labels
from bgb_assets.runtime.errors import UsageError

SECONDS = 1_800
STEPS = SECONDS * 16


def heard(patient: str, number: int, seizures: list[tuple[int, int]], false: list[tuple[int, int]]) -> Heard:
    """Return half an hour with a blurred detector: sure of most of each seizure, less so of what is false."""
    rng = np.random.default_rng([number, len(patient)])
    reference = np.array(seizures, np.float64).reshape(-1, 2)
    level = rng.uniform(0.0, 0.3, STEPS)
    for first, last in seizures:
        level[(first + 3) * 16 : (last - 2) * 16] = rng.uniform(0.6, 1.0)
    for first, last in false:
        level[first * 16 : last * 16] = rng.uniform(0.4, 0.9)
    labels = step_labels((reference * 256).astype(np.int64), STEPS)
    return Heard(
        f"{patient}_{number}", patient, float(SECONDS), reference, level.astype(np.float16), labels,
        np.arange(STEPS) / 16, np.array([0, STEPS]), np.zeros(1),
    )  # fmt: skip


@pytest.fixture(scope="module")
def corpus() -> list[Heard]:
    return [
        heard("a", 1, [(200, 260), (900, 950)], []),
        heard("a", 2, [(600, 640)], [(1_200, 1_230)]),
        heard("b", 1, [(300, 390)], [(50, 70), (1_500, 1_540)]),
        heard("c", 1, [], [(700, 720)]),
        heard("d", 1, [(1_000, 1_060), (1_400, 1_430)], []),
    ]


@pytest.fixture(scope="module")
def params(corpus) -> PostprocessParams:
    return tune(corpus, PostprocessParams())


@pytest.fixture(scope="module")
def written(corpus, params, tmp_path_factory):
    out = tmp_path_factory.mktemp("model")
    write_evaluation(out, corpus, params)
    return out


@pytest.fixture(scope="module")
def scores(written):
    return json.loads((written / "evaluation" / "scores.json").read_text())


def test_every_figure_there_is_is_told_with_its_interval_over_patients(scores):
    assert {parse_metric(name) for name in scores["scores"]} == set(all_metrics())
    plain = {Figure.ECE_WIDTH, Figure.ECE_MASS, Figure.BRIER, *STD_OF.values()}
    for name, interval in scores["scores"].items():
        if parse_metric(name).figure not in plain:
            assert interval["low"] <= interval["value"] <= interval["high"], name


@pytest.mark.parametrize("limit", [0.5, 1, 2.5, 5, 10])
def test_sensitivities_at_limits_are_read_by_the_key_they_are_written_with(scores, corpus, limit):
    key = Metric(Scorer.NEDC_OVERLAP, Figure.SENSITIVITY_AT, limit)
    assert parse_metric(f"nedc_overlap_sensitivity_at_{float(limit)}_fa_per_24h") == key
    found = scores["scores"][key.name]["value"]
    best = 0.0
    for tau in candidate_thresholds(together(corpus)).tolist():
        cut = at_threshold(PostprocessParams(), tau)
        counted = [nedc_overlap(one.reference, one.events(cut), one.duration_s) for one in corpus]
        tp, fp = sum(one.tp for one in counted), sum(one.fp for one in counted)
        if fp / (len(corpus) * SECONDS) * 86_400 <= limit:
            best = max(best, tp / 6)
    assert found == pytest.approx(best)
    assert found > 0


def test_an_unknown_key_is_an_error():
    with pytest.raises(UsageError, match="no metric"):
        parse_metric("nedc_overlap_sensitivity_at_ten_fa_per_24h")


def test_patients_are_told_one_by_one(scores, corpus):
    assert sorted(scores["by_patient"]) == ["a", "b", "c", "d"]
    one = scores["by_patient"]["a"]
    assert set(one) == {str(scorer) for scorer in Scorer}
    assert one["nedc_overlap"]["reference"] == 3
    assert one["szcore_event"]["duration_s"] == 2 * SECONDS
    assert one["timeline"]["auroc"] == pytest.approx(auroc(together(corpus[:2])))
    assert scores["by_patient"]["c"]["timeline"] == {"auroc": None, "auprc": None}, "one class only"
    assert scores["by_patient"]["c"]["szcore_event"]["sensitivity"] is None
    found = sum(row["nedc_overlap"]["tp"] for row in scores["by_patient"].values())
    assert found == scores["counts"]["nedc_overlap"]["tp"]


def test_the_threshold_is_the_one_with_the_largest_event_f1(corpus, params):
    thresholds = candidate_thresholds(together(corpus))
    points = points_of(corpus, PostprocessParams(), thresholds, Scorer.SZCORE_EVENT)
    assert points.f1[np.searchsorted(thresholds, params.tau_on)] == np.nanmax(points.f1)
    assert params.tau_off == pytest.approx(params.tau_on - 0.08)


def test_timelines_and_events_lie_beside(written, corpus, params):
    held = json.loads((written / "evaluation" / "recordings.json").read_text())["recordings"]
    steps = np.load(written / "evaluation" / "probabilities.npy")
    assert steps.dtype == np.float16
    for row, one in zip(held, corpus, strict=True):
        assert np.array_equal(steps[row["first_step"] : row["first_step"] + row["steps"]], one.probabilities)
        assert row["detected"] == one.events(params).tolist()
        assert row["reference"] == one.reference.tolist()


def test_calibration_is_told(written):
    held = json.loads((written / "calibration.json").read_text())
    assert held.keys() == {"split", "temperature", "brier", "ece_width", "ece_mass"}
    assert held["temperature"] > 0
    assert 0 < held["ece_width"] < 1
    assert 0 < held["brier"] < 1
