"""Batches of similar length: every sample once, bounds kept, little padding."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bgb_assets.loading.buckets import Batches, cut, occurrences

LENGTHS = st.lists(st.integers(1, 400), min_size=1, max_size=120)


def cut_all(lengths, *, batch, pool_batches=1, token_budget=0, seed=0) -> Batches:
    lengths = np.array(lengths)
    rows = np.random.default_rng(seed).permutation(len(lengths))
    random = np.random.default_rng(seed + 1)
    return cut(rows, lengths[rows], batch=batch, pool_batches=pool_batches, token_budget=token_budget, random=random)


def parts(batches: Batches) -> list[np.ndarray]:
    return np.split(batches.rows, batches.offsets[1:-1])


def padding(batches: Batches, lengths) -> float:
    lengths = np.asarray(lengths)
    return sum(len(p) * lengths[p].max() for p in parts(batches)) / lengths[batches.rows].sum()


@given(lengths=LENGTHS, batch=st.integers(1, 20), pool=st.integers(1, 5))
def test_batches_are_full_and_hold_no_sample_twice(lengths, batch, pool):
    batches = cut_all(lengths, batch=batch, pool_batches=pool)
    expected = len(lengths) // batch or 1
    assert len(batches) == expected
    assert {len(p) for p in parts(batches)} == {min(batch, len(lengths))}
    assert len(set(batches.rows.tolist())) == len(batches.rows)


@given(lengths=LENGTHS, batch=st.integers(1, 20), pool=st.integers(1, 5), budget=st.integers(1, 3000))
def test_token_budget_holds_and_loses_no_sample(lengths, batch, pool, budget):
    batches = cut_all(lengths, batch=batch, pool_batches=pool, token_budget=budget)
    assert sorted(batches.rows.tolist()) == list(range(len(lengths)))
    for part in parts(batches):
        padded = len(part) * np.array(lengths)[part].max()
        assert 1 <= len(part) <= batch
        assert padded <= budget or len(part) == 1


@settings(max_examples=30)
@given(rows=st.lists(st.integers(0, 6), max_size=40))
def test_occurrences_count_what_came_before(rows):
    counts = occurrences(np.array(rows, np.int64))
    assert counts.tolist() == [rows[:i].count(row) for i, row in enumerate(rows)]


def test_pools_save_most_of_the_padding_and_keep_the_order_random():
    lengths = np.clip(np.random.default_rng(0).lognormal(7, 0.8, 20_000), 16, 20_000).astype(int)
    random, pooled = cut_all(lengths, batch=64), cut_all(lengths, batch=64, pool_batches=50)
    assert padding(random, lengths) > 2.5
    assert padding(pooled, lengths) < 1.2
    firsts = np.array([lengths[p].mean() for p in parts(pooled)])
    assert abs(np.corrcoef(firsts[:-1], firsts[1:])[0, 1]) < 0.2, "batches of a pool come in random order"


def test_one_pool_batch_keeps_the_drawn_order():
    batches = cut_all([5, 1, 9, 2, 7, 3], batch=2, seed=4)
    assert batches.rows.tolist() == np.random.default_rng(4).permutation(6).tolist()
