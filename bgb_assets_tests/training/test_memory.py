"""Out of memory is recognised, and answered with half as much at once."""

import gc
import logging
import weakref

import pytest
import torch

from bgb_assets.runtime.errors import TrainingError
from bgb_assets.training.memory import is_out_of_memory, with_smaller_batches


def test_a_real_refusal_of_the_allocator_is_recognised():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 60, dtype=torch.uint8)
    assert is_out_of_memory(caught.value)
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"))
    assert not is_out_of_memory(RuntimeError("shapes cannot be multiplied"))
    assert not is_out_of_memory(ValueError("out of memory"))


def test_halves_until_it_fits(caplog):
    asked = []

    def attempt(micro_batch):
        asked.append(micro_batch)
        if micro_batch > 3:
            raise torch.OutOfMemoryError("too large")
        return "fitted"

    with caplog.at_level(logging.WARNING):
        assert with_smaller_batches(attempt, 13) == "fitted"
    assert asked == [13, 6, 3]
    assert "out of memory with 13 samples at a time; going on with 6" in caplog.text


def test_one_sample_that_does_not_fit_is_an_error():
    def attempt(micro_batch):
        raise torch.OutOfMemoryError("too large")

    with pytest.raises(TrainingError, match="out of memory with one sample at a time"):
        with_smaller_batches(attempt, 4)


def test_other_errors_are_not_tried_again():
    calls = []

    def attempt(micro_batch):
        calls.append(micro_batch)
        raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        with_smaller_batches(attempt, 4)
    assert calls == [4]


def test_tensors_of_the_failed_attempt_are_gone_before_the_next():
    held = []

    def attempt(micro_batch):
        if held:
            gc.collect()
            return held[0]()
        tensor = torch.zeros(1000)
        held.append(weakref.ref(tensor))
        raise torch.OutOfMemoryError("too large")

    assert with_smaller_batches(attempt, 2) is None
