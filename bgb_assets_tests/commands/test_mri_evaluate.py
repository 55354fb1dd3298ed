"""Runs from an inbox to `per_scan.parquet` and `summary.json`; scored once; stale runs are passed over by name."""

import dataclasses
import json
import math
from contextlib import nullcontext

import pytest

from bgb_assets.commands import mri_evaluate
from bgb_assets.commands.mri_evaluate import Asked, evaluated
from bgb_assets.modalities.mri.experiment import scoring
from bgb_assets.modalities.mri.measures.per_scan import read_per_scan
from bgb_assets.modalities.mri.measures.scan import SCORER_VERSION
from bgb_assets.runtime.errors import UsageError
from bgb_assets_tests.modalities.mri.trained_runs import SCANS, ingested, quick, small_chain, trained
from bgb_assets_tests.test_cli import bgb


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Scans, two restarts of three folds, and one control."""
    root = ingested(tmp_path_factory.mktemp("scans") / "data")
    trained(small_chain(root), folds=3, restarts=2)
    trained(small_chain(root), folds=1, restarts=1, shuffled_labels=True)
    return root


def numbers(value):
    """Yield every number in a JSON value."""
    if isinstance(value, float):
        yield value
    for held in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from numbers(held)


def test_every_scan_is_scored_by_each_restart_and_summed_up(root, tmp_path):
    summary, passed_over = evaluated(small_chain(root), Asked("meshnet-5", tmp_path))
    assert not passed_over
    evaluation = read_per_scan(tmp_path / "per_scan.parquet")
    assert len(evaluation.scans) == 2 * SCANS
    assert len({one.upload for one in evaluation.scans}) == SCANS
    held = json.loads((tmp_path / "summary.json").read_bytes())
    assert held == json.loads(json.dumps(summary))
    assert (held["grid"], held["scorer_version"], held["variant"]) == ("conformed", SCORER_VERSION, "meshnet-5")
    assert held["split_digest"] == evaluation.split_digest
    assert held["over_scans"]["n_scans"] == SCANS
    assert len(held["over_runs"]["lesion_dice"]["runs"]) == 6
    assert {"sd_over_scans", "interval"} <= held["over_scans"]["figures"]["lesion_dice"].keys()
    assert {"lesion_dice", "macro_dice"} <= held["over_scans"]["figures"].keys()
    assert all(map(math.isfinite, numbers(held)))


def test_a_run_is_scored_once(root, tmp_path, monkeypatch):
    first = evaluated(small_chain(root), Asked("meshnet-5", tmp_path))
    written = {name: (tmp_path / name).read_bytes() for name in ("per_scan.parquet", "summary.json")}
    monkeypatch.setattr(scoring, "score_run", None)
    assert evaluated(small_chain(root), Asked("meshnet-5", tmp_path)) == first
    assert {name: (tmp_path / name).read_bytes() for name in written} == written


def test_controls_are_evaluated_apart(root, tmp_path):
    summary, _ = evaluated(small_chain(root), Asked("meshnet-5", tmp_path, shuffled_labels=True))
    assert summary["shuffled_labels"] is True
    assert summary["variant"] == "meshnet-5 (shuffled labels)"
    assert summary["over_runs"]["lesion_dice"]["runs"][0]["n"] == SCANS // 3


def test_a_control_is_never_taken_for_a_run(root, tmp_path):
    (control,) = trained(small_chain(root), folds=1, restarts=1, shuffled_labels=True)
    with pytest.raises(UsageError, match="is a control, and --shuffled-labels says otherwise"):
        evaluated(small_chain(root), Asked("meshnet-5", tmp_path, models=(root / control.directory,)))


def test_variants_are_compared_by_scan(root, tmp_path):
    evaluated(small_chain(root), Asked("meshnet-5", tmp_path / "first"))
    faster = dataclasses.replace(quick(learning_rate=2e-3), variant="faster")
    chain = small_chain(root, faster=faster)
    trained(chain, folds=3, restarts=1, variant="faster")
    asked = Asked("faster", tmp_path / "second", against=(tmp_path / "first/per_scan.parquet",))
    summary, _ = evaluated(chain, asked)
    (compared,) = summary["comparisons"]
    assert (compared["variant"], compared["reference"], compared["pairs"]) == ("meshnet-5", "faster", SCANS)
    assert 0 < compared["p_holm"] <= 1


def test_runs_of_other_params_are_passed_over_with_the_reason(root, tmp_path):
    slower = dataclasses.replace(quick(learning_rate=5e-4), variant="meshnet-5")
    chain = small_chain(root, slower=slower)
    with pytest.raises(UsageError, match=r"no run of meshnet-5 is trained.*learning_rate 0.001 -> 0.0005.*experiment"):
        evaluated(chain, Asked("meshnet-5", tmp_path))
    with pytest.raises(UsageError, match="no variant 'meshnet-9'"):
        evaluated(chain, Asked("meshnet-9", tmp_path))


def test_a_model_directory_is_evaluated_where_it_lies(root, tmp_path):
    chain = small_chain(root)
    directories = tuple(root / run.directory for run in trained(chain, folds=2, restarts=1))
    summary, _ = evaluated(chain, Asked("meshnet-5", tmp_path, models=directories))
    assert summary["over_scans"]["n_scans"] == 2 * SCANS // 3
    with pytest.raises(UsageError, match="in fold 0, restart 0"):
        evaluated(chain, Asked("meshnet-5", tmp_path, models=(directories[0], directories[0])))


def test_the_verb_prints_both_spreads_and_both_dices(root, tmp_path, monkeypatch):
    monkeypatch.setattr(mri_evaluate, "opened_chain", lambda name, workers: nullcontext(small_chain(root)))
    said = bgb("evaluate", "mri", "-o", tmp_path, "--max-memory", "1GiB")
    for words in ("lesion_dice", "macro_dice", "sd over scans", "sd over runs", "6 scans, 6 runs, grid conformed"):
        assert words in said.out
    said = bgb("evaluate", "mri", "--variant", "meshnet-5", "-o", tmp_path, "--json")
    assert said.json()["summary"]["over_scans"]["n_predictions"] == 2 * SCANS
    said = bgb("evaluate", "mri", "-o", tmp_path, "--against", tmp_path / "none.parquet")
    assert (said.code, "run the evaluation first" in said.err) == (2, True)
