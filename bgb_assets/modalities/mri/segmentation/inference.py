"""The probability of lesion for each voxel of a conformed volume, by one network or the mean of several.

Belongs here: engines within a bound on memory, devices, cutting to the head where that is asked for. Does not belong
here: the engines themselves (`learning.engines`), grids (`native`). torch and numpy only.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch

from bgb_assets.modalities.mri.conform.resample import Box, Floats
from bgb_assets.modalities.mri.learning.engines import logits_of
from bgb_assets.modalities.mri.learning.memory import Choice, choose_engine
from bgb_assets.modalities.mri.learning.meshnet import MeshNet
from bgb_assets.runtime.errors import TrainingError
from bgb_assets.training.fit import resolve_device

DEFAULT_MAX_BYTES = {"cpu": 4 << 30, "cuda": 16 << 30}
"""A fixed bound, not what happens to be free: then the same scan takes the same engine, and gives the same bytes."""

_ITEMSIZE = 4

Probability: TypeAlias = Floats


@dataclass(frozen=True)
class Engine:
    """How a probability was computed.

    Attributes:
        choice: The engine and its number of slices or windows.
        device: `cpu` or `cuda`.
        fast_crop: Whether the volume was cut to the head, which is not exact.
    """

    choice: Choice
    device: str
    fast_crop: bool

    def as_json(self) -> dict[str, object]:
        """Return what is written beside a mask."""
        name, number = self.choice
        return {"name": name, "slices_or_windows": number, "device": self.device, "fast_crop": self.fast_crop}


def lesion_probability(
    networks: Sequence[MeshNet],
    image: Floats,
    *,
    max_bytes: int | None = None,
    device: str = "auto",
    crop: bool = False,
) -> tuple[Probability, Engine]:
    """Return the mean probability of lesion, (X, Y, Z), and how it was computed.

    Args:
        networks: At least one, all of one shape.
        image: A conformed volume, (X, Y, Z).
        max_bytes: What features may take; a fixed bound of the device where None.
        device: `auto`, `cpu` or `cuda`.
        crop: Whether only the box of the head is looked at, with the reach of the network around it. Not exact:
            in the background inner layers are not zero, and they are cut off here.

    Raises:
        UsageError: No engine fits into the bound.
        TrainingError: A network gives something that is no number.
    """
    used = resolve_device(device)
    box = head_box(image, sum(networks[0].shape.dilations)) if crop else tuple(slice(0, size) for size in image.shape)
    volume = np.ascontiguousarray(image[box])
    bound = max_bytes or DEFAULT_MAX_BYTES.get(used, DEFAULT_MAX_BYTES["cpu"])
    choice = choose_engine(networks[0].shape, volume.shape, _ITEMSIZE, bound)
    given = torch.from_numpy(volume)[None, None].to(used)
    mean = torch.zeros(volume.shape, dtype=torch.float32)
    for network in networks:
        logits = logits_of(network.to(used).eval(), given, choice)[0]
        mean += torch.sigmoid(logits[1] - logits[0]).cpu() / len(networks)
    if not bool(torch.isfinite(mean).all()):
        raise TrainingError("the network gives values that are not finite; train it again")
    found = np.zeros(image.shape, np.float32)
    found[box] = mean.numpy()
    return found, Engine(choice, used, crop)


def head_box(image: Floats, margin: int) -> Box:
    """Return the box of all voxels that differ from the volume's first corner, grown by a margin."""
    differs = image != image[0, 0, 0]
    box = []
    for axis in range(3):
        others = tuple(other for other in range(3) if other != axis)
        places = np.flatnonzero(differs.any(axis=others))
        low, high = (int(places[0]), int(places[-1]) + 1) if len(places) else (0, image.shape[axis])
        box.append(slice(max(0, low - margin), min(image.shape[axis], high + margin)))
    return box[0], box[1], box[2]
