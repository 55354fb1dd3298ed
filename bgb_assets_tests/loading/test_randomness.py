"""Random numbers are functions of their key alone, and differ where any part of the key differs."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bgb_assets.loading.randomness import Draw, generator, torch_seed

KEYS = st.tuples(
    st.integers(0, 2**64 - 1), st.integers(0, 2**40), st.integers(0, 2**40), st.sampled_from(["crop", "mirror"])
)


@given(key=KEYS)
def test_the_same_key_gives_the_same_numbers(key):
    np.testing.assert_array_equal(generator(*key).integers(1 << 60, size=5), generator(*key).integers(1 << 60, size=5))


@given(one=KEYS, two=KEYS)
def test_different_keys_give_different_numbers(one, two):
    same = np.array_equal(generator(*one).integers(1 << 60, size=2), generator(*two).integers(1 << 60, size=2))
    assert same == (one == two)


def test_copies_of_a_sample_differ():
    values = [Draw(1, 2, 3, copy).generator("crop").integers(1 << 60) for copy in range(50)]
    assert len(set(values)) == 50


def test_streams_of_neighbouring_samples_are_independent_and_uniform():
    draws = np.array([Draw(0, 0, row).generator("crop").random(2) for row in range(20_000)])
    assert abs(np.corrcoef(draws.T)[0, 1]) < 0.03
    assert abs(np.corrcoef(draws[:-1, 0], draws[1:, 0])[0, 1]) < 0.03
    counts = np.histogram(draws[:, 0], bins=20, range=(0, 1))[0]
    # Chi-squared with 19 degrees of freedom: 43.8 is passed with probability 0.001.
    assert ((counts - 1000) ** 2 / 1000).sum() < 43.8


def test_the_stream_is_pinned():
    assert Draw(7, 1, 42).generator("crop").integers(1000, size=4).tolist() == [492, 788, 41, 84]
    assert 0 <= torch_seed(7, 3, "dropout", 1) < 2**63
    assert torch_seed(7, 3, "dropout", 1) != torch_seed(7, 3, "dropout", 0)
