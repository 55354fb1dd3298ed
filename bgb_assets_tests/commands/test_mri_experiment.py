"""An experiment over scans from an inbox: pinned, trained once, never taken for another."""

import dataclasses
import json
import signal
from contextlib import nullcontext

import pytest

from bgb_assets.commands import mri_experiment
from bgb_assets.commands.models import newest_model
from bgb_assets.commands.mri_experiment import prepared
from bgb_assets.commands.mri_splits import pin
from bgb_assets.engine.experiment import conduct
from bgb_assets.engine.fan_in import FanInRun
from bgb_assets.runtime import monitoring
from bgb_assets.runtime.errors import UsageError
from bgb_assets.storage.heads import heads_of
from bgb_assets.training import callbacks
from bgb_assets_tests.driving import calls_through_tokens
from bgb_assets_tests.modalities.mri.growing_lesions import write_upload
from bgb_assets_tests.modalities.mri.trained_runs import SCANS, ingested, quick, small_chain, trained
from bgb_assets_tests.test_cli import bgb


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


def test_a_run_that_the_limit_stops_goes_on_bit_for_bit(root, tmp_path, monkeypatch):
    longer = quick(epochs=4)
    (unbroken,) = trained(small_chain(ingested(tmp_path / "unbroken"), longer=longer), 1, 1)
    written, write = [], callbacks.write_checkpoint

    def write_until_the_alarm(*given):
        write(*given)
        written.append(given[1])
        if len(written) == 2:
            signal.raise_signal(signal.SIGALRM)

    monkeypatch.setattr(callbacks, "write_checkpoint", write_until_the_alarm)
    chain = small_chain(root, longer=longer)
    runs = prepared(chain, "meshnet-5", 2, 1)
    states = [run.state for run in conduct(chain, "meshnet-5", runs, limit_s=3600.0)]
    assert states == ["stopped", "trained"], "an alarm before its time: the second run still had its hour"
    assert not heads_of(chain.store.layout, "mri").get("model/meshnet-5@fold-0_restart-0")
    (resumed,) = trained(small_chain(root, longer=longer), 1, 1)
    assert (resumed.state, resumed.identity) == ("trained", unbroken.identity)
    whole, gone_on = tmp_path / "unbroken" / unbroken.directory, root / resumed.directory
    assert json.loads((gone_on / "record.json").read_bytes())["observed"]["resumed_from_step"] == written[1]
    for name in ("model.safetensors", "config.json", "metrics.json"):
        assert (gone_on / name).read_bytes() == (whole / name).read_bytes(), name


def test_the_verb_trains_and_tells(root, monkeypatch):
    monkeypatch.setattr(mri_experiment, "opened_chain", lambda name, workers: nullcontext(small_chain(root)))
    said = bgb("experiment", "mri", "--folds", 1, "--restarts", 1)
    assert said.code == 0
    assert said.out.startswith("1/1 fold-0_restart-0 (")
    assert "trained in" in said.out
    said = bgb("experiment", "mri", "--folds", 1, "--restarts", 2, "--limit-hours", 1e-9, "--json")
    assert said.json()["counts"] == {"current": 1, "waiting": 1}
    said = bgb("experiment", "mri", "--variant", "meshnet-9")
    assert (said.code, "mri: no variant 'meshnet-9'; there are meshnet-5" in said.err) == (2, True)
    said = bgb("experiment", "mri", "--folds", SCANS)
    assert (said.code, "expected 1 to 3 folds" in said.err) == (2, True)


def test_a_run_is_the_newest_model_only_where_it_is_named(root, monkeypatch):
    monkeypatch.setenv("BGB_DATA_ROOT", str(root))
    (run,) = trained(small_chain(root), 1, 1, shuffled_labels=True)
    with pytest.raises(UsageError, match=r"no model has been trained.*meshnet-5@fold-0_restart-0_shuffled-labels"):
        newest_model("mri")
    assert newest_model("mri", f"meshnet-5@{run.run}") == root / run.directory
    FanInRun(small_chain(root), "model").run()
    trained(small_chain(root), 2, 1)
    assert newest_model("mri") == newest_model("mri", "meshnet-5")
    assert newest_model("mri") == root / trained(small_chain(root), 1, 1)[0].directory, "restart 0 of fold 0 is it"
