import torch

from bgb_assets.modalities.beatmap.learning.layers import Norm, turn


def test_a_turned_product_depends_on_the_difference_of_positions():
    torch.manual_seed(0)
    query, key = torch.randn(2, 1, 2, 1, 32)

    def product(at, other):
        turned = [turn(torch.tensor([[place]]), size=32) for place in (at, other)]
        return (turned[0](query) * turned[1](key)).sum(-1)

    assert torch.allclose(product(5.0, 3.0), product(905.0, 903.0), atol=1e-3)
    assert not torch.allclose(product(5.0, 3.0), product(5.0, 4.0), atol=1e-2)


def test_two_positions_turn_one_half_each():
    torch.manual_seed(0)
    heads = torch.randn(1, 1, 1, 32)
    zero, moved = torch.tensor([[0.0]]), torch.tensor([[7.0]])
    by_time = turn(moved, zero, size=32)(heads)
    by_index = turn(zero, moved, size=32)(heads)
    assert torch.equal(by_time[..., 16:], heads[..., 16:])
    assert torch.equal(by_index[..., :16], heads[..., :16])
    assert not torch.equal(by_time[..., :16], heads[..., :16])
    assert torch.equal(by_time[..., :16], turn(moved, size=16)(heads[..., :16]))


def test_turning_keeps_lengths():
    heads = torch.randn(2, 4, 9, 16)
    turned = turn(torch.arange(9.0).expand(2, 9), size=16)(heads)
    assert torch.allclose(turned.norm(dim=-1), heads.norm(dim=-1), atol=1e-5)


def test_a_norm_is_that_of_torch_in_any_precision():
    inputs = torch.randn(3, 5, 64) * 7
    norm, reference = Norm(64), torch.nn.RMSNorm(64, 1e-6)
    assert torch.allclose(norm(inputs), reference(inputs), atol=1e-6)
    assert torch.allclose(norm(inputs.bfloat16()), reference(inputs), atol=0.05)
    with torch.inference_mode():
        assert torch.allclose(norm(inputs), reference(inputs), atol=1e-6)
