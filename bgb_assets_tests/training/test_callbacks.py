"""Timing leaves validation and saving out of the wait for data, and adds up."""

import time
from unittest import mock

import pytest
from lightning.pytorch import LightningModule

from bgb_assets.training.callbacks import Timing
from bgb_assets.training.step import StepModule
from bgb_assets_tests.training.tiny import SPEC, TinyModel, tiny


def test_data_and_step_time_are_told_apart():
    now = [0.0]
    with mock.patch.object(time, "perf_counter", side_effect=lambda: now[0]):
        module = StepModule(SPEC, TinyModel(4), tiny().training, 0, None)
        written = []
        module.log_scalars = written.append
        timing = Timing(log_every_steps=2)
        timing.on_train_start(None, module)
        for step in range(1, 5):
            now[0] += 0.25
            timing.on_train_batch_start(None, module, None, 0)
            now[0] += 1.0
            module.samples += 8
            module.progress = type(module.progress)(step=step)
            timing.on_train_batch_end(None, module, None, None, 0)
            if step == 3:
                now[0] += 100.0
                timing.on_validation_end(None, module)
    assert timing.observed() == {"data_time_s": 0.25, "step_time_s": 1.0, "samples_per_s": 6.4}
    assert written == [{"time/data_s": 0.25, "time/step_s": 1.0, "time/samples_per_s": 6.4}] * 2


def test_another_module_is_refused():
    with pytest.raises(TypeError, match="these callbacks belong to a StepModule, got LightningModule"):
        Timing(1).on_train_batch_end(None, LightningModule(), None, None, 0)
