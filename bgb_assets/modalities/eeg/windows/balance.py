"""Which windows are trained on: all that hold part of a seizure, and a share of the full and of the empty ones.

Belongs here: draws, pure functions of the categories, the seed and the epoch. Does not belong here: what a window is
(`windows`), reading it (`dataset`). numpy only.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bgb_assets.loading.order import SampleIndex
from bgb_assets.modalities.eeg.windows.windows import FULL, NO_SEIZURE, PARTIAL
from bgb_assets.runtime.errors import TrainingError

Ids: TypeAlias = NDArray[np.int64]
DrawName: TypeAlias = Literal["sweep", "reference"]
DRAWS: tuple[DrawName, ...] = ("sweep", "reference")


class NoSeizureError(TrainingError):
    """No window of the split holds a seizure: there is nothing to learn."""


@dataclass(frozen=True)
class Ratios:
    """What a draw is made of, besides all partial windows.

    Attributes:
        full: Full windows for each partial one.
        background: Empty windows for each partial one.
    """

    full: float = 0.3
    background: float = 2.5

    def __post_init__(self) -> None:
        if not (0 <= self.full < np.inf and 0 <= self.background < np.inf):
            raise TrainingError(
                f"full_ratio and background_ratio must be 0 or more, got {self.full!r} and {self.background!r}"
            )


@dataclass(frozen=True, eq=False)
class BalancedDraw:
    """The windows of each epoch. As many of each kind in all of them, so that the class ratio never changes.

    `draw="reference"` gives the same windows each epoch. `draw="sweep"` begins with those and then takes the next
    block of a fixed permutation of all full and all empty windows, around its end: each is seen once before any is
    seen twice. As a call it is a `loading.order.DrawIds`.

    Attributes:
        partial: Ids of the windows of which all are taken; where no window is partial, the full ones.
        full: Ids of the full windows to draw from.
        background: Ids of the windows without seizure.
        ratios: How many of each.
        seed: Of the draw, apart from that of a run.
        draw: See above.
    """

    partial: Ids
    full: Ids
    background: Ids
    ratios: Ratios = Ratios()
    seed: int = 42
    draw: DrawName = "sweep"

    def __post_init__(self) -> None:
        if self.draw not in DRAWS:
            raise TrainingError(f"draw must be one of {DRAWS!r}, got {self.draw!r}")
        if not len(self.partial):
            raise NoSeizureError("no window holds a seizure; look at the labels with `bgb report eeg`")

    def ids(self, epoch: int) -> Ids:
        """Return the ids of an epoch in random order, int64."""
        if epoch == 0 or self.draw == "reference":
            return self._reference[0]
        blocks = [_block(order, count, epoch) for order, count in zip(self._orders, self.drawn, strict=True)]
        drawn = np.concatenate([self.partial, *blocks])
        np.random.default_rng([self.seed, 1, epoch]).shuffle(drawn)
        return drawn

    def __call__(self, index: SampleIndex, seed: int, epoch: int) -> Ids:
        """Return the ids of an epoch; what a run is given as index and seed does not matter here."""
        del index, seed
        return self.ids(epoch)

    @property
    def drawn(self) -> tuple[int, int]:
        """How many full and how many empty windows an epoch has."""
        count = len(self.partial)
        return (
            min(int(self.ratios.full * count), len(self.full)),
            min(int(self.ratios.background * count), len(self.background)),
        )

    @property
    def counts(self) -> Mapping[str, int]:
        """Windows of an epoch: `windows`, `seizure`, `background`."""
        full, background = self.drawn
        seizure = len(self.partial) + full
        return {"windows": seizure + background, "seizure": seizure, "background": background}

    @cached_property
    def _reference(self) -> tuple[Ids, Ids, Ids]:
        """The ids of epoch 0, shuffled, and which full and empty ones are among them."""
        random = np.random.default_rng(self.seed)
        full, background = (
            _choice(random, ids, count) for ids, count in zip((self.full, self.background), self.drawn, strict=True)
        )
        ids = np.concatenate([self.partial, full, background]).astype(np.int64)
        random.shuffle(ids)
        return ids, full, background

    @cached_property
    def _orders(self) -> tuple[Ids, Ids]:
        """All full and all empty windows in a fixed order that begins with those of epoch 0."""
        random = np.random.default_rng([self.seed, 1])
        _, *first = self._reference
        full, background = (
            np.concatenate([held, shuffled[~np.isin(shuffled, held)]])
            for held, shuffled in zip(first, map(random.permutation, (self.full, self.background)), strict=True)
        )
        return full, background


def balanced_draw(
    category: NDArray[np.int8],
    chosen: NDArray[np.bool_],
    ratios: Ratios = Ratios(),
    seed: int = 42,
    draw: DrawName = "sweep",
) -> BalancedDraw:
    """Return the draw over the chosen windows.

    Args:
        category: Of every window, (n,).
        chosen: Which windows may be drawn: those of one split.
        ratios: How many of each kind.
        seed: Of the draw.
        draw: `"sweep"` or `"reference"`.

    Raises:
        NoSeizureError: No chosen window holds a seizure.
    """
    kinds = [np.flatnonzero(chosen & (category == kind)) for kind in (PARTIAL, FULL, NO_SEIZURE)]
    partial, full, background = kinds
    if not len(partial):
        partial, full = full, full[:0]
    return BalancedDraw(partial, full, background, ratios, seed, draw)


def _choice(random: np.random.Generator, ids: Ids, count: int) -> Ids:
    return ids[random.choice(len(ids), count, replace=False)] if count > 0 else ids[:0]


def _block(order: Ids, count: int, number: int) -> Ids:
    """Return block `number` of `count` ids, going round the end."""
    return order[(number * count + np.arange(count)) % len(order)] if count else order[:0]
