"""The chunked state space against the recurrence it stands for."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from bgb_assets.modalities.eeg.learning.ssm import FIRST_DT, StateSpaceLayer, StateSpaceMap, between, chunked_scan
from bgb_assets.modalities.eeg.learning.variants import VARIANTS

SHAPE = VARIANTS["ssm-tiny"].shape.state_space


def recurrence(x, dt, decay, b, c):
    """Return y, a step at a time."""
    h = x.new_zeros(*x.shape[:1], *x.shape[2:], b.shape[-1])
    steps = []
    for t in range(x.shape[1]):
        h = (-dt[:, t] * decay).exp()[..., None, None] * h
        h = h + (dt[:, t, :, None] * x[:, t])[..., None] * b[:, t, None, None, :]
        steps.append((h * c[:, t, None, None, :]).sum(-1))
    return torch.stack(steps, dim=1)


def arguments(seed, length, dtype, fastest=0.2):
    random = torch.Generator().manual_seed(seed)
    draw = {"generator": random, "dtype": dtype}
    x, b, c = torch.randn(2, length, 3, 4, **draw), torch.randn(2, length, 5, **draw), torch.randn(2, length, 5, **draw)
    return x, fastest * torch.rand(2, length, 3, **draw), torch.linspace(1, 16, 3, dtype=dtype), b, c


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-3)])
def test_it_equals_the_recurrence_over_a_whole_window(dtype, tolerance):
    for fastest in (0.02, 0.2, 1.0):
        given_ = arguments(0, 960, dtype, fastest)
        torch.testing.assert_close(chunked_scan(*given_), recurrence(*given_), atol=tolerance, rtol=0)


@settings(max_examples=25, deadline=None)
@given(length=st.integers(1, 150), chunk=st.sampled_from([1, 7, 64]), seed=st.integers(0, 99))
def test_any_length_and_any_chunk_give_the_recurrence(length, chunk, seed):
    given_ = arguments(seed, length, torch.float64)
    torch.testing.assert_close(chunked_scan(*given_, chunk=chunk), recurrence(*given_), atol=1e-10, rtol=0)


def test_between_sums_the_rates_after_a_step():
    rate = torch.log(torch.tensor([0.5, 0.25, 0.125], dtype=torch.float64))
    expected = torch.tensor([[1, 0, 0], [0.25, 1, 0], [0.25 * 0.125, 0.125, 1]], dtype=torch.float64)
    torch.testing.assert_close(between(rate), expected)


def test_gradients_of_fast_decays_are_finite():
    given_ = [part.requires_grad_() for part in arguments(0, 200, torch.float32, fastest=50.0)]
    chunked_scan(*given_).square().sum().backward()
    assert all(torch.isfinite(part.grad).all() for part in given_)


def test_first_decays_are_those_of_the_design():
    made = StateSpaceMap(SHAPE)
    torch.testing.assert_close(made.log_decay.exp(), torch.linspace(1, 16, 4))
    torch.testing.assert_close(torch.nn.functional.softplus(made.dt_bias), torch.full((4,), FIRST_DT))


def test_the_convolution_of_channels_is_causal_and_that_of_torch():
    torch.manual_seed(0)
    one = StateSpaceMap(SHAPE)
    signal = torch.randn(2, 50, one.convolution.in_channels)
    padded = torch.nn.functional.pad(signal.transpose(1, 2), (3, 0))
    torch.testing.assert_close(one._convolved(signal), one.convolution(padded).transpose(1, 2))


@torch.inference_mode()
def test_a_map_sees_the_past_only_and_a_layer_both_sides():
    torch.manual_seed(0)
    states = torch.randn(1, 100, SHAPE.width)
    changed = states.clone()
    changed[:, 50] += 1
    one, layer = StateSpaceMap(SHAPE), StateSpaceLayer(SHAPE)
    assert torch.equal(one(states)[:, :50], one(changed)[:, :50])
    assert not torch.equal(one(states)[:, 50:], one(changed)[:, 50:])
    apart = (layer(states) - layer(changed)).abs().sum(-1)[0]
    assert apart[:50].max() > 0
    assert apart[51:].max() > 0


@torch.inference_mode()
def test_the_recurrence_keeps_float32_under_autocast():
    torch.manual_seed(0)
    one, states = StateSpaceMap(SHAPE), torch.randn(1, 960, SHAPE.width)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = one(states)
    assert (half.float() - one(states)).abs().max() < 0.02 * one(states).abs().max()


def map_by_steps(one, states):
    """Return what a map gives by its formulas, the recurrence a step at a time."""
    inner, state, heads = one.skip.numel() * one.head_size, one.signal_sizes[1], one.skip.numel()
    gate, signal, dt = torch.split(one.spread(states), [inner, inner + 2 * state, heads], -1)
    weight, bias = one.convolution.weight[:, 0], one.convolution.bias
    past = torch.stack([functional.pad(signal, (0, 0, back, 0))[:, : signal.shape[1]] for back in (3, 2, 1, 0)], -1)
    x, b, c = torch.split(functional.silu((past * weight).sum(-1) + bias), [inner, state, state], -1)
    x = x.unflatten(-1, (heads, -1))
    dt = torch.log1p(torch.exp(dt + one.dt_bias))
    y = recurrence(x, dt, one.log_decay.exp(), b, c) + one.skip[:, None] * x
    gated = y.flatten(2) * functional.silu(gate)
    normed = gated / (gated.square().mean(-1, keepdim=True) + one.norm.eps).sqrt() * one.norm.weight
    return normed @ one.gather.weight.T


@torch.inference_mode()
def test_a_layer_is_its_formula_both_ways():
    torch.manual_seed(0)
    layer, states = StateSpaceLayer(SHAPE), torch.randn(2, 150, SHAPE.width)
    for parameter in layer.parameters():
        parameter.add_(0.1 * torch.randn_like(parameter))
    normed = layer.norm(states)
    ahead, back = map_by_steps(layer.forth, normed), map_by_steps(layer.back, normed.flip(1)).flip(1)
    torch.testing.assert_close(layer(states), states + ahead + back, atol=1e-4, rtol=1e-4)
