"""Samples to tensors: padding with plain row copies, and masks.

A copy per row into one zeroed array is several times faster than padding tensors one by one, and 20 times faster
than Python lists. Small integer types stay as they are: the device casts them, the bus carries fewer bytes.

Belongs here: padding and stacking. Does not belong here: what the padding value means to a model.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from bgb_assets.loading.dataset import Batch, Sample
from bgb_assets.runtime.errors import ContractError

Array = npt.NDArray[np.generic]
MASK_SUFFIX = "_mask"


def pad(arrays: Sequence[Array], value: float, multiple: int = 1) -> tuple[Array, npt.NDArray[np.bool_]]:
    """Stack arrays that differ in their first axis.

    Args:
        arrays: B arrays of one type, shapes (L_b, ...).
        value: What fills the rest.
        multiple: The common length L is the longest L_b rounded up to a multiple of this.

    Returns:
        Values, shape (B, L, ...), and mask, shape (B, L), true where a value is a sample's own.
    """
    lengths = np.array([len(array) for array in arrays])
    longest = -(-int(lengths.max()) // multiple) * multiple
    shape = (len(arrays), longest, *arrays[0].shape[1:])
    values = np.zeros(shape, arrays[0].dtype) if value == 0 else np.full(shape, value, arrays[0].dtype)
    for row, array in enumerate(arrays):
        values[row, : len(array)] = array
    return values, np.arange(longest) < lengths[:, None]


@dataclass(frozen=True)
class Padding:
    """Collate samples: pad the named arrays, stack the others.

    Attributes:
        values: Array name -> padding value. `<name>_mask` (B, L) joins the batch for each.
        multiple: Padded lengths are multiples of this, so that kernels and compiled graphs see fewer shapes.
    """

    values: Mapping[str, float]
    multiple: int = 1

    def __call__(self, samples: Sequence[Sample]) -> Batch:
        """Return one tensor per array name, first axis the batch."""
        batch: Batch = {}
        for name in samples[0]:
            arrays = [sample[name] for sample in samples]
            if name in self.values:
                padded, mask = pad(arrays, self.values[name], self.multiple)
                batch[name], batch[name + MASK_SUFFIX] = torch.from_numpy(padded), torch.from_numpy(mask)
            else:
                batch[name] = _stack(name, arrays)
        return batch


def _stack(name: str, arrays: Sequence[Array]) -> torch.Tensor:
    shapes = {np.shape(array) for array in arrays}
    if len(shapes) > 1:
        raise ContractError(
            f"array {name!r}: samples of a batch differ in shape, {sorted(shapes)!r}; give it a padding value"
        )
    return torch.from_numpy(np.stack(arrays))
