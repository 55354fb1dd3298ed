"""The balanced data set of windows, and batches of it without a copy.

Belongs here: `BalancedSeizureDataset`, its items and batches. Does not belong here: which windows (`balance`), where
they lie (`index`), what a model makes of them.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from bgb_assets.loading.dataset import Batch, Sample
from bgb_assets.modalities.eeg.windows.balance import BalancedDraw, DrawName, Ids, Ratios, balanced_draw
from bgb_assets.modalities.eeg.windows.index import Arrays, WindowIndex
from bgb_assets.modalities.eeg.windows.windows import NO_SEIZURE, PARTIAL

_log = logging.getLogger(__name__)


class WindowBatch(Sequence[Sample]):
    """Windows read together: a sequence of samples that are views of one array for each name.

    Attributes:
        arrays: Name -> array, first axis the batch.
    """

    def __init__(self, arrays: Arrays) -> None:
        self.arrays = arrays

    def __len__(self) -> int:
        return len(self.arrays["start"])

    def __getitem__(self, item: Any) -> Any:
        return {name: array[item] for name, array in self.arrays.items()}

    def __iter__(self) -> Iterator[Sample]:
        return (self[row] for row in range(len(self)))


def collate(samples: Sequence[Sample]) -> Batch:
    """Return one tensor per name, first axis the batch; a `WindowBatch` is not copied."""
    if isinstance(samples, WindowBatch):
        return {name: torch.from_numpy(array) for name, array in samples.arrays.items()}
    return {name: torch.from_numpy(np.stack([sample[name] for sample in samples])) for name in samples[0]}


class BalancedSeizureDataset(Dataset[Sample]):
    """Windows of one split: all partial ones, and full and empty ones in proportion; knows its class ratio exactly.

    Making it reads no signal. `dataset[i]` is item i of the epoch's draw; the arrays are those of `WindowIndex.read`,
    without the first axis. `DataLoader(dataset, batch_size=64, collate_fn=collate)` reads a batch at once.

    Args:
        index: The windows.
        split: `"train"`, `"val"` or `"test"`.
        full_ratio: Full windows for each partial one.
        background_ratio: Windows without seizure for each partial one.
        seed: Of the draw.
        draw: `"sweep"` or `"reference"`, see `BalancedDraw`.

    Raises:
        NoSeizureError: No window of the split holds a seizure.
    """

    def __init__(
        self,
        index: WindowIndex,
        split: str = "train",
        full_ratio: float = 0.3,
        background_ratio: float = 2.5,
        seed: int = 42,
        draw: DrawName = "sweep",
    ) -> None:
        self.index = index
        self.split = split
        chosen = index.in_split(split)
        self.draw: BalancedDraw = balanced_draw(
            index.category, chosen, Ratios(full_ratio, background_ratio), seed, draw
        )
        if not bool((index.category[self.draw.partial[:1]] == PARTIAL).all()):
            _log.warning("[DATASET] no window of %s holds part of a seizure: full ones take their place", split)
        # Shared memory: workers that outlive an epoch see the next one.
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()  # type: ignore[no-untyped-call]
        self._held: tuple[int, Ids] = (0, self.draw.ids(0))
        _log.info("[DATASET] %s: %d windows from manifest", type(self).__name__, len(self))

    def __len__(self) -> int:
        return self.draw.counts["windows"]

    def __getitem__(self, item: int) -> Sample:
        """Return one window of the epoch.

        Raises:
            IndexError: There are not so many.
            StoreError: The recording's signal is missing or cut short.
        """
        sample: Sample = WindowBatch(self.index.read(self.ids[[item]]))[0]
        return sample

    def __getitems__(self, items: Sequence[int]) -> WindowBatch:
        """Return several windows of the epoch, read into one array."""
        return WindowBatch(self.index.read(self.ids[np.asarray(items, np.int64)]))

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose windows are given; workers that are there follow."""
        self._epoch.fill_(epoch)

    @property
    def ids(self) -> Ids:
        """Global ids of the epoch's windows, in order."""
        epoch = int(self._epoch)
        if self._held[0] != epoch:
            self._held = (epoch, self.draw.ids(epoch))
        return self._held[1]

    def label(self, item: int) -> bool:
        """Say whether an item holds a seizure, without reading its signal."""
        return bool(self.index.category[self.ids[item]] != NO_SEIZURE)

    @property
    def seizure_ratio(self) -> float:
        """Share of the windows that hold any seizure: the same in every epoch."""
        counts = self.draw.counts
        return counts["seizure"] / counts["windows"]

    @property
    def positive_sample_ratio(self) -> float:
        """Share of the epoch's samples, padding aside, that lie within a seizure."""
        counts = self.counts
        return counts["positive_samples"] / counts["valid_samples"]

    @property
    def counts(self) -> Mapping[str, int]:
        """`windows`, `seizure`, `background`, and of the epoch `positive_samples` and `valid_samples`."""
        totals = {
            "positive_samples": int(self.index.positives[self.ids].sum(dtype=np.int64)),
            "valid_samples": int(self.index.valid[self.ids].sum(dtype=np.int64)),
        }
        return {**self.draw.counts, **totals}
