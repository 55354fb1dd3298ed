"""MeshNet: dilated convolutions of one width, from a volume to two logits a voxel, in its own resolution.

Nine blocks of convolution, batch norm, ReLU and dropout; dilations grow and shrink again, so that a voxel is judged by
the 123 voxels around it along each axis with a few thousand parameters (Fedorov and others 2017).

Belongs here: the network. Does not belong here: running it in little memory (`engines`), the loss (`loss`). torch only.
"""

import logging
import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from bgb_assets.modalities.mri.learning.checkpointing import checkpointed
from bgb_assets.modalities.mri.learning.memory import computes_again, free_bytes, prediction, training_bytes
from bgb_assets.modalities.mri.learning.variants import Checkpointing, Shape

KERNEL = 3
_log = logging.getLogger(__name__)


class Block(nn.Module):
    """Convolution, batch norm, ReLU, dropout: (B, I, X, Y, Z) -> (B, C, X, Y, Z).

    Args:
        inputs: Channels in.
        channels: Channels out.
        dilation: Of the convolution, and its padding.
        dropout: Share of channels that training drops.
    """

    def __init__(self, inputs: int, channels: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.convolution = nn.Conv3d(inputs, channels, KERNEL, padding=dilation, dilation=dilation)
        self.norm = nn.BatchNorm3d(channels)
        self.dropout = nn.Dropout3d(dropout)

    def forward(self, features: Tensor) -> Tensor:
        """Return the block's features."""
        # In place: batch norm holds its input for the gradient, not its output.
        dropped: Tensor = self.dropout(torch.relu_(self.norm(self.convolution(features))))
        return dropped


class MeshNet(nn.Module):
    """Volumes (B, 1, X, Y, Z) -> logits (B, classes, X, Y, Z), float32 or wider.

    Args:
        shape: Sizes.
        checkpointing: Whether training computes features again block by block to save memory.
    """

    def __init__(self, shape: Shape, checkpointing: Checkpointing = "none") -> None:
        super().__init__()
        self.shape = shape
        self.checkpointing = checkpointing
        widths = [1, *([shape.channels] * len(shape.dilations))]
        self.blocks = nn.ModuleList(
            Block(inputs, shape.channels, dilation, shape.dropout)
            for inputs, dilation in zip(widths, shape.dilations, strict=False)
        )
        self.head = nn.Conv3d(shape.channels, shape.classes, 1)
        self._by_block: dict[torch.Size, bool] = {}
        self.apply(_draw_weights)

    def forward(self, image: Tensor) -> Tensor:
        """Return the logits of each voxel."""
        again = self.training and torch.is_grad_enabled() and self._computes_again(image)
        features = image
        for block in self.blocks:
            features = checkpointed(block, features) if again else block(features)
        return wide(self.head(features))

    def _computes_again(self, image: Tensor) -> bool:
        """Decide once for each shape of a batch, and say what training will take before it takes it."""
        if image.shape not in self._by_block:
            batch, _, *volume = image.shape
            itemsize, free = _itemsize(image), free_bytes(image.device)
            plain = training_bytes(self.shape, volume, itemsize, by_block=False, batch=batch)
            again = computes_again(self.checkpointing, plain, free)
            _log.info(prediction(self.shape, volume, itemsize, batch, free, by_block=again))
            self._by_block[image.shape] = again
        return self._by_block[image.shape]


def network_of(shape: Mapping[str, Any]) -> MeshNet:
    """Return the network of the shape that a model's config holds, its weights drawn anew."""
    return MeshNet(Shape(**{**shape, "dilations": tuple(shape["dilations"])}))


def wide(logits: Tensor) -> Tensor:
    """Return logits in float32 where they are in half precision."""
    return logits.float() if logits.dtype.itemsize < 4 else logits


def parameter_count(network: nn.Module) -> int:
    """Return the number of trained numbers."""
    return sum(parameter.numel() for parameter in network.parameters())


def _itemsize(image: Tensor) -> int:
    """Return the bytes of a feature: those of the precision that is on for the device, or of the image."""
    kind = image.device.type
    return torch.get_autocast_dtype(kind).itemsize if torch.is_autocast_enabled(kind) else image.dtype.itemsize


def _draw_weights(module: nn.Module) -> None:
    if isinstance(module, nn.Conv3d):
        nn.init.xavier_normal_(module.weight, gain=math.sqrt(2))
        if module.bias is not None:
            nn.init.zeros_(module.bias)
