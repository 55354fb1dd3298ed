"""The variant of a modality fits the protocol of the training machinery."""

from pathlib import Path

from bgb_assets.training.params import TrainingParams
from bgb_assets_tests.training.tiny import SPEC, TinyParams, store_at


def test_a_spec_describes_all_that_a_run_needs(tmp_path: Path):
    params = SPEC.defaults["tiny"]
    assert isinstance(params, TinyParams)
    assert isinstance(params.training, TrainingParams)
    data = SPEC.data(store_at(tmp_path), params)
    assert len(data.train) + len(data.validation) == 60
    assert (SPEC.monitor, SPEC.mode) == ("loss", "min")
