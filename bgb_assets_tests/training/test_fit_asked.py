"""What a model may ask of a fit beside a loss: evaluation, decay of some parameters, names of samples."""

import dataclasses

import pytest
import torch

from bgb_assets.loading.order import Order
from bgb_assets.runtime.errors import TrainingError
from bgb_assets.training.fit import fit
from bgb_assets.training.model_directory import unique_tensors
from bgb_assets_tests.training.test_fit import (
    MACHINE,
    Broken,
    bytes_of,
    curve,
    failing_at,
    not_a_number_from,
    run,
    spec_with,
)
from bgb_assets_tests.training.tiny import SPEC, data, store_at, tiny


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return store_at(tmp_path_factory.mktemp("store"))


def test_a_loss_that_is_no_number_names_the_samples_of_its_step(store, tmp_path):
    params = tiny()
    named = dataclasses.replace(data(store, params), names=lambda rows: [f"song {row}" for row in rows])
    with pytest.raises(TrainingError, match=r"the loss of step 5 .* damaged samples among song ") as caught:
        fit(
            spec_with(not_a_number_from(5)),
            params,
            named,
            work=tmp_path,
            logs=tmp_path / "logs",
            seed=1,
            machine=MACHINE,
        )
    order = Order(named.train, 8, 1, 3, 0, named.draw)
    rows = [ticket.row for ticket in order.global_batch(order.position(5))]
    assert str(caught.value).endswith("among " + ", ".join(dict.fromkeys(f"song {row}" for row in rows)))


def test_what_no_mean_over_samples_gives_is_evaluated_beside_the_metrics_and_chooses_the_weights(store, tmp_path):
    snapshots = []

    def worse_each_time(model, given):
        assert not model.training
        assert not torch.is_grad_enabled()
        assert len(given.validation) > 0
        snapshots.append({name: tensor.clone() for name, tensor in unique_tensors(model).items()})
        return {"whole_score": 1.0 / len(snapshots)}

    spec = dataclasses.replace(SPEC, evaluate=worse_each_time, monitor="whole_score", mode="max")
    fitted = run(store, tmp_path, spec=spec)
    assert fitted.metrics["best_step"] == 10
    assert fitted.metrics["validation"].keys() == {"loss", "whole_score"}
    assert fitted.metrics["validation"]["whole_score"] == 1.0
    assert len(snapshots) == 3
    assert all(torch.equal(tensor, snapshots[0][name]) for name, tensor in unique_tensors(fitted.model).items())
    assert curve(tmp_path / "logs", "validation/whole_score") == [10, 20, 24]


def test_evaluating_leaves_the_run_as_it_was(store, tmp_path):
    def drawing(model, given):
        return {"drawn": float(torch.rand(()))}

    fitted = run(store, tmp_path / "evaluated", spec=dataclasses.replace(SPEC, evaluate=drawing))
    assert bytes_of(fitted) == bytes_of(run(store, tmp_path / "plain"))


@pytest.mark.parametrize("step", [4, 9, 11])
def test_a_run_of_two_groups_of_parameters_goes_on_exactly(store, tmp_path, step):
    spec = dataclasses.replace(SPEC, decayed=lambda name, parameter: parameter.ndim > 1)
    whole = run(store, tmp_path / "whole", spec=spec)
    with pytest.raises(Broken):
        run(store, tmp_path / "broken", spec=dataclasses.replace(spec, loss=failing_at(step, Broken())))
    assert bytes_of(run(store, tmp_path / "broken", spec=spec)) == bytes_of(whole)
