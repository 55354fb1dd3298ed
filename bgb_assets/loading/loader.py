"""Carrying an order out: samplers that start at any step, and the DataLoader around them.

Map-style throughout. The samplers run in the main process and name the samples of each step; workers only read
what they are told, so that the output is the same for any number of them.

Belongs here: workers, prefetching, pinning. Does not belong here: which samples come (`order`).
"""

from collections.abc import Iterator, Sequence
from typing import Any, Literal, TypeAlias

from torch.utils.data import DataLoader

from bgb_assets.loading.dataset import Batch, Steps
from bgb_assets.loading.order import Order, SampleIndex, Ticket, micro_batches, rank_share
from bgb_assets.runtime.errors import TrainingError
from bgb_assets.runtime.memory import usable_cpus

Parts: TypeAlias = tuple[tuple[Ticket, ...], ...]
"""The micro-batches of one step."""

Workers: TypeAlias = int | Literal["auto"]
MAX_WORKERS = 8


class RoundSampler:
    """Names the samples of each step, one round per iteration, from a step on to the last.

    A round ends at every multiple of `round_steps` (where a run validates). It has no length on purpose: the first
    round after a resume is shorter, and Lightning asks for a length only once.

    Args:
        order: The order of samples.
        micro_batch: Most samples that are read and computed together.
        start: Steps already done.
        steps: Steps of the whole run.
        round_steps: Steps between two ends of a round.
        rank: This process's number among `world`.
        world: Processes that train together.
    """

    def __init__(
        self, order: Order, *, micro_batch: int, start: int, steps: int, round_steps: int, rank: int = 0, world: int = 1
    ) -> None:
        if not 0 <= rank < world <= min(order.batch, len(order.index)):
            raise TrainingError(f"a batch of {order.batch} cannot be shared by {world} processes (rank {rank})")
        self._order, self._micro_batch, self._rank, self._world = order, micro_batch, rank, world
        self._next, self._steps, self._round_steps = start, steps, round_steps

    def __iter__(self) -> Iterator[Parts]:
        end = min(self._steps, (self._next // self._round_steps + 1) * self._round_steps)
        positions = self._order.steps_from(self._next)
        for _ in range(self._next, end):
            share = rank_share(self._order.global_batch(next(positions)), self._rank, self._world)
            yield micro_batches(share, self._micro_batch)
        self._next = end


class FixedSampler:
    """Names every sample once, shortest first, the same way each time: for validation.

    Crops and masks are those of epoch 0, so that two validations differ by the model alone.
    """

    def __init__(self, index: SampleIndex, batch: int) -> None:
        ids = index.ids[index.lengths[index.ids].argsort(kind="stable")]
        self._parts = [
            (tuple(Ticket(row, 0, 0) for row in ids[low : low + batch].tolist()),) for low in range(0, len(ids), batch)
        ]

    def __len__(self) -> int:
        return len(self._parts)

    def __iter__(self) -> Iterator[Parts]:
        return iter(self._parts)


def worker_count(asked: Workers, device: str) -> int:
    """Return how many worker processes read for a device ("cpu", "cuda", "mps").

    On a CPU the batch is there sooner than a worker could hand it over: two workers were measured 5 to 7 times
    slower than none on mapped files. Beside a GPU they hide reading behind computing.
    """
    if asked != "auto":
        return asked
    return 0 if device == "cpu" else min(MAX_WORKERS, usable_cpus())


def build_loader(
    steps: Steps, sampler: RoundSampler | FixedSampler, *, workers: Workers = "auto", device: str = "cpu"
) -> "DataLoader[list[Batch]]":
    """Return a DataLoader whose items are the collated micro-batches of one step."""
    count = worker_count(workers, device)
    options: dict[str, Any] = {}
    if count:
        # Spawned: a fork of a process that has threads (torch, dagster) may hang, and Python 3.12 warns of it.
        options = {"persistent_workers": True, "prefetch_factor": 2, "multiprocessing_context": "spawn"}
    return DataLoader(
        steps,
        batch_size=None,
        sampler=sampler,
        num_workers=count,
        collate_fn=_as_is,
        pin_memory=device == "cuda",
        **options,
    )


def _as_is(item: Sequence[Batch]) -> Sequence[Batch]:
    return item
