"""Scans for training and validation: which of them, what a sample holds, and its form on the device.

A sample is the stored image, mapped and not yet cast, and the mask as one bit a voxel: 2 + 1/8 bytes a voxel are all
that a loader moves. Unpacking, the cast and what augmentation does to voxels happen on the device. A patch and an
augmentation are pure functions of (seed, epoch, upload, k), k being how often the epoch has asked for that scan: adding
an upload changes none of the others.

Belongs here: readers, a batch, a network's input. Does not belong here: the index (`tokens`), the loss (`loss`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bgb_assets.loading.dataset import Batch, Sample
from bgb_assets.loading.mapped import ShardStore
from bgb_assets.loading.order import Ids, SampleIndex
from bgb_assets.loading.randomness import Draw, generator
from bgb_assets.modalities.mri.learning.patches import crop_bits, patch_origin
from bgb_assets.modalities.mri.learning.variants import Augmentation, Patches
from bgb_assets.storage.digests import sha256_bytes

SOURCE, MASK_SOURCE = "source", "mask_source"
LOWEST, STEP = "image_lo", "image_step"
"""Columns of the index: the network sees `image_lo + image_step * stored`."""


@dataclass(frozen=True, eq=False)
class ScanReader:
    """Reads one scan, or a patch of it.

    A sample holds `image` (1, X, Y, Z) as stored, `mask` uint8 (ceil(XYZ / 8),), first voxel in the high bit, and the
    scalars `lowest` and `step`; if it is augmented also `flip`, `gain`, `shift`, `noise_sd` and `noise_seed`.

    Attributes:
        store: The index of stage tokens.
        masks: For each row, the number of its mask's source.
        patches: What is cut out; None for whole volumes.
        augmentation: What is changed; None for nothing.
    """

    store: ShardStore
    masks: NDArray[np.int64]
    patches: Patches | None = None
    augmentation: Augmentation | None = None

    def __call__(self, row: int, draw: Draw) -> Sample:
        """Return a sample, a pure function of the scan, the draw and the stored data."""
        image, bits = self._cut(row, draw)
        sample: dict[str, NDArray[np.generic]] = {
            "image": image[None],
            "mask": bits,
            "lowest": np.float32(self.store.column(LOWEST)[row]),  # type: ignore[dict-item]
            "step": np.float32(self.store.column(STEP)[row]),  # type: ignore[dict-item]
        }
        if self.augmentation is not None:
            sample |= _changes(self.augmentation, self._random(row, draw, "augmentation"))
        return sample

    def upload(self, row: int) -> str:
        """Return the key of a scan."""
        number = int(self.store.column(SOURCE)[row])
        return self.store.index.sources[number].upload

    def _cut(self, row: int, draw: Draw) -> tuple[NDArray[np.generic], NDArray[np.uint8]]:
        image = self.store.source_at(int(self.store.column(SOURCE)[row]))
        bits = self.store.source_at(int(self.masks[row])).view(np.uint8)
        if self.patches is None:
            return image, bits
        size = self.patches.size
        origin = patch_origin(bits, image.shape, self.patches, self._random(row, draw, "patch"))
        inside = tuple(slice(low, low + size) for low in origin)
        return image[inside], crop_bits(bits, image.shape, origin, size)

    def _random(self, row: int, draw: Draw, purpose: str) -> np.random.Generator:
        upload = int(sha256_bytes(self.upload(row).encode())[:16], 16)
        return generator(draw.seed, draw.epoch, upload, purpose, draw.copy)


@dataclass(frozen=True)
class RepeatedDraw:
    """Every sample so many times an epoch, shuffled: one patch each time.

    Attributes:
        times: How often.
    """

    times: int

    def __call__(self, index: SampleIndex, seed: int, epoch: int) -> Ids:
        """Return the rows of an epoch."""
        return generator(seed, epoch, 0, "order").permutation(np.repeat(index.ids, self.times))


def stack(samples: Sequence[Sample]) -> Batch:
    """Return one tensor per name, first axis the batch; the one copy between the mapped file and the device."""
    return {name: torch.from_numpy(np.stack([sample[name] for sample in samples])) for name in samples[0]}


def network_input(batch: Batch) -> tuple[Tensor, Tensor]:
    """Return images (B, 1, X, Y, Z) float32 and lesions (B, X, Y, Z) bool of a batch, where it lies."""
    stored = batch["image"]
    image = stored.float().mul_(_each(batch["step"])).add_(_each(batch["lowest"]))
    lesion = unpacked(batch["mask"], stored.shape[2:])
    if "flip" not in batch:
        return image, lesion
    flip = batch["flip"].bool()
    image = torch.where(_each(flip), image.flip(2), image)
    lesion = torch.where(flip[:, None, None, None], lesion.flip(1), lesion)
    image.mul_(_each(batch["gain"])).add_(_each(batch["shift"]))
    return _with_noise(image, batch["noise_sd"], batch["noise_seed"]), lesion


def unpacked(bits: Tensor, volume: Sequence[int]) -> Tensor:
    """Return packed masks (B, n) uint8, first voxel in the high bit, as (B, X, Y, Z) bool."""
    shifts = torch.arange(7, -1, -1, dtype=torch.uint8, device=bits.device)
    flags = bits[:, :, None].bitwise_right_shift(shifts).bitwise_and_(1).flatten(1)
    voxels = int(np.prod(volume))
    return flags[:, :voxels].reshape(len(bits), *volume).view(torch.bool)


def shuffled(masks: NDArray[np.int64], rows: Ids, seed: int) -> NDArray[np.int64]:
    """Return the masks of all rows, those of some rows dealt anew among them, so that none keeps its own."""
    dealt, circle = masks.copy(), generator(seed, 0, 0, "labels").permutation(rows)
    dealt[circle] = masks[np.roll(circle, 1)]
    return dealt


def _changes(light: Augmentation, random: np.random.Generator) -> dict[str, NDArray[np.generic]]:
    drawn = {
        "flip": np.uint8(random.random() < light.flip),
        "gain": np.float32(random.uniform(*light.gain)),
        "shift": np.float32(random.uniform(*light.shift)),
        "noise_sd": np.float32(random.uniform(0.0, light.noise_sd)),
        "noise_seed": np.int64(random.integers(1 << 62)),
    }
    return {name: np.asarray(value) for name, value in drawn.items()}


def _with_noise(image: Tensor, deviations: Tensor, seeds: Tensor) -> Tensor:
    """Add noise in place, for each volume from a generator of its own on the device."""
    for volume, deviation, seed in zip(image, deviations, seeds.tolist(), strict=True):
        random = torch.Generator(image.device).manual_seed(seed)
        volume.add_(torch.randn(volume.shape, generator=random, device=image.device) * deviation)
    return image


def _each(values: Tensor) -> Tensor:
    return values[:, None, None, None, None]
