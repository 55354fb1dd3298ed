"""The peer network: its positions, its odd kernels, its skips."""

import dataclasses

import torch

from bgb_assets.modalities.eeg.learning.seizure_transformer import ResidualBlock, SeizureTransformer, sinusoids
from bgb_assets.modalities.eeg.learning.variants import VARIANTS

SHAPE = dataclasses.replace(
    VARIANTS["seizure_transformer"].shape.seizure_transformer,
    filters=(4, 4, 8, 8, 16),
    layers=1,
    hidden=16,
    residual_kernels=(3, 2),
)


@torch.inference_mode()
def test_a_residual_block_of_an_even_kernel_keeps_the_length():
    for kernel in (2, 3):
        assert ResidualBlock(8, kernel, 0.1)(torch.randn(1, 8, 30)).shape == (1, 8, 30)


def test_positions_are_those_of_the_paper():
    table = sinusoids(torch.zeros(1, 50, 6, dtype=torch.float64))
    assert table.shape == (50, 6)
    torch.testing.assert_close(table[:, 0], torch.arange(50).double().sin())
    torch.testing.assert_close(table[:, 3], (torch.arange(50) / 10_000 ** (2 / 6)).cos().double(), atol=1e-6, rtol=0)


@torch.inference_mode()
def test_fine_detail_reaches_the_output_past_the_bottleneck():
    torch.manual_seed(0)
    network, mask = SeizureTransformer(SHAPE, 3).eval(), torch.ones(1, 3, dtype=torch.bool)
    signal = torch.randn(1, 3, 512)
    whole = network(signal, mask)
    assert whole.shape == (1, 32)
    for block in (*network.residual, *network.transformer):
        block.forward = lambda states: torch.zeros_like(states)
    assert network(signal, mask).std() > 0, "the skips alone"
