"""Three exact ways through the network, which differ in memory and work, not in their result.

`full` takes the whole volume. `tiled` takes windows with a halo that is computed and thrown away; windows are
independent of each other. `streamed` pushes slabs of slices along the last axis through all layers: each layer holds
the last 2 x dilation slices of its input, with zeros before the first and after the last, which is what padding is;
nothing is computed twice. The last axis, because torch leaves its slow convolution only where the others are long.

Batch norm, in eval mode a factor and an offset for each channel, is folded into the convolutions first. Cutting the
volume to the head would not be exact: inner layers are not zero in the background.

Belongs here: the engines. Does not belong here: which fits (`memory`), conforming a scan or thresholds.
"""

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from bgb_assets.modalities.mri.learning.memory import Choice
from bgb_assets.modalities.mri.learning.meshnet import Block, MeshNet, wide

LAYOUT = torch.channels_last_3d
"""Of weights, and so of features: convolutions then need no copies in a layout of their own, which took more memory
than the features and half of the time."""
SLICES = 32
"""In a slab, unless told: the fewer, the less memory, and the more of the time goes into slices at the slabs' seams."""


class Layer(NamedTuple):
    """One block with its batch norm folded in: `relu(convolution)`."""

    weight: Tensor
    bias: Tensor
    dilation: int


@torch.inference_mode()
def logits_of(network: MeshNet, image: Tensor, engine: Choice) -> Tensor:
    """Return the logits (B, classes, X, Y, Z) of volumes (B, 1, X, Y, Z) by the engine that `memory` chose."""
    name, number = engine
    if name == "full":
        return full(network, image)
    return streamed(network, image, number) if name == "streamed" else tiled(network, image, (number,) * 3)


@torch.inference_mode()
def full(network: MeshNet, image: Tensor) -> Tensor:
    """Return the logits (B, classes, X, Y, Z) of volumes (B, 1, X, Y, Z), computed at once."""
    return _head(network, _through(folded(network), image))


@torch.inference_mode()
def tiled(network: MeshNet, image: Tensor, windows: Sequence[int] = (2, 2, 2), halo: int | None = None) -> Tensor:
    """Return the logits (B, classes, X, Y, Z) of volumes (B, 1, X, Y, Z), computed window by window.

    Args:
        network: The network; dropout is off and batch norm in eval mode, whatever mode it is in.
        image: The volumes.
        windows: How many along each axis; those at the edge stop there.
        halo: Voxels around a window that are computed and thrown away. With fewer than half the receptive field, which
            is the default, results are wrong near the windows' edges.
    """
    layers = folded(network)
    reach = sum(network.shape.dilations) if halo is None else halo
    logits = _empty_logits(network, image)
    for ranges in itertools.product(*map(_ranges, image.shape[2:], windows)):
        grown = [
            slice(max(0, low - reach), min(size, high + reach))
            for (low, high), size in zip(ranges, image.shape[2:], strict=True)
        ]
        inner = [slice(low - one.start, high - one.start) for (low, high), one in zip(ranges, grown, strict=True)]
        kept = _through(layers, image[:, :, *grown])[:, :, *inner]
        logits[:, :, *(slice(low, high) for low, high in ranges)] = _head(network, kept)
    return logits


@torch.inference_mode()
def streamed(network: MeshNet, image: Tensor, slices: int = SLICES) -> Tensor:
    """Return the logits (B, classes, X, Y, Z) of volumes (B, 1, X, Y, Z), computed slab by slab along Z.

    Args:
        network: As for `tiled`.
        image: The volumes; they may be shorter than the halo.
        slices: In a slab.
    """
    workspace = _Workspace()
    flows = [_Flow(layer, workspace) for layer in folded(network)]
    logits, done = _empty_logits(network, image), 0
    volume = ((0, slab) for slab in torch.split(image, slices, dim=-1))
    # When the volume has ended, the edge of each layer completes what the one before has given.
    edges = ((number, flow.edge(image)) for number, flow in enumerate(flows))
    for first, slab in itertools.chain(volume, edges):
        features = _push(flows[first:], slab)
        if features is not None:
            count = features.shape[-1]
            logits[..., done : done + count] = _head(network, features)
            done += count
    return logits


def folded(network: MeshNet) -> list[Layer]:
    """Return the blocks with batch norm's running statistics folded into weights and biases."""
    return [_folded(block) for block in network.blocks if isinstance(block, Block)]


class _Workspace:
    """Memory that all layers use in turn: pieces of many sizes, asked of the allocator, would leave gaps."""

    def __init__(self) -> None:
        self._flat = torch.empty(0)

    def joined(self, slabs: Sequence[Tensor]) -> Tensor:
        """Return slabs end to end along the last axis, in the layout of the layers, until the next call."""
        batch, channels, *plane, _ = slabs[0].shape
        depth, kind = sum(slab.shape[-1] for slab in slabs), slabs[-1].dtype
        size = batch * channels * math.prod(plane) * depth
        if self._flat.numel() < size or self._flat.dtype != kind or self._flat.device != slabs[0].device:
            self._flat = torch.empty(size, dtype=kind, device=slabs[0].device)
        whole = self._flat[:size].view(batch, *plane, depth, channels).movedim(-1, 1)
        done = 0
        for slab in slabs:
            whole[..., done : done + slab.shape[-1]] = slab
            done += slab.shape[-1]
        return whole


class _Flow:
    """One layer that is given its input slab by slab and holds what later slabs still need of it."""

    def __init__(self, layer: Layer, workspace: _Workspace) -> None:
        self.layer = layer
        self._workspace = workspace
        self._held: Tensor | None = None

    def push(self, slab: Tensor) -> Tensor | None:
        """Return the slices that this slab completes, None where there are none."""
        across = self.layer.dilation
        joined = self._workspace.joined([self.edge(slab) if self._held is None else self._held, slab])
        last = joined[..., -2 * across :]
        if self._held is None or self._held.shape != last.shape:
            self._held = torch.empty_like(last, memory_format=LAYOUT)
        self._held.copy_(last)
        if joined.shape[-1] <= 2 * across:
            return None
        return _respond(self.layer, joined, (across, across, 0))

    def edge(self, like: Tensor) -> Tensor:
        """Return the zeros before the first slice, and after the last."""
        return like.new_zeros((len(like), self.layer.weight.shape[1], *like.shape[2:4], self.layer.dilation))


def _push(flows: Sequence[_Flow], slab: Tensor) -> Tensor | None:
    features: Tensor | None = slab
    for flow in flows:
        if features is None:
            return None
        features = flow.push(features)
    return features


def _through(layers: Sequence[Layer], features: Tensor) -> Tensor:
    for layer in layers:
        features = _respond(layer, features, (layer.dilation,) * 3)
    return features


def _respond(layer: Layer, features: Tensor, padding: tuple[int, int, int]) -> Tensor:
    """Return a layer's features; in place as far as can be, so that only its input and its output are held."""
    return functional.conv3d(features, layer.weight, layer.bias, padding=padding, dilation=layer.dilation).relu_()


def _folded(block: Block) -> Layer:
    norm, convolution = block.norm, block.convolution
    if norm.running_mean is None or norm.running_var is None or convolution.bias is None:
        raise TypeError("a block's batch norm must keep running statistics, and its convolution must have a bias")
    factor = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
    bias = (convolution.bias - norm.running_mean) * factor + norm.bias
    weight = (convolution.weight * factor[:, None, None, None, None]).contiguous(memory_format=LAYOUT)
    return Layer(weight, bias, convolution.dilation[0])


def _head(network: MeshNet, features: Tensor) -> Tensor:
    """Return the logits: a product of matrices, as a convolution copies both sides into wider layouts."""
    head = network.head
    if head.bias is None:
        raise TypeError("a network's head must have a bias")
    product = torch.matmul(head.weight.flatten(1), features.flatten(2))
    return wide(product).add_(head.bias[:, None]).view(len(features), -1, *features.shape[2:])


def _empty_logits(network: MeshNet, image: Tensor) -> Tensor:
    kind = torch.promote_types(image.dtype, torch.float32)
    return image.new_empty((len(image), network.shape.classes, *image.shape[2:]), dtype=kind)


def _ranges(size: int, windows: int) -> list[tuple[int, int]]:
    """Cut an axis into windows as equal as they can be, none empty."""
    count = min(size, windows)
    edges = [size * number // count for number in range(count + 1)]
    return list(itertools.pairwise(edges))
