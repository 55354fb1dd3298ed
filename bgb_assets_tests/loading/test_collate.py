"""Padding and masks: what is a sample's own stays, the rest is the padding value."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.utils.rnn import pad_sequence

from bgb_assets.loading.collate import Padding, pad
from bgb_assets.runtime.errors import ContractError

LENGTHS = st.lists(st.integers(0, 30), min_size=1, max_size=9)


@given(lengths=LENGTHS, value=st.sampled_from([0, -7]))
def test_padding_agrees_with_torch(lengths, value):
    arrays = [np.arange(n, dtype=np.int16) + 1 for n in lengths]
    values, mask = pad(arrays, value)
    expected = pad_sequence([torch.from_numpy(a) for a in arrays], batch_first=True, padding_value=value)
    np.testing.assert_array_equal(values, expected.numpy())
    assert values.dtype == np.int16
    np.testing.assert_array_equal(mask.sum(1), lengths)
    assert (values[~mask] == value).all()


@given(lengths=LENGTHS, multiple=st.integers(1, 16))
def test_lengths_are_multiples(lengths, multiple):
    values, mask = pad([np.ones((n, 2), np.float32) for n in lengths], 0, multiple)
    assert values.shape == (*mask.shape, 2)
    assert values.shape[1] % multiple == 0
    assert max(lengths) <= values.shape[1] < max(lengths) + multiple


def test_batch_has_masks_for_ragged_arrays_and_stacks_the_rest():
    samples = [{"tokens": np.arange(n), "bpm": np.float32(n), "mel": np.ones((4, 3))} for n in (2, 5)]
    batch = Padding({"tokens": -1}, multiple=4)(samples)
    assert set(batch) == {"tokens", "tokens_mask", "bpm", "mel"}
    assert batch["tokens"].shape == (2, 8)
    assert batch["tokens"][0].tolist() == [0, 1, -1, -1, -1, -1, -1, -1]
    assert batch["tokens_mask"].sum(1).tolist() == [2, 5]
    assert batch["mel"].shape == (2, 4, 3)
    assert batch["bpm"].tolist() == [2.0, 5.0]


def test_a_ragged_array_without_a_padding_value_is_named():
    with pytest.raises(ContractError, match=r"array 'mel': .*\[\(2,\), \(5,\)\]; give it a padding value"):
        Padding({})([{"mel": np.ones(2)}, {"mel": np.ones(5)}])
