"""Model directories of lesion segmentation as training writes them, of networks whose answer is known."""

import dataclasses
from pathlib import Path

import torch

from bgb_assets.modalities.mri.conform.params import ConformParams
from bgb_assets.modalities.mri.learning.meshnet import MeshNet
from bgb_assets.modalities.mri.learning.variants import VARIANTS, Shape
from bgb_assets.modalities.mri.segmentation.trained import FEATURES_VERSIONS, volume_fields
from bgb_assets.storage.digests import as_plain
from bgb_assets.training.model_directory import write_model_directory

SMALL = ConformParams(shape=(96, 96, 80), zoom_mm=2.5)
"""A volume that a network passes in a second or two."""
SHALLOW = Shape(channels=2, dilations=(1, 2), classes=2, dropout=0.0)
"""Quick, and of another reach than the real variants."""


def bright_voxels(level: float, shape: Shape = SHALLOW) -> MeshNet:
    """Return a network that calls lesion what is brighter than a level, exactly: it looks at one voxel."""
    network = MeshNet(shape)
    for block in network.blocks:
        torch.nn.init.zeros_(block.convolution.weight)
        block.convolution.weight.data[0, 0, 1, 1, 1] = 1.0
        block.norm.eps = 0.0
    torch.nn.init.zeros_(network.head.weight)
    network.head.weight.data[1, 0] = 20.0
    network.head.bias.data[1] = -20.0 * level
    return network


def random_network(seed: int, shape: Shape = SHALLOW) -> MeshNet:
    """Return a network of drawn weights whose probabilities lie on both sides of a half."""
    torch.manual_seed(seed)
    return MeshNet(shape)


def write_model(
    out: Path,
    network: MeshNet,
    conform: ConformParams = SMALL,
    *,
    variant: str = "meshnet-5",
    version: str = min(FEATURES_VERSIONS),
    **config,
) -> Path:
    """Write a model directory."""
    out.mkdir(parents=True)
    params = as_plain(dataclasses.replace(VARIANTS["meshnet-5"], variant=variant, shape=network.shape))
    held = {
        "variant": variant,
        "params": params,
        "seed": 42,
        "upstream": {"grid": volume_fields(conform), "split": {}},
        "lineage": {"features": {"code_version": version, "params": as_plain(conform)}},
    }
    write_model_directory(out, network, held | config, {}, "# a model", {})
    return out
