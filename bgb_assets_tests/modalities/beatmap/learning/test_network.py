import numpy as np
import pytest
import torch

from bgb_assets.modalities.beatmap.learning.network import Network, parameter_count
from bgb_assets.modalities.beatmap.learning.variants import LARGE, MEDIUM, SMALL, TINY
from bgb_assets.modalities.beatmap.sequences import vocabulary as v


@pytest.mark.parametrize(
    ("params", "expected"), [(TINY, 263_872), (SMALL, 1_134_208), (MEDIUM, 8_776_448), (LARGE, 67_143_168)]
)
def test_parameter_counts(params, expected):
    with torch.device("meta"):
        network = Network(params.shape)
    assert parameter_count(network) == expected


@pytest.fixture(scope="module")
def case():
    torch.manual_seed(0)
    network = Network(SMALL.shape).eval()
    random = np.random.default_rng(0)
    mel = torch.from_numpy(random.random((1, 1_024, 81), np.float32))
    tokens = torch.from_numpy(random.integers(0, v.SIZE, (1, 256)))
    ticks = torch.from_numpy(np.sort(random.integers(0, 16 * 192, (1, 256))))
    return network, mel, tokens, ticks


def test_one_token_at_a_time_gives_the_logits_of_all_at_once(case):
    network, mel, tokens, ticks = case
    with torch.inference_mode():
        memory = network.remember(network.encode(mel))
        whole = network.decode(tokens, ticks, memory)
        caches = network.empty_caches(1, 300)
        steps = [network.decode(tokens[:, :100], ticks[:, :100], memory, caches)]
        steps += [network.decode(tokens[:, [i]], ticks[:, [i]], memory, caches) for i in range(100, 256)]
    cached = torch.cat(steps, dim=1)
    assert (cached - whole).abs().max() < 1e-4
    assert torch.equal(cached.argmax(-1), whole.argmax(-1))


def test_a_token_sees_none_after_it(case):
    network, mel, tokens, ticks = case
    with torch.inference_mode():
        changed = tokens.clone()
        changed[:, 128:] = 5
        first, second = network(mel, tokens, ticks), network(mel, changed, ticks)
    assert torch.equal(first[:, :128], second[:, :128])
    assert not torch.equal(first[:, 128:], second[:, 128:])


def test_time_decides_where_a_token_listens(case):
    network, mel, tokens, ticks = case
    with torch.inference_mode():
        moved = network(mel, tokens, ticks + 48)
        same = network(mel, tokens, ticks)
    assert (moved - same).abs().max() > 1e-3


def test_mixed_precision_is_close(case):
    network, mel, tokens, ticks = case
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        low = network(mel, tokens, ticks)
    with torch.inference_mode():
        assert (low.float() - network(mel, tokens, ticks)).abs().max() < 0.5
