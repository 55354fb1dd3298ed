"""The dense graph layer against explicit loops, and pooling over what is measured."""

import math

import pytest
import torch
from torch.nn import functional

from bgb_assets.modalities.eeg.learning.graph import HOPS, TELEPORT, ElectrodePooling, GraphLayer

BATCH, SECONDS, ELECTRODES, STEPS, WIDTH = 2, 3, 5, 16, 4
MASK = torch.tensor([[True, True, False, True, True], [True, False, True, True, False]])


def layer():
    torch.manual_seed(0)
    made = GraphLayer(ELECTRODES, WIDTH).double()
    with torch.no_grad():
        made.affinity.normal_()
        made.likeness_gain.fill_(1.7)
    return made


def looped_edges(made, states, mask):
    """Return one second's normalised graph, an edge at a time."""
    means = [sum(states[e, t] for t in range(STEPS)) / STEPS for e in range(ELECTRODES)]
    edges = torch.zeros(ELECTRODES, ELECTRODES, dtype=torch.float64)
    for i in range(ELECTRODES):
        for j in range(ELECTRODES):
            if i == j:
                edges[i, j] = 1.0
            elif mask[i] and mask[j]:
                likeness = float(means[i] @ means[j]) / math.sqrt(
                    float(means[i] @ means[i]) * float(means[j] @ means[j])
                )
                table = (float(made.affinity[i, j]) + float(made.affinity[j, i])) / 2
                edges[i, j] = 1 / (1 + math.exp(-(float(made.likeness_gain) * likeness + table)))
    degrees = edges.sum(1)
    return torch.tensor(
        [[edges[i, j] / math.sqrt(degrees[i] * degrees[j]) for j in range(ELECTRODES)] for i in range(ELECTRODES)]
    )


def looped(made, states, mask):
    """Return the layer's states of one second, an electrode at a time."""
    edges = looped_edges(made, states, mask)
    power, spread = torch.eye(ELECTRODES, dtype=torch.float64), torch.zeros_like(states)
    for _ in range(HOPS):
        power = power @ edges
        for i in range(ELECTRODES):
            reached = sum(power[i, j] * states[j] for j in range(ELECTRODES))
            spread[i] += ((1 - TELEPORT) * reached + TELEPORT * states[i]) / HOPS
    update = functional.gelu(made.update(made.norm(spread)))
    return torch.stack([states[i] + update[i] if mask[i] else states[i] for i in range(ELECTRODES)])


def test_it_equals_explicit_loops():
    made, states = layer(), torch.randn(BATCH, SECONDS, ELECTRODES, STEPS, WIDTH, dtype=torch.float64)
    with torch.no_grad():
        found = made(states, MASK)
        for b in range(BATCH):
            for second in range(SECONDS):
                torch.testing.assert_close(
                    found[b, second], looped(made, states[b, second], MASK[b]), atol=1e-10, rtol=0
                )


@torch.no_grad()
def test_a_graph_is_symmetric_and_masked_electrodes_have_only_themselves():
    edges = layer().float().edges(torch.randn(BATCH, SECONDS, ELECTRODES, STEPS, WIDTH), MASK)
    torch.testing.assert_close(edges, edges.transpose(-1, -2))
    assert (edges[0, :, 2, [0, 1, 3, 4]] == 0).all()
    assert (edges[0, :, 2, 2] == 1).all()
    assert float(torch.linalg.eigvalsh(edges).abs().max()) <= 1 + 1e-5


def test_silent_electrodes_make_no_nan():
    made, states = layer().float(), torch.zeros(1, 1, ELECTRODES, STEPS, WIDTH, requires_grad=True)
    made(states, torch.ones(1, ELECTRODES, dtype=torch.bool)).sum().backward()
    assert torch.isfinite(states.grad).all()


@pytest.mark.parametrize("row", [0, 1])
def test_pooling_sees_measured_electrodes_only(row):
    torch.manual_seed(0)
    pooling, states = ElectrodePooling(WIDTH, 6), torch.randn(BATCH, SECONDS, ELECTRODES, STEPS, WIDTH)
    measured = states[row : row + 1, :, MASK[row]]
    weights = pooling.attention(measured).softmax(2)
    parts = [(weights * measured).sum(2), measured.mean(2), measured.amax(2)]
    torch.testing.assert_close(pooling(states, MASK)[row : row + 1], pooling.join(torch.cat(parts, -1)))
