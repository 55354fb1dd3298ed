"""The order is a pure function: the same for any ranks and any place to resume from."""

from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bgb_assets.loading.order import Order, Position, SampleIndex, micro_batches, rank_share, uniform, weighted
from bgb_assets.runtime.errors import TrainingError

SETTINGS = st.fixed_dictionaries(
    {
        "batch": st.integers(1, 9),
        "seed": st.integers(0, 5),
        "pool_batches": st.integers(1, 4),
        "token_budget": st.sampled_from([0, 60]),
        "draw": st.sampled_from([uniform, weighted]),
    }
)


def index_of(samples: int, first: int = 100) -> SampleIndex:
    random = np.random.default_rng(samples)
    ids = np.arange(first, first + 2 * samples, 2)
    rows = first + 2 * samples
    return SampleIndex(ids, random.integers(1, 30, rows), random.integers(1, 5, rows).astype(float))


@settings(max_examples=60)
@given(samples=st.integers(1, 40), options=SETTINGS, start=st.integers(0, 60))
def test_resuming_anywhere_goes_on_exactly(samples, options, start):
    unbroken = Order(index_of(samples), **options)
    resumed = Order(index_of(samples), **options)
    expected = [unbroken.global_batch(p) for p in islice(unbroken.steps_from(0), start + 25)][start:]
    assert [resumed.global_batch(p) for p in islice(resumed.steps_from(start), 25)] == expected
    assert next(resumed.steps_from(start)) == unbroken.position(start)


@settings(max_examples=60)
@given(samples=st.integers(1, 40), options=SETTINGS, world=st.integers(1, 4), step=st.integers(0, 30))
def test_ranks_share_the_one_global_batch(samples, options, world, step):
    order = Order(index_of(samples), **options)
    batch = order.global_batch(order.position(step))
    shares = [rank_share(batch, rank, world) for rank in range(world)]
    rebuilt = [None] * len(batch)
    for rank, share in enumerate(shares):
        rebuilt[rank::world] = share
    assert tuple(rebuilt) == batch


@given(size=st.integers(1, 20), count=st.integers(1, 60))
def test_micro_batches_are_the_batch_in_few_even_parts(size, count):
    batch = tuple(range(count))
    cut = micro_batches(batch, size)
    assert sum(cut, ()) == batch
    assert len(cut) == -(-count // size)
    assert max(map(len, cut)) <= size
    assert max(map(len, cut)) - min(map(len, cut)) <= 1


def test_an_epoch_holds_every_sample_once_and_epochs_differ():
    order = Order(index_of(20), batch=5, seed=3, pool_batches=2)
    epochs = [[t.row for b in range(4) for t in order.global_batch(Position(e, b))] for e in range(2)]
    assert sorted(epochs[0]) == sorted(epochs[1]) == order.index.ids.tolist()
    assert epochs[0] != epochs[1]
    other = Order(index_of(20), batch=5, seed=4, pool_batches=2)
    assert [t.row for b in range(4) for t in other.global_batch(Position(0, b))] != epochs[0]


@settings(max_examples=40)
@given(
    weights=st.lists(st.floats(0, 50), min_size=1, max_size=30).filter(lambda w: sum(w) > 1e-3), seed=st.integers(0, 9)
)
def test_weighted_counts_are_within_one_of_expectation(weights, seed):
    index = SampleIndex(np.arange(len(weights)), np.ones(len(weights), np.int64), np.array(weights))
    ids = weighted(index, seed, 0)
    assert len(ids) == len(weights)
    counts = np.bincount(ids, minlength=len(weights))
    expected = np.array(weights) / sum(weights) * len(weights)
    assert (np.abs(counts - expected) < 1 + 1e-6).all()
    assert (counts[np.array(weights) == 0] == 0).all()


def test_weighted_copies_are_counted():
    index = SampleIndex(np.arange(4), np.ones(4, np.int64), np.array([97.0, 1, 1, 1]))
    order = Order(index, batch=4, seed=0, pool_batches=1, draw=weighted)
    tickets = order.global_batch(Position(0, 0))
    copies = sorted(ticket.copy for ticket in tickets if ticket.row == 0)
    assert copies == list(range(len(copies)))
    assert len(copies) >= 3


@pytest.mark.parametrize("weights", [[0.0, 0.0], [-1.0, 3.0], [np.nan, 1.0], [np.inf, 1.0]])
def test_weights_that_say_nothing_are_refused(weights):
    index = SampleIndex(np.arange(2), np.ones(2, np.int64), np.array(weights))
    with pytest.raises(TrainingError, match="weights must be finite"):
        weighted(index, 0, 0)


def test_fewer_samples_than_a_batch_make_one_batch():
    order = Order(index_of(3), batch=8, seed=0)
    assert len(order.batches(0)) == 1
    assert len(order.global_batch(Position(5, 0))) == 3


def test_no_samples_are_refused():
    with pytest.raises(TrainingError, match="at least one sample"):
        Order(index_of(0), batch=8, seed=0)


def test_senseless_sizes_are_refused():
    with pytest.raises(TrainingError, match="must be at least 1"):
        Order(index_of(3), batch=0, seed=0)


def test_the_order_is_pinned():
    order = Order(index_of(6, first=0), batch=3, seed=1, pool_batches=1)
    assert [t.row for t in order.global_batch(Position(0, 0))] == [8, 2, 6]
