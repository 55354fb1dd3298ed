"""Process-wide settings are changed for a run and put back, also after a failure."""

import logging
import warnings

import pytest
import torch

from bgb_assets.training.conditions import quiet, reproducible


def settings():
    return (
        torch.get_num_threads(),
        torch.are_deterministic_algorithms_enabled(),
        torch.utils.deterministic.fill_uninitialized_memory,
    )


def test_settings_hold_inside_and_are_put_back_after_a_failure():
    before = settings()
    torch.manual_seed(5)
    expected = torch.rand(2)
    torch.manual_seed(5)
    with pytest.raises(ZeroDivisionError), reproducible(3, "cpu"):
        assert settings() == (3, True, False)
        torch.rand(100)
        raise ZeroDivisionError
    assert settings() == before
    assert torch.equal(torch.rand(2), expected)


def test_only_known_warnings_are_silenced():
    log = logging.getLogger("lightning.pytorch")
    level = log.level
    with quiet():
        warnings.warn("The 'train_dataloader' does not have many workers which may be a bottleneck.", stacklevel=1)
        assert log.level >= logging.WARNING
        with pytest.warns(UserWarning, match="something else"):
            warnings.warn("something else", stacklevel=1)
    assert log.level == level
