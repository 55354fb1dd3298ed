import dataclasses
import json
import math
import random
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import wilcoxon
from statsmodels.stats.multitest import multipletests

from bgb_assets.modalities.mri.measures.aggregates import compare_variants, scan_means, summarise, write_summary
from bgb_assets.modalities.mri.measures.per_scan import make_evaluation
from bgb_assets.runtime.errors import UsageError
from bgb_assets.training.comparison import holm
from bgb_assets_tests.modalities.mri.measures.scored_case import evaluation, figures, scored


def test_restarts_are_averaged_before_scans_are() -> None:
    rows = [scored(0, 42, figures(0.2)), scored(0, 43, figures(0.4)), scored(2, 42, figures(0.9))]
    found = summarise(make_evaluation("a", "native", "d", rows), resamples=50)["over_scans"]["figures"]["lesion_dice"]
    assert found["n"] == 2
    assert found["mean"] == pytest.approx(0.6)
    assert found["median"] == pytest.approx(0.6)
    assert found["quartiles"] == pytest.approx([0.45, 0.6, 0.75])
    assert found["sd_over_scans"] == pytest.approx(0.6 / math.sqrt(2))


def test_spread_over_runs_is_not_that_over_scans() -> None:
    found = summarise(evaluation(scans=60), resamples=200)
    runs = found["over_runs"]["lesion_dice"]
    assert len(runs["runs"]) == 9
    assert sum(run["n"] for run in runs["runs"]) == 180
    means = [run["mean"] for run in runs["runs"]]
    assert runs["mean_of_runs"] == pytest.approx(np.mean(means))
    assert runs["sd_over_runs"] == pytest.approx(np.std(means, ddof=1))
    assert runs["sd_over_runs"] < found["over_scans"]["figures"]["lesion_dice"]["sd_over_scans"] / 2


def test_interval_resamples_subjects_and_is_the_same_every_time() -> None:
    made = evaluation(scans=40)
    found = summarise(made, resamples=2_000)["over_scans"]
    assert (found["n_scans"], found["n_subjects"], found["n_predictions"]) == (40, 20, 120)
    assert summarise(made, resamples=2_000)["over_scans"] == found
    dice = found["figures"]["lesion_dice"]
    values = np.array([one.value for one in scan_means(made.scans, "lesion_dice")]).reshape(20, 2)
    rng = np.random.default_rng(5)
    expected = np.quantile(values[rng.integers(0, 20, (4_000, 20))].mean(axis=(1, 2)), [0.025, 0.975])
    assert dice["interval"] == pytest.approx(expected.tolist(), abs=0.02)
    assert dice["interval"][0] < dice["mean"] < dice["interval"][1]


def test_parts_hold_every_scan_once() -> None:
    made = evaluation(scans=40)
    parts = summarise(made, resamples=50)["over_scans_by"]
    assert list(parts["volume_bin"]) == ["1", "2", "3", "4"]
    assert list(parts["acquisition"]) == ["n/a", "space_2x", "space_no_accel"]
    for held in parts.values():
        assert sum(one["n_scans"] for one in held.values()) == 40
    chosen = [one for one in made.scans if one.volume_bin == 2]
    mean = np.mean([one.value for one in scan_means(chosen, "lesion_dice")])
    assert parts["volume_bin"]["2"]["figures"]["lesion_dice"]["mean"] == pytest.approx(mean)


def test_undefined_figures_are_counted_and_left_out(tmp_path: Path) -> None:
    empty = figures(1.0, tp=0, fp=0, fn=0, avd=None, hd95_mm=None)
    half = figures(0.0, avd=1.0, hd95_mm=None)
    rows = [scored(0, 42, empty), scored(2, 42, half), scored(2, 43, figures(0.4, avd=0.5, hd95_mm=7.0))]
    summary = summarise(make_evaluation("a", "native", "d", rows), resamples=50)
    found = summary["over_scans"]
    assert (found["n_both_empty"], found["n_avd_undefined"], found["n_hd95_undefined"]) == (1, 1, 2)
    assert (found["figures"]["avd"]["n"], found["figures"]["avd"]["mean"]) == (1, 0.75)
    assert found["figures"]["hd95_mm"]["mean"] == 7.0
    assert found["figures"]["hd95_mm"]["sd_over_scans"] is None
    assert summary["over_runs"]["avd"]["runs"][0] == {"outer_fold": 0, "restart": 42, "n": 0, "mean": None}
    nothing = summarise(make_evaluation("a", "native", "d", rows[:1]), resamples=50)
    assert nothing["over_scans"]["figures"]["avd"] == {"n": 0}
    write_summary(tmp_path, nothing)
    assert json.loads((tmp_path / "summary.json").read_bytes()) == nothing


def test_thirteen_variants_are_compared_as_scipy_and_holm_do() -> None:
    reference = evaluation("reference", scans=45)
    shifts = np.linspace(-0.02, 0.02, 13)
    others = [evaluation(f"v{i:02d}", 45, seed=i + 1, shift=float(shift)) for i, shift in enumerate(shifts)]
    found = compare_variants(reference, others)
    theirs = np.array([one.value for one in scan_means(reference.scans, "lesion_dice")])
    p_values = []
    for one, other in zip(found, others, strict=True):
        ours = np.array([mean.value for mean in scan_means(other.scans, "lesion_dice")])
        expected = wilcoxon(ours, theirs)
        p_values.append(expected.pvalue)
        assert (one.variant, one.reference, one.pairs, one.left_out) == (other.variant, "reference", 45, 0)
        assert one.statistic == pytest.approx(expected.statistic, abs=1e-12)
        assert one.p_value == pytest.approx(expected.pvalue, abs=1e-12)
        assert one.mean_difference == pytest.approx((ours - theirs).mean())
    assert [one.p_holm for one in found] == pytest.approx(holm_by_definition(p_values), abs=1e-12)
    assert min(one.p_holm for one in found) < 0.05 < max(one.p_holm for one in found)


def holm_by_definition(p_values: list[float]) -> list[float]:
    """Return, for each p, the largest of (m - i + 1) p_i over those not above it, at most 1."""
    ordered, count = sorted(p_values), len(p_values)
    return [min(1.0, max((count - i) * p for i, p in enumerate(ordered) if p <= own)) for own in p_values]


def test_holm_is_that_of_statsmodels() -> None:
    p_values = np.random.default_rng(13).uniform(0, 0.1, 13)
    expected = multipletests(p_values, method="holm")[1]
    assert holm(p_values).tolist() == pytest.approx(expected.tolist(), abs=1e-12)


def test_pairs_are_by_upload_not_by_place() -> None:
    reference, other = evaluation("a"), evaluation("b", seed=1, shift=0.01)
    shuffled = list(other.scans)
    random.Random(0).shuffle(shuffled)
    assert compare_variants(reference, [dataclasses.replace(other, scans=tuple(shuffled))]) == compare_variants(
        reference, [other]
    )


def test_scans_without_the_figure_are_left_out_of_the_pairs_and_counted() -> None:
    reference = evaluation("a", restarts=1)
    rows = [dataclasses.replace(one, figures=figures(0.5, hd95_mm=None)) for one in reference.scans[:5]]
    other = make_evaluation("b", "native", "d" * 64, [*rows, *reference.scans[5:]])
    (found,) = compare_variants(reference, [other], "hd95_mm")
    assert (found.pairs, found.left_out, found.p_value) == (19, 5, 1.0)


def test_variants_on_other_splits_are_not_compared() -> None:
    with pytest.raises(UsageError, match="split_digest"):
        compare_variants(evaluation("a"), [dataclasses.replace(evaluation("b"), split_digest="e" * 64)])
