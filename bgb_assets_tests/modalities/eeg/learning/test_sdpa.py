"""Attention by positions that only matter by their distance."""

import torch

from bgb_assets.modalities.eeg.learning.sdpa import AttentionLayer, rotate
from bgb_assets.modalities.eeg.learning.variants import VARIANTS

SHAPE = VARIANTS["sdpa-tiny"].shape.attention


def test_rotation_keeps_lengths_and_depends_on_distance_only():
    torch.manual_seed(0)
    query, key = torch.randn(8, dtype=torch.float64), torch.randn(8, dtype=torch.float64)
    queries, keys = rotate(query.expand(30, 8)), rotate(key.expand(30, 8))
    torch.testing.assert_close(queries.norm(dim=-1), query.norm().expand(30))
    products = queries @ keys.T
    for distance in (-7, 0, 3):
        along = products.diagonal(distance)
        torch.testing.assert_close(along, along[:1].expand_as(along), atol=1e-5, rtol=0)
    assert (products[0, 0] - products[0, 5]).abs() > 1e-3


@torch.inference_mode()
def test_a_layer_knows_the_order_of_its_steps():
    torch.manual_seed(0)
    layer, states = AttentionLayer(SHAPE), torch.randn(1, 40, SHAPE.width)
    turned = layer(states.flip(1)).flip(1)
    assert (turned - layer(states)).abs().max() > 1e-3
