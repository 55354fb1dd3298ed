"""Three engines, one result: in double precision to rounding, and a halo one voxel short is found out."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bgb_assets.modalities.mri.learning.engines import full, logits_of, streamed, tiled
from bgb_assets.modalities.mri.learning.meshnet import MeshNet
from bgb_assets.modalities.mri.learning.variants import MESHNET_5, VARIANTS

EXACT, ROUNDED = 1e-12, 1e-4


def made_network(variant="meshnet-5"):
    """Return a network whose batch norms have seen something."""
    torch.manual_seed(0)
    network = MeshNet(VARIANTS[variant].shape).double()
    for block in network.blocks:
        block.norm.running_mean.normal_()
        block.norm.running_var.uniform_(0.5, 2.0)
        torch.nn.init.normal_(block.norm.weight, 1.0, 0.2)
        torch.nn.init.normal_(block.norm.bias, 0.0, 0.2)
        torch.nn.init.normal_(block.convolution.bias, 0.0, 0.2)
    return network.eval()


NETWORK = made_network()
LONG = torch.rand(1, 1, 260, 5, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
DEEP = LONG.transpose(2, 4)
"""Long along the axis that is streamed."""


def plain(image, network=NETWORK):
    with torch.no_grad():
        return network(image)


def off(found, image, network=NETWORK):
    assert found.dtype == image.dtype
    return float((found - plain(image, network)).abs().max())


def test_full_is_the_network_in_eval_mode_and_changes_nothing_in_it():
    before = {name: tensor.clone() for name, tensor in NETWORK.state_dict().items()}
    assert off(full(NETWORK, LONG), LONG) < EXACT
    assert off(full(NETWORK.train(), LONG), LONG, NETWORK.eval()) < EXACT
    assert all(torch.equal(tensor, before[name]) for name, tensor in NETWORK.state_dict().items())


def test_a_halo_of_61_is_exact_and_of_60_is_not():
    assert off(tiled(NETWORK, LONG, (4, 1, 1)), LONG) < EXACT
    assert off(tiled(NETWORK, LONG, (4, 1, 1), halo=61), LONG) < EXACT
    assert off(tiled(NETWORK, LONG, (4, 1, 1), halo=60), LONG) > 1e-9


@pytest.mark.parametrize("slices", [1, 7, 32, 500])
def test_streamed_is_exact_for_any_slab_along_any_axis(slices):
    for image in (LONG, DEEP):
        assert off(streamed(NETWORK, image, slices), image) < EXACT


@pytest.mark.parametrize("length", [1, 2, 15, 16, 17, 33, 60, 121])
def test_streamed_is_exact_on_volumes_shorter_than_the_halo(length):
    for slices in (1, 7, 32):
        assert off(streamed(NETWORK, DEEP[..., :length], slices), DEEP[..., :length]) < EXACT


@settings(max_examples=15, deadline=None)
@given(
    size=st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(1, 9)),
    windows=st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(1, 4)),
    batch=st.integers(1, 2),
    seed=st.integers(0, 99),
)
def test_engines_agree_on_any_small_volume(size, windows, batch, seed):
    image = torch.rand(batch, 1, *size, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    assert off(tiled(NETWORK, image, windows), image) < EXACT
    assert off(streamed(NETWORK, image, windows[0]), image) < EXACT


@pytest.mark.parametrize("variant", ["meshnet-5", "meshnet-26"])
def test_in_float32_all_engines_agree_to_rounding(variant):
    network = made_network(variant).float()
    image = torch.rand(1, 1, 6, 6, 150)
    for engine in (("full", 1), ("tiled", 2), ("streamed", 16)):
        assert off(logits_of(network, image, engine), image, network) < ROUNDED


def test_edges_of_the_streamed_volume_see_zeros_at_every_layer():
    """Padding the image alone would let inner layers see what they make of zeros, which is not zero."""
    short = DEEP[..., :20]
    naive = plain(torch.nn.functional.pad(short, (61, 61)))[..., 61:-61]
    assert float((naive - plain(short)).abs().max()) > 1e-3
    assert off(streamed(NETWORK, short, 7), short) < EXACT


def test_engines_answer_in_half_precision_with_float32_logits():
    network, image = made_network().float(), torch.rand(1, 1, 40, 5, 5)
    with torch.autocast("cpu", torch.bfloat16):
        found = [engine(network, image) for engine in (full, tiled, streamed)]
    assert {logits.dtype for logits in found} == {torch.float32}
    for logits in found:
        torch.testing.assert_close(logits, plain(image, network), rtol=0.1, atol=0.1)


def test_the_receptive_field_is_half_on_each_side():
    assert sum(MESHNET_5.shape.dilations) == 61
