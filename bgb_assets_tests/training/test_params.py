"""Senseless training params are refused by name."""

import pytest

from bgb_assets.runtime.errors import ConfigError
from bgb_assets.training.params import TrainingParams


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
    ],
)
def test_refused(field, value, message):
    with pytest.raises(ConfigError, match=message.replace(".", r"\.")):
        TrainingParams(**{"steps": 1, "batch": 1, "learning_rate": 1e-3, field: value})
