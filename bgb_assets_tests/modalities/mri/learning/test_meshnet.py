"""The network: its size, what a voxel sees, its weights, and the line that says what training takes."""

import logging

import pytest
import torch

from bgb_assets.modalities.mri.learning import meshnet
from bgb_assets.modalities.mri.learning.meshnet import MeshNet, network_of, parameter_count
from bgb_assets.modalities.mri.learning.variants import MESHNET_5, VARIANTS
from bgb_assets.storage.digests import as_plain


@pytest.mark.parametrize(
    ("variant", "parameters"), [("meshnet-5", 5_682), ("meshnet-16", 56_194), ("meshnet-26", 147_474)]
)
def test_parameter_counts_are_those_published(variant, parameters):
    assert parameter_count(MeshNet(VARIANTS[variant].shape)) == parameters


def test_a_voxel_sees_123_voxels_along_each_axis():
    torch.manual_seed(0)
    network = MeshNet(MESHNET_5.shape).double().eval()
    for block in network.blocks:  # so that no ReLU hides a voxel
        block.convolution.weight.data.abs_()
    for axis in range(3):
        size = [1, 1, 1, 1, 1]
        size[2 + axis] = 181
        image = torch.rand(size, dtype=torch.float64, requires_grad=True)
        network(image).flatten(2)[0, 0, 90].backward()
        seen = image.grad.flatten().nonzero().flatten()
        assert (int(seen.min()), int(seen.max())) == (90 - 61, 90 + 61)


def test_a_volume_keeps_its_shape_and_logits_are_float32():
    network = MeshNet(MESHNET_5.shape).eval()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        logits = network(torch.rand(2, 1, 5, 7, 6))
    assert (logits.shape, logits.dtype) == ((2, 2, 5, 7, 6), torch.float32)


def test_weights_are_xavier_normal_with_gain_root_two_and_biases_zero():
    torch.manual_seed(0)
    network = MeshNet(VARIANTS["meshnet-26"].shape)
    for block in network.blocks[1:]:
        expected = (2 * 2 / (27 * 26 * 2)) ** 0.5
        assert float(block.convolution.weight.detach().std()) == pytest.approx(expected, rel=0.03)
    assert all(not module.bias.any() for module in network.modules() if isinstance(module, torch.nn.Conv3d))


def test_a_config_makes_the_network_again():
    shape = as_plain(MESHNET_5.shape)
    assert network_of(shape).shape == MESHNET_5.shape


def test_the_memory_is_told_before_training_and_auto_follows_it(monkeypatch, caplog):
    caplog.set_level(logging.INFO)
    for free, again in ((1 << 30, "off"), (1 << 10, "on")):
        monkeypatch.setattr(meshnet, "free_bytes", lambda device, free=free: free)
        network = MeshNet(MESHNET_5.shape, "auto")
        for _ in range(2):
            network(torch.rand(1, 1, 6, 6, 6)).sum().backward()
        assert len(caplog.messages) == 1
        assert caplog.messages[0].startswith("training on 1 x 6 x 6 x 6 voxels, 5 channels of 32 bits: 0.00 GiB")
        assert caplog.messages[0].endswith(f"checkpointing {again}")
        caplog.clear()
    network.eval()(torch.rand(1, 1, 7, 7, 7))
    assert not caplog.messages
