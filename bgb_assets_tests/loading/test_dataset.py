"""Choosing rows, and one item per step."""

import numpy as np
import pytest

from bgb_assets.loading.collate import Padding
from bgb_assets.loading.dataset import Steps, select
from bgb_assets.loading.order import Ticket
from bgb_assets.runtime.errors import UsageError
from bgb_assets_tests.loading.ragged_store import build_store


def test_select_takes_the_split_and_the_condition(tmp_path):
    store = build_store(tmp_path, 10, splits=[0, 0, 1, 2, -1, 0, 1, 0, 0, 2])
    assert select(store, "train").ids.tolist() == [0, 1, 5, 7, 8]
    assert select(store, "val").ids.tolist() == [2, 6]
    assert select(store, "test", where=store.column("length") > 10**6).ids.tolist() == []
    assert len(select(store, "train").lengths) == 10


def test_samples_of_weight_zero_are_left_out(tmp_path):
    store = build_store(tmp_path, 6, splits=[0] * 6)
    store.columns["weight"] = np.array([1, 0, 1, 0, 2, 1], np.float32)
    assert select(store, "train").ids.tolist() == [0, 2, 4, 5]


def test_unknown_split_is_named(tmp_path):
    with pytest.raises(UsageError, match=r"split must be one of .* got 'validation'"):
        select(build_store(tmp_path, 3), "validation")


def test_an_item_is_one_batch_per_micro_batch(tmp_path):
    seen = []

    def read(row, draw):
        seen.append((row, draw.seed, draw.epoch, draw.copy))
        return {"x": np.full(row + 1, row)}

    item = Steps(read, Padding({"x": 0}), seed=9)[[[Ticket(1, 4, 0), Ticket(2, 4, 1)], [Ticket(0, 4, 0)]]]
    assert [batch["x"].shape for batch in item] == [(2, 3), (1, 1)]
    assert seen == [(1, 9, 4, 0), (2, 9, 4, 1), (0, 9, 4, 0)]
