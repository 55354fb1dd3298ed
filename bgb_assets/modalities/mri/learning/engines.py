"""Three exact ways through the network, which differ in memory and work, not in their result.

`full` takes the whole volume. `tiled` takes windows with a halo that is computed and thrown away; windows are
independent of each other. `streamed` pushes slabs of slices through all layers: each layer holds the last 2 x dilation
slices of its input, with zeros before the first and after the last, which is what padding is; nothing is computed
twice.

Batch norm, in eval mode a factor and an offset for each channel, is folded into the convolutions first. Cutting the
volume to the head would not be exact: inner layers are not zero in the background.

Belongs here: the engines. Does not belong here: which fits (`memory`), conforming a scan or thresholds.
"""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from bgb_assets.modalities.mri.learning.memory import Choice
from bgb_assets.modalities.mri.learning.meshnet import Block, MeshNet, wide

SLICES = 16
"""In a slab, unless told: few enough that a slab's features stay small beside what the layers hold."""


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
    """Return the logits (B, classes, X, Y, Z) of volumes (B, 1, X, Y, Z), computed slab by slab along X.

    Args:
        network: As for `tiled`.
        image: The volumes; they may be shorter than the halo.
        slices: In a slab.
    """
    flows = [_Flow(layer) for layer in folded(network)]
    logits, done = _empty_logits(network, image), 0
    for first, slab in _slabs(flows, image, slices):
        given = _push(flows[first:], slab)
        if given is not None:
            count = given.shape[2]
            logits[:, :, done : done + count] = _head(network, given)
            done += count
    return logits


def folded(network: MeshNet) -> list[Layer]:
    """Return the blocks with batch norm's running statistics folded into weights and biases."""
    return [_folded(block) for block in network.blocks if isinstance(block, Block)]


class _Flow:
    """One layer that is given its input slab by slab and holds what later slabs still need of it."""

    def __init__(self, layer: Layer) -> None:
        self.layer = layer
        self._held: Tensor | None = None

    def push(self, slab: Tensor) -> Tensor | None:
        """Return the slices that this slab completes, None where there are none."""
        across = self.layer.dilation
        joined = torch.cat([self.edge(slab) if self._held is None else self._held, slab], dim=2)
        # A copy: a view would hold the whole slab.
        self._held = joined[:, :, -2 * across :].clone()
        if joined.shape[2] <= 2 * across:
            return None
        return _respond(self.layer, joined, (0, across, across))

    def edge(self, like: Tensor) -> Tensor:
        """Return the zeros before the first slice, and after the last."""
        shape = list(like.shape)
        shape[1:3] = [self.layer.weight.shape[1], self.layer.dilation]
        return like.new_zeros(shape)


def _slabs(flows: Sequence[_Flow], image: Tensor, slices: int) -> "itertools.chain[tuple[int, Tensor]]":
    """Yield each slab and the number of the layer it goes into: the volume's, then each layer's edge in order."""
    volume = ((0, slab) for slab in torch.split(image, slices, dim=2))
    return itertools.chain(volume, ((number, flow.edge(image)) for number, flow in enumerate(flows)))


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
    return Layer(convolution.weight * factor[:, None, None, None, None], bias, convolution.dilation[0])


def _head(network: MeshNet, features: Tensor) -> Tensor:
    return wide(network.head(features))


def _empty_logits(network: MeshNet, image: Tensor) -> Tensor:
    kind = torch.promote_types(image.dtype, torch.float32)
    return image.new_empty((len(image), network.shape.classes, *image.shape[2:]), dtype=kind)


def _ranges(size: int, windows: int) -> list[tuple[int, int]]:
    """Cut an axis into windows as equal as they can be, none empty."""
    count = min(size, windows)
    edges = [size * number // count for number in range(count + 1)]
    return list(itertools.pairwise(edges))
