"""Cubes cut from a volume: where they lie, and their part of a packed mask.

Belongs here: arithmetic on packed masks. Does not belong here: reading files (`data`). numpy only.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bgb_assets.modalities.mri.learning.variants import Patches


def patch_origin(
    bits: NDArray[np.uint8], volume: Sequence[int], patches: Patches, random: np.random.Generator
) -> tuple[int, ...]:
    """Return the first voxel of a cube within a volume.

    With a chance of `foreground_share` the cube holds a lesion voxel, each as likely, at any place inside; else it lies
    anywhere. A scan without lesion has cubes of the second kind alone.
    """
    most = np.array(volume) - patches.size
    anywhere = random.integers(0, most + 1)
    inside = random.integers(0, patches.size, 3)
    asked, voxel = random.random() < patches.foreground_share, set_bit(bits, random.random())
    if not asked or voxel is None:
        return tuple(anywhere.tolist())
    around = np.array(np.unravel_index(voxel, tuple(volume))) - inside
    return tuple(np.clip(around, 0, most).tolist())


def set_bit(bits: NDArray[np.uint8], share: float) -> int | None:
    """Return the place of one set bit, `share` in [0, 1) of the way through all of them; None where none is set."""
    upto = np.cumsum(np.bitwise_count(bits), dtype=np.int64)
    if len(upto) == 0 or upto[-1] == 0:
        return None
    rank = int(share * upto[-1])
    byte = int(np.searchsorted(upto, rank, side="right"))
    before = int(upto[byte - 1]) if byte else 0
    return 8 * byte + int(np.flatnonzero(np.unpackbits(bits[byte : byte + 1]))[rank - before])


def crop_bits(bits: NDArray[np.uint8], volume: Sequence[int], origin: Sequence[int], size: int) -> NDArray[np.uint8]:
    """Return the packed mask of a cube; unpacks the slices it lies in alone."""
    plane = int(volume[1]) * int(volume[2])
    first, last = origin[0] * plane, (origin[0] + size) * plane
    flags = np.unpackbits(bits[first // 8 : -(-last // 8)])[first % 8 :][: last - first]
    slab = flags.reshape(size, *volume[1:])
    return np.packbits(slab[:, origin[1] : origin[1] + size, origin[2] : origin[2] + size])
