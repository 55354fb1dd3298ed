"""A block computed twice counts once: loss, gradients and statistics bit for bit, at half the memory."""

import pytest
import torch
from torch.autograd.graph import saved_tensors_hooks

from bgb_assets.modalities.mri.learning.checkpointing import frozen_statistics
from bgb_assets.modalities.mri.learning.loss import weighted_cross_entropy
from bgb_assets.modalities.mri.learning.meshnet import MeshNet
from bgb_assets.modalities.mri.learning.variants import MESHNET_5, VARIANTS, Shape


def trained(checkpointing, shape: Shape, side=9, steps=3, precision=None):
    """Return losses, last gradients and all buffers after some steps."""
    torch.manual_seed(0)
    network = MeshNet(shape, checkpointing).train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-2)
    losses, gradients = [], {}
    for step in range(steps):
        torch.manual_seed(step)
        image = torch.rand(1, 1, side, side, side)
        with torch.autocast("cpu", precision or torch.bfloat16, enabled=precision is not None):
            total, weight = weighted_cross_entropy(network(image), image[:, 0] > 0.8, MESHNET_5.loss)
        optimizer.zero_grad()
        (total / weight).backward()
        gradients = {name: parameter.grad.clone() for name, parameter in network.named_parameters()}
        optimizer.step()
        losses.append(total.detach())
    return losses, gradients, dict(network.named_buffers())


@pytest.mark.parametrize("precision", [None, torch.bfloat16])
@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_by_block_is_plain_bit_for_bit(precision, dropout):
    shape = Shape(5, MESHNET_5.shape.dilations, 2, dropout)
    plain, saved = trained("none", shape, precision=precision), trained("block", shape, precision=precision)
    assert all(torch.equal(a, b) for a, b in zip(plain[0], saved[0], strict=True))
    for held, other in zip(plain[1:], saved[1:], strict=True):
        assert held.keys() == other.keys()
        for name, tensor in held.items():
            assert torch.equal(tensor, other[name]), name
    assert all(int(value) == 3 for name, value in saved[2].items() if name.endswith("num_batches_tracked"))


def saved_bytes(checkpointing, side):
    seen: dict[int, int] = {}

    def pack(tensor):
        seen[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    network = MeshNet(VARIANTS["meshnet-26"].shape, checkpointing).train()
    with saved_tensors_hooks(pack, lambda tensor: tensor):
        held = network(torch.rand(1, 1, side, side, side))
    assert held.requires_grad
    return sum(seen.values())


def test_checkpointing_holds_half_of_the_bytes():
    assert saved_bytes("block", 24) <= 0.55 * saved_bytes("none", 24)


def test_frozen_statistics_are_put_back_even_after_an_error():
    norm = torch.nn.BatchNorm3d(2).train()
    kept = norm.running_mean
    with pytest.raises(ZeroDivisionError), frozen_statistics(torch.nn.Sequential(norm)):
        norm(torch.rand(1, 2, 3, 3, 3))
        assert int(norm.num_batches_tracked) == 1
        raise ZeroDivisionError
    assert norm.running_mean is kept
    assert not kept.any()
    assert int(norm.num_batches_tracked) == 0
