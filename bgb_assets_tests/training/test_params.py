"""Senseless training params are refused by name."""

import re

import pytest

from bgb_assets.runtime.errors import ConfigError
from bgb_assets.training.params import OneCycle, TrainingParams


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("steps", 0, "training.steps must be at least 1, got 0"),
        ("batch", -2, "training.batch must be at least 1, got -2"),
        ("learning_rate", 0.0, "training.learning_rate must be positive, got 0.0"),
        ("learning_rate", float("nan"), "training.learning_rate must be positive, got nan"),
        ("clip", 0.0, "training.clip must be positive"),
        ("warmup_steps", -1, "training.warmup_steps must not be negative, got -1"),
        ("weight_decay", -0.1, "training.weight_decay must not be negative"),
        ("eps", 0.0, "training.eps must be positive, got 0.0"),
        ("epochs", -1, "training.epochs must not be negative, got -1"),
        ("precision", "bf16", "'float16'), got 'bf16'"),
    ],
)
def test_refused(field, value, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        TrainingParams(**{"steps": 1, "batch": 1, "learning_rate": 1e-3, field: value})


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("start_share", 1.0, "start_share must be from 0 to below 1, got 1.0"),
        ("div_factor", 0.5, "must be at least 1, got 0.5 and 10000.0"),
        ("momentum", (0.95, 0.85), "momentum must rise within 0 to 1"),
    ],
)
def test_a_senseless_cycle_is_refused(field, value, message):
    fields = {"start_share": 0.1, "div_factor": 100.0, "final_div_factor": 1e4, "momentum": (0.85, 0.95)}
    with pytest.raises(ConfigError, match=message):
        OneCycle(**{**fields, field: value})


def test_epochs_are_counted_out_in_steps_and_steps_stay_what_they_are():
    by_epoch = TrainingParams(steps=0, batch=1, learning_rate=1e-3, epochs=5, validate_every_epochs=2)
    counted = by_epoch.in_steps(7)
    assert (counted.steps, counted.validate_every_steps) == (35, 14)
    assert counted.in_steps(7) == counted
    by_step = TrainingParams(steps=9, batch=1, learning_rate=1e-3)
    assert by_step.in_steps(7) == by_step
