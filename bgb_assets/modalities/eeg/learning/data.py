"""Windows for training and validation: what is drawn for each, what a batch holds, and its form on the device.

What costs little is drawn where a window is read: electrodes that are dropped, the mirrored order, the gain, the
start. What touches samples (conversion to float, transposition, reordering) is done on the device, so that 16 bits a
sample are all that a loader moves.

Belongs here: readers, collating, a network's input. Does not belong here: which windows an epoch has
(`windows.balance`), reading them (`windows.index`), the loss (`model`, next in the flow).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bgb_assets.loading.dataset import Batch, Sample
from bgb_assets.loading.randomness import Draw
from bgb_assets.modalities.eeg.electrodes import FLAT_POSITIONS, RATE_HZ
from bgb_assets.modalities.eeg.learning.variants import STEP_SAMPLES, Augmentation
from bgb_assets.modalities.eeg.windows.dataset import collate
from bgb_assets.modalities.eeg.windows.index import WindowIndex
from bgb_assets.runtime.errors import ContractError

POS_WEIGHT = "pos_weight"
"""The batch's scalar that says how much more a step of seizure weighs."""


@dataclass(frozen=True, eq=False)
class WindowReader:
    """Reads one window: the arrays of `WindowIndex.read` without their first axis, and `order` if it is augmented.

    `order`, int64 (channels,), names the channel that takes each one's place.

    Attributes:
        index: All windows.
        augmentation: What is changed; None for nothing.
        patients: The recordings that are also heard whole, by number, and whose each is.
    """

    index: WindowIndex
    augmentation: Augmentation | None = None
    patients: Mapping[int, str] = field(default_factory=dict)

    def __call__(self, row: int, draw: Draw) -> Sample:
        """Return a window, a pure function of its id, the draw and the stored data."""
        change = self.augmentation
        shift = None if change is None else _shift(change, draw.generator("jitter"))
        window: Sample = {name: array[0] for name, array in self.index.read([row], shift).items()}
        if change is None:
            return window
        measured: NDArray[np.bool_] = window["channel_mask"].astype(np.bool_)
        mirrored = draw.generator("mirror").random() < change.mirror
        return {
            **window,
            "channel_mask": dropped(measured, change.electrode_dropout, draw.generator("electrodes")),
            "scale": window["scale"].astype(np.float32) * np.float32(draw.generator("gain").uniform(*change.gain)),
            "order": self._mirror if mirrored else np.arange(len(measured)),
        }

    @cached_property
    def _mirror(self) -> NDArray[np.int64]:
        return mirror_order(self.index.channels)

    def __getstate__(self) -> dict[str, object]:
        return {"index": self.index, "augmentation": self.augmentation, "patients": self.patients}


@dataclass(frozen=True)
class WeightedBatch:
    """Collates windows and adds the weight of seizure, `pos_weight`, float32, a scalar.

    Attributes:
        pos_weight: That weight, from the class ratio of the training set.
    """

    pos_weight: float

    def __call__(self, samples: Sequence[Sample]) -> Batch:
        """Return one tensor per name, first axis the batch, and the weight."""
        return {**collate(samples), POS_WEIGHT: torch.tensor(self.pos_weight, dtype=torch.float32)}


def network_input(batch: Batch) -> tuple[Tensor, Tensor]:
    """Return signals (B, C, T) float32 and the mask (B, C) bool of a batch, where it lies, without waiting for it."""
    signal, mask = batch["signal"].transpose(1, 2), batch["channel_mask"].bool()
    if (order := batch.get("order")) is not None:
        signal = signal[torch.arange(len(order), device=order.device)[:, None], order]
        mask = mask.gather(1, order)
    return signal.float() * batch["scale"][:, None, None], mask


def targets(batch: Batch) -> Tensor:
    """Return the share of seizure in each step, (B, steps) float32."""
    return batch["positives"].float() / STEP_SAMPLES


def dropped(measured: NDArray[np.bool_], share: float, random: np.random.Generator) -> NDArray[np.bool_]:
    """Return a mask without some electrodes; all stay where none would."""
    left = measured & (random.random(len(measured)) >= share)
    return left if left.any() else measured


def mirror_order(channels: Sequence[str]) -> NDArray[np.int64]:
    """Return for each channel which one takes its place when left and right are swapped.

    Args:
        channels: Electrodes, or pairs such as `Fp1-F3`.

    Raises:
        ContractError: A channel has no counterpart among them.
    """
    places = {place: name for name, place in FLAT_POSITIONS.items()}
    opposite = {name: places[-x, y] for name, (x, y) in FLAT_POSITIONS.items()}
    found = ["-".join(opposite.get(part, "") for part in channel.split("-")) for channel in channels]
    if missing := [channel for channel, other in zip(channels, found, strict=True) if other not in channels]:
        raise ContractError(f"channels {missing!r} have no counterpart among {list(channels)!r}")
    return np.array([list(channels).index(other) for other in found], np.int64)


def _shift(change: Augmentation, random: np.random.Generator) -> NDArray[np.int64] | None:
    most = round(change.jitter_s * RATE_HZ)
    return random.integers(-most, most + 1, 1) if most else None
