import pytest

from bgb_assets.training.curves import read_curves
from bgb_assets.training.fit import Machine, fit
from bgb_assets_tests.training.tiny import SPEC, data, store_at, tiny


def test_no_logs_have_no_curves(tmp_path):
    assert read_curves(tmp_path / "absent") == {}
    assert read_curves(tmp_path) == {}


def test_the_curves_of_a_run_end_in_its_metrics(tmp_path):
    params = tiny(steps=20)
    machine = Machine(device="cpu", log_every_steps=5)
    store = store_at(tmp_path / "store")
    made = fit(
        SPEC, params, data(store, params), work=tmp_path / "work", logs=tmp_path / "logs", seed=1, machine=machine
    )
    curves = read_curves(tmp_path / "logs")
    steps, losses = curves["validation/loss"]
    assert steps.tolist() == [10, 20]
    at_best = steps.tolist().index(made.metrics["best_step"])
    assert losses[at_best] == pytest.approx(made.metrics["validation"]["loss"], rel=1e-6)
    assert curves["train/loss"][0].tolist() == [5, 10, 15, 20]
