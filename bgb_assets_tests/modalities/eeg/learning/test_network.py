"""All variants: sizes, masks, order of electrodes, gradients, no tensor without use."""

import dataclasses
import json

import pytest
import torch

from bgb_assets.modalities.eeg.learning.network import network_of, parameter_count, shape_from_json, to_samples
from bgb_assets.modalities.eeg.learning.variants import VARIANTS
from bgb_assets.runtime.errors import TrainingError
from bgb_assets.storage.digests import as_plain

GRAPHS = ("ssm-base", "ssm-tiny", "sdpa-base", "sdpa-tiny")
SAMPLES = 1_024
MASK = torch.ones(2, 19, dtype=torch.bool).index_put(
    (torch.tensor([0, 0, 1]), torch.tensor([3, 11, 8])), torch.tensor(False)
)


def network(name):
    torch.manual_seed(0)
    return network_of(VARIANTS[name].shape)


def signal(seed=0):
    return torch.randn(2, 19, SAMPLES, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("ssm-base", 975_637),
        ("ssm-tiny", 38_667),
        ("sdpa-base", 889_941),
        ("sdpa-tiny", 32_219),
        ("seizure_transformer", 37_848_897),
    ],
)
def test_parameter_counts(name, count):
    assert parameter_count(network(name)) == count


@pytest.mark.parametrize("name", VARIANTS)
@torch.inference_mode()
def test_logits_come_sixteen_times_a_second(name):
    made = network(name).eval()
    logits = made(signal(), MASK)
    assert logits.shape == (2, SAMPLES // 16)
    assert torch.isfinite(logits).all()
    alone = made(signal()[1:], MASK[1:])
    torch.testing.assert_close(alone, logits[1:], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("name", "content"),
    [*((name, float("nan")) for name in VARIANTS), ("ssm-tiny", 1e6), ("sdpa-tiny", 1e6), ("ssm-tiny", float("inf"))],
)
@torch.inference_mode()
def test_what_a_masked_electrode_holds_changes_no_bit(name, content):
    made, changed = network(name).eval(), signal()
    changed[0, [3, 11]] = content
    changed[1, 8] = content
    assert torch.equal(made(signal(), MASK), made(changed, MASK))
    assert not torch.equal(made(signal(), MASK), made(signal(), torch.ones_like(MASK))), "what it holds would count"


@pytest.mark.parametrize("name", GRAPHS)
@torch.inference_mode()
def test_the_order_of_electrodes_does_not_matter(name):
    made, order = network(name).eval(), torch.randperm(19, generator=torch.Generator().manual_seed(1))
    for layer in made.graph:
        layer.affinity.normal_()
    expected = made(signal(), MASK)
    made.electrode.copy_(made.electrode[order].clone())
    unmoved = made(signal()[:, order], MASK[:, order])
    for layer in made.graph:
        layer.affinity.copy_(layer.affinity[order][:, order].clone())
    torch.testing.assert_close(made(signal()[:, order], MASK[:, order]), expected, atol=1e-5, rtol=0)
    assert (unmoved - expected).abs().max() > 1e-5, "the learned table is at work"


def gradients(name):
    made = network(name).train()
    made(signal(), MASK).square().sum().backward()
    return {key: parameter.grad for key, parameter in made.named_parameters()}


@pytest.mark.parametrize("name", GRAPHS)
def test_every_parameter_of_a_graph_variant_is_used(name):
    for key, gradient in gradients(name).items():
        assert gradient is not None, key
        assert gradient.abs().max() > 0, key


def test_every_weight_of_the_seizure_transformer_is_used():
    found = gradients("seizure_transformer")
    weights = {key: gradient for key, gradient in found.items() if not key.endswith("bias")}
    assert len(weights) > 50
    for key, gradient in weights.items():
        assert gradient is not None, key
        assert gradient.abs().max() > 0, key


@pytest.mark.parametrize("name", ["ssm-tiny", "sdpa-tiny"])
def test_every_tensor_of_the_state_dict_changes_the_output(name):
    with torch.no_grad():
        made = network(name).eval()
        expected = made(signal(), MASK)
        for key, tensor in made.state_dict().items():
            held = tensor.clone()
            tensor.add_(torch.rand_like(tensor))
            assert not torch.equal(made(signal(), MASK), expected), key
            tensor.copy_(held)


def test_the_seizure_transformer_holds_parameters_and_running_statistics_only():
    made = network("seizure_transformer")
    extra = made.state_dict().keys() - dict(made.named_parameters()).keys()
    assert extra
    assert all(key.endswith(("running_mean", "running_var")) for key in extra)


@pytest.mark.parametrize("name", VARIANTS)
def test_a_shape_survives_json(name):
    shape = VARIANTS[name].shape
    again = shape_from_json(json.loads(json.dumps(as_plain(shape))))
    assert as_plain(again) == as_plain(shape)
    assert parameter_count(network_of(again)) == parameter_count(network(name))


def test_the_bipolar_montage_has_eighteen():
    shape = dataclasses.replace(VARIANTS["ssm-tiny"].shape, electrodes=18)
    with torch.inference_mode():
        assert network_of(shape).eval()(signal()[:, :18], MASK[:, :18]).shape == (2, SAMPLES // 16)


def test_a_shape_of_no_network_or_two_is_refused():
    shape = VARIANTS["ssm-tiny"].shape
    for wrong in ({"state_space": None}, {"encoder": None}, {"attention": VARIANTS["sdpa-tiny"].shape.attention}):
        with pytest.raises(TrainingError, match="a network is an encoder and one mixer"):
            network_of(dataclasses.replace(shape, **wrong))


def test_logits_are_repeated_to_the_rate_of_the_signal():
    assert to_samples(torch.tensor([[1.0, 2.0]])).tolist() == [[1.0] * 16 + [2.0] * 16]
