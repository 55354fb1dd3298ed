"""The conditions under which a run computes: what its sums depend on, and what Lightning may say meanwhile.

Belongs here: process-wide settings, put back afterwards. Does not belong here: anything about the model or the data.
"""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


@contextmanager
def reproducible(cpu_threads: int, device: str) -> Iterator[None]:
    """Fix what sums depend on while training, and put it back: threads, deterministic kernels, torch's generators."""
    threads, strict = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    memory: Any = torch.utils.deterministic  # its one setting is in no stub
    filled = memory.fill_uninitialized_memory
    with torch.random.fork_rng():
        try:
            torch.set_num_threads(cpu_threads)
            # On a GPU deterministic attention costs much speed; there only the order is exact, not the last bits.
            torch.use_deterministic_algorithms(device == "cpu")
            # Deterministic torch fills every new tensor with NaN, which no kernel here reads: 1 to 4 % of a step.
            memory.fill_uninitialized_memory = False
            yield
        finally:
            torch.set_num_threads(threads)
            torch.use_deterministic_algorithms(strict)
            memory.fill_uninitialized_memory = filled


@contextmanager
def quiet() -> Iterator[None]:
    """Keep Lightning's start-up lines and its advice that does not apply out of the logs."""
    log = logging.getLogger("lightning.pytorch")
    level = log.level
    log.setLevel(max(level, logging.WARNING))
    with warnings.catch_warnings():
        # No workers on a CPU is what was measured to be fastest (`loading.loader.worker_count`).
        warnings.filterwarnings("ignore", message=".*does not have many workers.*")
        warnings.filterwarnings("ignore", message=".*GPU available but not used.*")  # someone asked for the CPU
        warnings.filterwarnings("ignore", message=".*have no `val_dataloader`.*")  # none is wanted then
        # 2026-11, lightning 2.6 on torch 2.13: it makes a LeafSpec, which torch deprecates.
        warnings.filterwarnings("ignore", message=".*LeafSpec.*is deprecated", category=FutureWarning)
        try:
            yield
        finally:
            log.setLevel(level)
