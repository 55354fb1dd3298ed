"""Layer checkpointing: a block's features are thrown away after the forward pass and computed again for its gradient.

Computing a block twice must count once: batch norm's running statistics and its step counter are those of the first
time. Loss, gradients and statistics are then those of the plain pass, bit for bit.

Belongs here: one block computed this way. Does not belong here: whether to (`memory`), the block (`meshnet`).
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint


def checkpointed(block: nn.Module, features: Tensor) -> Tensor:
    """Return `block(features)`, of which only `features` is held for the backward pass."""

    def passes() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        return nullcontext(), frozen_statistics(block)

    result: Tensor = checkpoint(block, features, use_reentrant=False, preserve_rng_state=True, context_fn=passes)
    return result


@contextmanager
def frozen_statistics(block: nn.Module) -> Iterator[None]:
    """Have batch norms below a module update copies of their statistics, which are thrown away."""
    norms = [module for module in block.modules() if isinstance(module, _BatchNorm)]
    kept = [(norm.running_mean, norm.running_var, norm.num_batches_tracked) for norm in norms]
    for norm, statistics in zip(norms, kept, strict=True):
        _set(norm, *(None if value is None else value.clone() for value in statistics))
    try:
        yield
    finally:
        for norm, statistics in zip(norms, kept, strict=True):
            _set(norm, *statistics)


def _set(norm: _BatchNorm, mean: Tensor | None, variance: Tensor | None, batches: Tensor | None) -> None:
    norm.running_mean, norm.running_var, norm.num_batches_tracked = mean, variance, batches
