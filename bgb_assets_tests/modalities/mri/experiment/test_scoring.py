"""Trained runs on their own test scans, against a prediction and figures made by hand."""

import numpy as np
import pytest
import torch

from bgb_assets.engine.pictures import corpus_entries
from bgb_assets.loading.mapped import ShardStore
from bgb_assets.modalities.mri.experiment.scoring import (
    lesion_in,
    load_run,
    logits_on,
    rows_tested,
    scans_of,
    score_run,
)
from bgb_assets.modalities.mri.measures.scan import measure_scan
from bgb_assets.runtime.errors import UsageError
from bgb_assets_tests.modalities.mri.trained_runs import SCANS, ingested, quick, small_chain, trained


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return ingested(tmp_path_factory.mktemp("scans") / "data")


@pytest.fixture(scope="module")
def runs(root):
    """Two outer folds, trained."""
    return [root / run.directory for run in trained(small_chain(root), folds=2, restarts=1)]


@pytest.fixture(scope="module")
def store(root, runs):
    chain = small_chain(root)
    return ShardStore(root, corpus_entries(chain)["tokens"])


def test_each_run_is_scored_on_the_scans_it_never_saw(store, runs):
    seen = []
    for fold, directory in enumerate(runs):
        run = load_run(directory, store, "meshnet-5")
        scored = score_run(store, run)
        rows = rows_tested(store, fold)
        assert [one.upload for one in scored] == [scan.upload for scan in scans_of(store, rows)]
        assert {one.outer_fold for one in scored} == {fold}
        assert all(one.acquisition == "space_2x" and one.volume_bin is not None for one in scored)
        seen += [one.upload for one in scored]
    assert len(seen) == len(set(seen)) == 2 * SCANS // 3


def test_figures_are_those_of_the_whole_network_on_the_whole_scan(store, runs):
    run = load_run(runs[0], store)
    scored = {one.upload: one.figures for one in score_run(store, run)}
    for scan in scans_of(store, rows_tested(store, 0)):
        with torch.inference_mode():
            plain = run.network(scan.image)[0].numpy()
        found = logits_on(run.network, scan.image)
        np.testing.assert_allclose(found, plain, atol=1e-4)
        expected = measure_scan(plain.argmax(0).astype(bool), scan.truth, (1.0, 1.0, 1.0))
        assert lesion_in(found).sum() == plain.argmax(0).sum()
        assert scored[scan.upload] == expected
        assert scan.truth.sum() == expected.tp + expected.fn > 0


def test_little_memory_changes_no_figure(store, runs):
    run = load_run(runs[0], store)
    image = next(scans_of(store, rows_tested(store, 0))).image
    np.testing.assert_allclose(logits_on(run.network, image, 4 << 20), logits_on(run.network, image), atol=1e-4)
    with pytest.raises(UsageError, match="--max-memory"):
        logits_on(run.network, image, 1000)


def test_a_model_of_another_variant_or_of_other_scans_is_refused(store, runs, tmp_path):
    with pytest.raises(UsageError, match="is of variant 'meshnet-5', expected 'meshnet-26'"):
        load_run(runs[0], store, "meshnet-26")
    other = ingested(tmp_path / "other", range(3, 9))
    (run,) = trained(small_chain(other), folds=1, restarts=1)
    with pytest.raises(UsageError, match="the folds it was trained by are split"):
        load_run(other / run.directory, store)


def test_a_model_that_saw_all_scans_has_none_to_be_tested_on(store):
    with pytest.raises(UsageError, match="outer fold -1 tests no scan here"):
        rows_tested(store, -1)


def test_weights_are_of_their_own_seed(root, runs, store):
    again = [root / run.directory for run in trained(small_chain(root), folds=1, restarts=2)]
    assert again[0] == runs[0]
    networks = [load_run(directory, store).network for directory in again]
    assert not torch.equal(networks[0].head.weight, networks[1].head.weight)
    assert quick().seed == 42
