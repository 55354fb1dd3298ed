"""The stem keeps the amplitude and treats all electrodes alike."""

import torch

from bgb_assets.modalities.eeg.learning.stem import LEAST_POWER, Stem, batch_norm
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
    made, signals = stem(), torch.randn(2, 1, 256)
    filtered = torch.nn.functional.conv1d(signals, made.bands.weight, stride=2, padding=31)
    expected = torch.stack([filtered[:, :, 8 * k : 8 * k + 8].square().mean(-1) for k in range(16)], -1)
    torch.testing.assert_close(made._log_power(signals), torch.log(expected + LEAST_POWER))


@torch.inference_mode()
def test_a_stronger_signal_gives_other_states_at_every_step():
    made, signals = stem(), torch.randn(1, 512)
    apart = (made(4 * signals) - made(signals)).norm(dim=-1)
    assert (apart > 0.1 * made(signals).norm(dim=-1)).all(), "a norm per time step would erase it"


def test_a_batch_norm_holds_no_counter():
    assert set(batch_norm(3).state_dict()) == {"weight", "bias", "running_mean", "running_var"}
