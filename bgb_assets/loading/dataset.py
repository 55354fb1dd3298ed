"""From a row number to a sample: a split's rows, and the map-style data set a loader's workers read from.

Belongs here: the `Reader` protocol that a modality fulfils, and choosing rows. Does not belong here: what a
modality cuts, masks or mirrors, which is its reader's.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import Dataset

from bgb_assets.loading.mapped import ShardStore
from bgb_assets.loading.order import SampleIndex, Ticket
from bgb_assets.loading.randomness import Draw
from bgb_assets.runtime.errors import UsageError

SPLITS: Mapping[str, int] = {"train": 0, "val": 1, "test": 2}

Sample: TypeAlias = Mapping[str, npt.NDArray[np.generic]]
Batch: TypeAlias = dict[str, torch.Tensor]
Collate: TypeAlias = Callable[[Sequence[Sample]], Batch]
"""Turns samples into one batch. Picklable: a module-level function or a frozen dataclass."""


class Reader(Protocol):
    """What a modality supplies: a picklable object that reads one sample."""

    def __call__(self, row: int, draw: Draw) -> Sample:
        """Return the arrays of one sample, a pure function of the row, the draw and the stored data."""


def select(store: ShardStore, split: str, where: npt.NDArray[np.bool_] | None = None) -> SampleIndex:
    """Return the samples of a split, without those of weight 0.

    Args:
        store: The samples.
        split: A name in `SPLITS`.
        where: Further condition on every row of the store.

    Raises:
        UsageError: There is no such split.
    """
    if split not in SPLITS:
        raise UsageError(f"split must be one of {tuple(SPLITS)!r}, got {split!r}")
    weights = store.column("weight").astype(np.float64)
    chosen = (store.column("split") == SPLITS[split]) & (weights > 0)
    if where is not None:
        chosen &= where
    return SampleIndex(np.flatnonzero(chosen), store.column("length").astype(np.int64), weights)


@dataclass(frozen=True, eq=False)
class Steps(Dataset[list[Batch]]):
    """Map-style data set whose item is all that one step trains on: its micro-batches, collated.

    A whole step is one item because its samples are decided together (`order`), whatever worker reads them.
    """

    read: Reader
    collate: Collate
    seed: int

    def __getitem__(self, parts: Any) -> list[Batch]:
        """Return one batch for each sequence of tickets."""
        return [self.collate([self._sample(ticket) for ticket in tickets]) for tickets in parts]

    def _sample(self, ticket: Ticket) -> Sample:
        return self.read(ticket.row, Draw(self.seed, ticket.epoch, ticket.row, ticket.copy))
