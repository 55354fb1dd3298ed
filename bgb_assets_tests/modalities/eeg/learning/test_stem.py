"""The stem keeps the amplitude and treats all electrodes alike."""

import pytest
import torch

from bgb_assets.modalities.eeg.learning.stem import LEAST_POWER, Stem, batch_norm, by_phases
from bgb_assets.modalities.eeg.learning.variants import VARIANTS

SHAPE = VARIANTS["ssm-tiny"].shape.encoder


def stem():
    torch.manual_seed(0)
    return Stem(SHAPE).eval()


@torch.inference_mode()
def test_sixteen_samples_make_a_step():
    assert stem()(torch.randn(3, 512)).shape == (3, 32, SHAPE.width)


@torch.inference_mode()
def test_log_power_is_the_logarithm_of_the_mean_square():
    made, signals = stem(), torch.randn(2, 256)
    filtered = torch.nn.functional.conv1d(signals[:, None], made.bands.weight, stride=2, padding=31)
    expected = torch.stack([filtered[:, :, 8 * k : 8 * k + 8].square().mean(-1) for k in range(16)], -1)
    torch.testing.assert_close(made._log_power(signals), torch.log(expected + LEAST_POWER))


@torch.inference_mode()
def test_a_stronger_signal_gives_other_states_at_every_step():
    made, signals = stem(), torch.randn(1, 512)
    apart = (made(4 * signals) - made(signals)).norm(dim=-1)
    assert (apart > 0.1 * made(signals).norm(dim=-1)).all(), "a norm per time step would erase it"


def test_a_batch_norm_holds_no_counter():
    assert set(batch_norm(3).state_dict()) == {"weight", "bias", "running_mean", "running_var"}


@pytest.mark.parametrize(("size", "stride", "padding"), [(15, 4, 7), (63, 2, 31), (9, 2, 4), (4, 4, 0), (3, 1, 1)])
@pytest.mark.parametrize("samples", [256, 261])
def test_a_convolution_by_phases_is_the_convolution(size, stride, padding, samples):
    torch.manual_seed(0)
    convolution = torch.nn.Conv1d(1, 5, size, stride, padding, bias=False).double()
    signals = torch.randn(3, samples, dtype=torch.float64)
    expected, found = convolution(signals[:, None]), by_phases(signals, convolution)
    torch.testing.assert_close(found, expected)
    gradients = [torch.autograd.grad(one.square().sum(), convolution.weight)[0] for one in (expected, found)]
    torch.testing.assert_close(*gradients)
