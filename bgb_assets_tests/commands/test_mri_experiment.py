"""An experiment over scans from an inbox: pinned, trained once, never taken for another."""

import dataclasses
import json
from contextlib import nullcontext

import pytest

from bgb_assets.commands import mri_experiment
from bgb_assets.commands.mri_experiment import experiment
from bgb_assets.commands.mri_splits import pin
from bgb_assets.runtime import monitoring
from bgb_assets.runtime.errors import UsageError
from bgb_assets_tests.driving import calls_through_tokens
from bgb_assets_tests.modalities.mri.growing_lesions import write_upload
from bgb_assets_tests.modalities.mri.trained_runs import SCANS, ingested, quick, small_chain, trained


@pytest.fixture
def root(tmp_path):
    return ingested(tmp_path / "data")


def calls(chain, folds, restarts, **options):
    """Return states of the runs, and how many were trained here."""
    with monitoring.counting() as counts:
        found = trained(chain, folds, restarts, **options)
    return [run.state for run in found], counts["stage_calls.model"]


def test_runs_are_trained_once_on_pinned_folds_and_never_taken_for_others(root):
    assert calls(small_chain(root), 3, 1) == (["trained"] * 3, 3)
    assert (root / "pins/mri/splits/default.json").is_file()
    assert calls(small_chain(root), 3, 1) == (["current"] * 3, 0)
    assert calls(small_chain(root), 2, 2)[1] == 2, "only the second restart, of another seed"
    faster = dataclasses.replace(quick(learning_rate=2e-3), variant="meshnet-5")
    assert calls(small_chain(root, faster=faster), 1, 1)[1] == 1, "another learning rate"
    wider = quick("meshnet-16")
    assert calls(small_chain(root, wider=wider), 1, 1, variant="meshnet-16")[1] == 1, "another variant"
    assert calls(small_chain(root), 1, 1, shuffled_labels=True)[1] == 1, "a control"
    write_upload(root / "inbox/mri/sub-M100", 3)
    calls_through_tokens(small_chain(root))
    assert calls(small_chain(root), 1, 1)[1] == 1, "other data"


def test_another_split_is_another_run(root):
    calls(small_chain(root), 1, 1)
    pin(small_chain(root), "second")
    assert calls(small_chain(root), 1, 1)[1] == 1


def test_the_verb_trains_and_tells(root, monkeypatch, capsys):
    monkeypatch.setattr(mri_experiment, "opened_chain", lambda name, workers: nullcontext(small_chain(root)))
    options = {"shuffled_labels": False, "as_json": True}
    experiment(None, 1, 1, None, **options)
    told = json.loads(capsys.readouterr().out)
    assert told["counts"] == {"trained": 1}
    experiment(None, 1, 2, 1e-9, **options)
    assert json.loads(capsys.readouterr().out)["counts"] == {"current": 1, "waiting": 1}
    with pytest.raises(UsageError, match="mri: no variant 'meshnet-9'; there are meshnet-5"):
        experiment("meshnet-9", 1, 1, None, **options)
    with pytest.raises(UsageError, match="expected 1 to 3 folds"):
        experiment(None, SCANS, 1, None, **options)
