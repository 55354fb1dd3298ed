"""A step of training never asks the device for a value: on tensors that have none, it goes through.

Fake tensors know shapes alone: whatever needs a value on the host (`item`, `bool`, indexing by a mask) raises on
them, as it would wait on a GPU.
"""

import pytest
import torch
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    DynamicOutputShapeException,
    FakeTensorMode,
)

from bgb_assets.modalities.eeg import model
from bgb_assets.modalities.eeg.learning.data import POS_WEIGHT
from bgb_assets.modalities.eeg.learning.variants import VARIANTS

SAMPLES, STEPS = 15_360, 960


def batch_on(device: torch.device) -> dict[str, torch.Tensor]:
    """Return a batch of two windows as a loader gives it."""
    return {
        "signal": torch.zeros(2, SAMPLES, 19, dtype=torch.int16, device=device),
        "scale": torch.zeros(2, device=device),
        "positives": torch.zeros(2, STEPS, dtype=torch.uint8, device=device),
        "channel_mask": torch.ones(2, 19, dtype=torch.bool, device=device),
        "valid": torch.ones(2, STEPS, dtype=torch.bool, device=device),
        POS_WEIGHT: torch.ones((), device=device),
    }


def network_on(device: torch.device, name: str) -> torch.nn.Module:
    """Return the network of a variant as training has it."""
    with device:
        return model.build(VARIANTS[name]).train()


def step(network: torch.nn.Module, batch: dict[str, torch.Tensor]) -> None:
    """Go forward and backward once."""
    total, weight = model.loss(network, batch)
    (total / weight).backward()


@pytest.mark.parametrize("name", VARIANTS)
def test_a_step_asks_for_no_value(name: str) -> None:
    with FakeTensorMode():
        network = network_on(torch.device("cpu"), name)
        step(network, batch_on(torch.device("cpu")))
    assert all(parameter.grad is not None for parameter in network.parameters())


def test_what_would_wait_is_found() -> None:
    with FakeTensorMode():
        valid = batch_on(torch.device("cpu"))["valid"]
        with pytest.raises(DataDependentOutputException):
            bool(valid.any())
        with pytest.raises(DataDependentOutputException):
            valid.sum().item()
        with pytest.raises(DynamicOutputShapeException):
            valid[valid].sum()


@pytest.mark.gpu
@pytest.mark.parametrize("name", VARIANTS)
def test_on_a_gpu_a_step_never_waits(name: str) -> None:
    device = torch.device("cuda")
    network, batch = network_on(device, name), batch_on(device)
    step(network, batch)  # once before: libraries that are loaded wait
    torch.cuda.synchronize()
    mode = torch.cuda.get_sync_debug_mode()
    torch.cuda.set_sync_debug_mode("error")
    try:
        step(network, batch)
    finally:
        torch.cuda.set_sync_debug_mode(mode)
