"""The loader carries out the order exactly: from any step, with any number of workers, for any rank."""

import numpy as np
import pytest
import torch

from bgb_assets.loading.dataset import Steps, select
from bgb_assets.loading.loader import FixedSampler, RoundSampler, build_loader, worker_count
from bgb_assets.loading.order import Order
from bgb_assets.runtime.errors import TrainingError
from bgb_assets.runtime.memory import usable_cpus
from bgb_assets_tests.training.tiny import TinyReader, data, store_at, tiny


@pytest.fixture
def store(tmp_path):
    return store_at(tmp_path, 40)


def sampler(store, *, start=0, steps=20, round_steps=8, rank=0, world=1, micro_batch=3):
    order = Order(select(store, "train"), batch=8, seed=5, pool_batches=2)
    return RoundSampler(
        order, micro_batch=micro_batch, start=start, steps=steps, round_steps=round_steps, rank=rank, world=world
    )


def batches(store, workers, **options):
    given = data(store, tiny())
    loader = build_loader(Steps(given.read_train, given.collate, 5), sampler(store, **options), workers=workers)
    return [batch for _ in range(3) for item in loader for batch in item]


def test_output_is_the_same_for_any_number_of_workers(store):
    expected = batches(store, 0)
    assert len(expected) == 20 * 3
    for workers in (1, 2):
        got = batches(store, workers)
        assert len(got) == len(expected)
        for one, two in zip(expected, got, strict=True):
            assert one.keys() == two.keys()
            assert all(torch.equal(one[name], two[name]) for name in one)


@pytest.mark.parametrize("start", range(0, 20, 3))
def test_rounds_from_any_start_join_to_the_unbroken_run(store, start):
    whole, rest = sampler(store), sampler(store, start=start)
    unbroken = [parts for _ in range(3) for parts in whole]
    assert len(unbroken) == 20
    rounds = [list(rest) for _ in range(4)]
    assert [parts for each in rounds for parts in each] == unbroken[start:]
    assert len(rounds[0]) == min(8 - start % 8, 20 - start)
    assert rounds[3] == []


def test_a_round_that_was_broken_off_comes_again(store):
    broken = sampler(store)
    next(iter(broken))
    assert list(broken) == list(sampler(store))


def test_ranks_together_read_the_global_batches(store):
    alone = list(sampler(store, micro_batch=8))
    ranks = [list(sampler(store, micro_batch=8, rank=rank, world=2)) for rank in range(2)]
    for whole, one, two in zip(alone, *ranks, strict=True):
        assert (whole[0][0::2], whole[0][1::2]) == (one[0], two[0])


def test_more_ranks_than_samples_are_refused(store):
    with pytest.raises(TrainingError, match="a batch of 8 cannot be shared by 9 processes"):
        sampler(store, world=9)


def test_validation_goes_over_every_sample_once_shortest_first(store):
    index = select(store, "val")
    fixed = FixedSampler(index, 3)
    rows = [ticket.row for parts in fixed for part in parts for ticket in part]
    assert sorted(rows) == index.ids.tolist()
    assert (np.diff(store.column("length")[rows]) >= 0).all()
    assert len(fixed) == len(list(fixed)) == 3
    steps = Steps(TinyReader(store, True), data(store, tiny()).collate, 0)
    one, two = ([b["tokens"] for item in build_loader(steps, fixed) for b in item] for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(one, two, strict=True)), "crops are fixed"


def test_worker_count():
    assert worker_count("auto", "cpu") == 0
    assert worker_count("auto", "cuda") == min(8, usable_cpus())
    assert worker_count(3, "cpu") == 3
