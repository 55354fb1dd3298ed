"""Out of memory: the same effective batch in smaller pieces.

Belongs here: recognising it and trying again. Does not belong here: the pieces (`loading.order.micro_batches`).
"""

import gc
import logging
from collections.abc import Callable
from typing import TypeVar

import torch

from bgb_assets.runtime.errors import TrainingError

T = TypeVar("T")
_MESSAGES = ("out of memory", "can't allocate memory", "CUBLAS_STATUS_ALLOC_FAILED")
_log = logging.getLogger(__name__)


def is_out_of_memory(error: BaseException) -> bool:
    """Say whether an exception means that the device, or the machine, has no memory left."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(message in str(error) for message in _MESSAGES)


def with_smaller_batches(attempt: Callable[[int], T], micro_batch: int) -> T:
    """Call `attempt(micro_batch)`, with half of it each time memory runs out.

    The attempt must start from what is on disk: nothing of the failed one is used.

    Raises:
        TrainingError: Memory runs out with one sample at a time.
    """
    while True:
        try:
            return attempt(micro_batch)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            if micro_batch == 1:
                raise TrainingError(
                    f"out of memory with one sample at a time ({error}); shorten the samples or take a smaller variant"
                ) from error
            _log.warning("out of memory with %d samples at a time; going on with %d", micro_batch, micro_batch // 2)
        # Outside the handler: the exception's frames, which hold the step's tensors, are gone by now.
        micro_batch //= 2
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
