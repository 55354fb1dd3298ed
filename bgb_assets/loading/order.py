"""The order of samples: pure functions of (seed, epoch, rank, world).

A draw gives the samples of an epoch, batches are cut from it (`buckets`), rank r takes rows r::world of each. The
global order is thus the same for any number of ranks and workers, and a run resumes from one integer: the number
of batches already trained on, which `Order.position` turns into `{"epoch", "batch"}`.

Belongs here: what comes when. Does not belong here: reading it (`dataset`), carrying it out (`loader`).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from bgb_assets.loading.buckets import Batches, cut
from bgb_assets.loading.randomness import generator
from bgb_assets.runtime.errors import TrainingError

Ids: TypeAlias = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class SampleIndex:
    """The samples that one order goes over.

    Attributes:
        ids: Their rows in the index, ascending, shape (n,).
        lengths: Length of every row of the index (also of other splits), for batches of similar length.
        weights: Sampling weight of every row of the index, for weighted draws.
    """

    ids: Ids
    lengths: npt.NDArray[np.int64]
    weights: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.ids)


DrawIds: TypeAlias = Callable[[SampleIndex, int, int], Ids]
"""`draw(index, seed, epoch) -> ids`: the rows of an epoch in random order; a row may come more than once."""


class Position(NamedTuple):
    """Where a run stands: `batch` batches of `epoch` are done."""

    epoch: int
    batch: int


class Ticket(NamedTuple):
    """One look at one sample, as a loader asks for it."""

    row: int
    epoch: int
    copy: int


def uniform(index: SampleIndex, seed: int, epoch: int) -> Ids:
    """Draw every sample once, shuffled."""
    return generator(seed, epoch, 0, "order").permutation(index.ids)


def weighted(index: SampleIndex, seed: int, epoch: int) -> Ids:
    """Draw as many samples as there are, in proportion to their weights, shuffled.

    Systematic: a sample of expectation e comes floor(e) or ceil(e) times (Madow 1949), which no independent
    draws would promise.

    Raises:
        TrainingError: A weight is negative or not finite, or all are zero.
    """
    weights = index.weights[index.ids]
    total = float(weights.sum())
    if len(index) == 0:
        return index.ids
    if not np.isfinite(total) or total <= 0 or weights.min() < 0:
        raise TrainingError(f"weights must be finite, none negative, not all zero; got a sum of {total!r}")
    random = generator(seed, epoch, 0, "order")
    shuffled = random.permutation(len(index))
    edges = np.cumsum(weights[shuffled]) / total * len(index)
    marks = np.arange(len(index)) + random.random()
    # The last edge may fall short of n by rounding: the last mark then still belongs to the last sample with weight.
    taken = np.minimum(np.searchsorted(edges, marks, side="right"), np.flatnonzero(weights[shuffled])[-1])
    return random.permutation(index.ids[shuffled[taken]])


@dataclass(frozen=True, eq=False)
class Order:
    """The order of one run.

    Attributes:
        index: The samples.
        batch: Samples in a global batch; fewer only where all samples are fewer.
        seed: The run's.
        pool_batches: Batches are of similar length within pools of so many; 1 leaves the drawn order.
        token_budget: Most padded elements in a batch (samples x longest length), 0 for no bound.
        draw: The samples of an epoch.
    """

    index: SampleIndex
    batch: int
    seed: int
    pool_batches: int = 50
    token_budget: int = 0
    draw: DrawIds = uniform

    def __post_init__(self) -> None:
        if self.batch < 1 or self.pool_batches < 1 or self.token_budget < 0:
            raise TrainingError(
                f"batch and pool_batches must be at least 1 and token_budget at least 0, got {self.batch}, "
                f"{self.pool_batches} and {self.token_budget}"
            )
        if len(self.index) == 0:
            raise TrainingError("an order needs at least one sample, got none")

    def batches(self, epoch: int) -> Batches:
        """Return the global batches of an epoch. Pure; the last epochs asked for are remembered."""
        return _epoch_batches(self, epoch)

    def global_batch(self, position: Position) -> tuple[Ticket, ...]:
        """Return the samples of one global batch, shortest first where batches go by length."""
        batches = self.batches(position.epoch)
        inside = slice(int(batches.offsets[position.batch]), int(batches.offsets[position.batch + 1]))
        rows, copies = batches.rows[inside].tolist(), batches.copies[inside].tolist()
        return tuple(Ticket(row, position.epoch, copy) for row, copy in zip(rows, copies, strict=True))

    def position(self, step: int) -> Position:
        """Return where a run stands after so many batches. Without a token budget all epochs are equally long."""
        if self.token_budget == 0:
            return Position(*divmod(step, len(self.batches(0))))
        epoch = 0
        while step >= (count := len(self.batches(epoch))):
            step -= count
            epoch += 1
        return Position(epoch, step)

    def steps_from(self, step: int) -> Iterator[Position]:
        """Yield the positions from a step on, without end."""
        epoch, batch = self.position(step)
        while True:
            for number in range(batch, len(self.batches(epoch))):
                yield Position(epoch, number)
            epoch, batch = epoch + 1, 0


def rank_share(batch: tuple[Ticket, ...], rank: int, world: int) -> tuple[Ticket, ...]:
    """Return the part of a global batch that one rank trains on: rows rank::world."""
    return batch[rank::world]


def micro_batches(batch: tuple[Ticket, ...], size: int) -> tuple[tuple[Ticket, ...], ...]:
    """Cut a batch into the fewest parts of at most `size` samples, as equal as they can be, in order."""
    parts = max(1, -(-len(batch) // size))
    edges = [len(batch) * number // parts for number in range(parts + 1)]
    return tuple(batch[low:high] for low, high in pairwise(edges))


@lru_cache(maxsize=4)
def _epoch_batches(order: Order, epoch: int) -> Batches:
    ids = order.draw(order.index, order.seed, epoch)
    return cut(
        ids,
        order.index.lengths[ids],
        batch=order.batch,
        pool_batches=order.pool_batches,
        token_budget=order.token_budget,
        random=generator(order.seed, epoch, 0, "pools"),
    )
