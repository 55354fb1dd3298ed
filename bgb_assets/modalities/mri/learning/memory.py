"""How much memory a volume takes, in training and through each engine, told before anything is allocated.

A feature tensor is what one block gives: channels x voxels. A plain backward pass holds two of each block (what batch
norm and the next convolution saw), a checkpointed one holds one; inference holds what its engine works on.

Belongs here: predictions, and what follows from them. Does not belong here: the engines (`engines`), measuring.
"""

import math
from collections.abc import Sequence
from typing import Literal, TypeAlias

import torch

from bgb_assets.modalities.mri.learning.variants import Checkpointing, Shape
from bgb_assets.runtime.errors import UsageError
from bgb_assets.runtime.memory import available_bytes

GIB = 1 << 30
PLAIN_TENSORS_PER_BLOCK, CHECKPOINTED_TENSORS_PER_BLOCK = 2, 1
IMAGE_BYTES_PER_VOXEL = 4
WORKING_TENSORS = 4
"""Feature tensors that inference holds at once: input, output, and copies of both where the convolution wants another
layout; measured, they are 3 to 4."""
SLABS = (32, 16, 8, 4, 2, 1)
"""Slices that are pushed through all layers at once, most first."""
WINDOWS = (2, 3, 4)
"""Windows along each axis."""

EngineName: TypeAlias = Literal["full", "streamed", "tiled"]
Choice: TypeAlias = tuple[EngineName, int]
"""An engine, and its slices in a slab or windows along an axis (1 for `full`)."""


def training_bytes(shape: Shape, volume: Sequence[int], itemsize: int, *, by_block: bool, batch: int = 1) -> int:
    """Return what the features of a training step take, with those of the image.

    Args:
        shape: The network.
        volume: Voxels along each axis.
        itemsize: Bytes of a feature: 2 in half precision, else 4.
        by_block: With checkpointing.
        batch: Volumes at once.
    """
    voxels = batch * math.prod(volume)
    tensors = len(shape.dilations) * (CHECKPOINTED_TENSORS_PER_BLOCK if by_block else PLAIN_TENSORS_PER_BLOCK)
    return voxels * (tensors * shape.channels * itemsize + IMAGE_BYTES_PER_VOXEL)


def computes_again(asked: Checkpointing, plain_bytes: int, free: int) -> bool:
    """Say whether features are to be computed again: as asked, or where the plain pass does not fit."""
    return asked == "block" or (asked == "auto" and plain_bytes > free)


def inference_bytes(shape: Shape, volume: Sequence[int], itemsize: int, engine: Choice) -> int:
    """Return what an engine takes for one volume, beside the weights.

    Image and logits are float32 or wider and whole in every engine; the rest is features.
    """
    name, number = engine
    plane, across = math.prod(volume[:-1]), volume[-1]
    halo = sum(shape.dilations)
    if name == "full":
        voxels = WORKING_TENSORS * math.prod(volume)
    elif name == "tiled":
        # Windows at the edge have a halo on one side only.
        voxels = WORKING_TENSORS * math.prod(
            min(axis, -(-axis // number) + min(number - 1, 2) * halo) for axis in volume
        )
    else:
        widest = 2 * max(shape.dilations) + min(number, across)
        voxels = plane * (2 * halo + WORKING_TENSORS * widest)
    whole = math.prod(volume) * max(itemsize, 4) * (1 + shape.classes)
    return voxels * shape.channels * itemsize + whole


def choose_engine(shape: Shape, volume: Sequence[int], itemsize: int, max_bytes: int) -> Choice:
    """Return the engine that does least work within a bound on memory; all give the same result.

    Raises:
        UsageError: None fits.
    """
    choices: list[Choice] = [("full", 1), *(("streamed", slices) for slices in SLABS)]
    choices += [("tiled", windows) for windows in WINDOWS]
    for choice in choices:
        if inference_bytes(shape, volume, itemsize, choice) <= max_bytes:
            return choice
    least = min(inference_bytes(shape, volume, itemsize, choice) for choice in choices)
    raise UsageError(
        f"a volume of {_by(volume)} needs {least / GIB:.2f} GiB with {shape.channels} channels, "
        f"{max_bytes / GIB:.2f} GiB are allowed; give --max-memory more, or take a narrower variant"
    )


def free_bytes(device: torch.device) -> int:
    """Return the memory of a device that nothing holds now."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return available_bytes()


def prediction(shape: Shape, volume: Sequence[int], itemsize: int, batch: int, free: int, *, by_block: bool) -> str:
    """Return the line that says before training what it will take."""
    plain, saved = (
        training_bytes(shape, volume, itemsize, by_block=again, batch=batch) / GIB for again in (False, True)
    )
    return (
        f"training on {batch} x {_by(volume)} voxels, {shape.channels} channels of {8 * itemsize} bits: "
        f"{plain:.2f} GiB of features, {saved:.2f} GiB with checkpointing, {free / GIB:.2f} GiB free; "
        f"checkpointing {'on' if by_block else 'off'}"
    )


def _by(volume: Sequence[int]) -> str:
    return " x ".join(str(axis) for axis in volume)
