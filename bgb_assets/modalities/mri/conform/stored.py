"""The files of a conformed scan: `image.npy`, `mask.npy` and `volume.json`, made to be mapped.

`image.npy` is float16 (normalised values) or uint16 (intensity = lo + step * number), C order, axes (x, y, z).
`mask.npy` is the mask as bits: `np.packbits` of the raveled mask, the first voxel in the high bit of the first byte.
`volume.json` says what both mean.

Belongs here: writing and reading these files; numpy alone, as training reads them where nothing else is installed.
Does not belong here: what the values are (`resample`, `normalise`).
"""

import hashlib
import io
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bgb_assets.modalities.mri.conform.normalise import Range
from bgb_assets.modalities.mri.conform.params import Store
from bgb_assets.modalities.mri.conform.resample import Box, Floats, Support, memory_order
from bgb_assets.runtime.errors import StoreError

IMAGE_FILE = "image.npy"
MASK_FILE = "mask.npy"
VOLUME_FILE = "volume.json"

LARGEST_U16 = 65_535

Image = NDArray[Any]
Bits = NDArray[np.uint8]


def u16_step(support: Support, found: Range) -> float:
    """Return the intensity of one step of `u16`: 1 where that is exact, else the range in 65,535 steps.

    It is exact where the scan holds whole numbers of a range of at most 65,535 and none was interpolated.
    """
    whole = (
        not support.interpolated
        and np.issubdtype(support.stored.dtype, np.integer)
        and support.scaling.slope.is_integer()
        and support.scaling.inter.is_integer()
        and float(found.lo).is_integer()
        and found.hi - found.lo <= LARGEST_U16
    )
    return 1.0 if whole else (found.hi - found.lo) / LARGEST_U16


def image_array(support: Support, found: Range, store: Store) -> Image:
    """Return the whole conformed image as it is stored, padding included.

    Works tile by tile: each is read in the order it has in memory, normalised, and turned while it is copied.
    """
    step = u16_step(support, found) if store == "u16" else None
    padding = _numbers(np.zeros(1, np.float32), found, step)[0]
    dtype = np.dtype(np.uint16 if store == "u16" else np.float16)
    image = np.full(support.shape, padding, dtype) if support.padded else np.empty(support.shape, dtype)
    order, flips = memory_order(support.stored)
    source = support.stored[flips].transpose(order)
    target = image[support.box][flips].transpose(order)
    # Tiles hold the fastest axis of the scan, the last, and that of the result, z: both stay in the processor's cache.
    across = 1 if order.index(2) == 0 else 0
    for place in range(source.shape[across]):
        tile = (slice(None), place) if across else (place,)
        target[tile] = _numbers(support.scaling.values(source[tile]), found, step)
    return image


def mask_bits(lesion: NDArray[np.bool_], box: Box, shape: tuple[int, int, int]) -> Bits:
    """Return the bits of a whole mask from the box that holds its lesion."""
    mask = np.zeros(shape, np.bool_)
    mask[box] = lesion
    return np.packbits(mask)


def unpack_mask(bits: Bits, shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Return a mask of 0 and 1, (x, y, z)."""
    return np.unpackbits(bits, count=math.prod(shape)).reshape(shape)


def normalised_image(image: Image, volume: Mapping[str, Any]) -> Floats:
    """Return the normalised float32 values of a stored image or a part of it.

    Args:
        image: From `image.npy`.
        volume: The content of `volume.json`.
    """
    values = image.astype(np.float32)
    if volume["step"] is not None:
        values *= np.float32(volume["step"])
        values += np.float32(volume["lo"] - volume["centre"])
        values /= np.float32(volume["scale"])
    return values


def read_volume(directory: Path) -> dict[str, Any]:
    """Return the content of `volume.json`.

    Raises:
        StoreError: It is not there or damaged.
    """
    try:
        content: dict[str, Any] = json.loads((directory / VOLUME_FILE).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise StoreError(f"{directory / VOLUME_FILE}: cannot be read ({error}); run `bgb cache verify`") from error
    return content


def write_array(path: Path, array: NDArray[Any]) -> str:
    """Write a `.npy` file, 128 bytes of header, then the numbers, little-endian; return the SHA-256 of its bytes."""
    little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, np.lib.format.header_data_from_array_1_0(little))
    digest = hashlib.sha256(header.getvalue())
    digest.update(little.data)
    with path.open("wb") as file:
        file.write(header.getvalue())
        file.write(little.data)
    return digest.hexdigest()


def _numbers(tile: Floats, found: Range, step: float | None) -> Image:
    """Return the stored numbers of a tile of intensities."""
    if step is None:
        return found.normalised(tile).astype(np.float16)
    steps = (np.clip(tile, found.lo, found.hi).astype(np.float64) - found.lo) / step
    return np.rint(steps).astype(np.uint16)
