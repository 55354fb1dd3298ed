"""Trained models as their directories hold them: the networks, and how the volumes they saw were made.

Belongs here: what of a model's config segmentation needs, and refusing models that do not fit each other or the
volumes at hand. Does not belong here: weights and networks (`model`). Next in the flow: `segment`.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from bgb_assets.modalities.mri.conform.params import ConformParams
from bgb_assets.modalities.mri.learning.meshnet import MeshNet
from bgb_assets.modalities.mri.learning.variants import Shape
from bgb_assets.runtime.errors import TrainingError, UsageError
from bgb_assets.training.model_directory import CONFIG_FILE, WEIGHTS_FILE

FEATURES_VERSIONS = frozenset({"1"})
"""Code versions of stage features whose volumes are those that `conforming` makes."""

VOLUME_FIELDS = ("shape", "zoom_mm", "interpolation", "normalise", "store")
"""The fields of `ConformParams` that the image of a volume depends on."""


@dataclass(frozen=True, eq=False)
class TrainedModels:
    """One model or several of one variant, ready to be used together.

    Attributes:
        networks: Volumes (B, 1, X, Y, Z) -> logits (B, 2, X, Y, Z).
        conform: How the volumes they were trained on were made.
        variant: Whose networks they are.
        said_as: What identifies each in what it finds: plain JSON values.
    """

    networks: tuple[MeshNet, ...]
    conform: ConformParams
    variant: str
    said_as: tuple[Mapping[str, Any], ...]


def load_models(directories: Sequence[Path], variant: str | None = None) -> TrainedModels:
    """Read model directories that are to be used together.

    Args:
        directories: At least one.
        variant: What they must be; None takes the first one's.

    Raises:
        TrainingError: One holds no model, a damaged one, does not say how its volumes were made, or was trained on
            volumes that another version of this code made.
        UsageError: One is of another variant, or was trained on volumes made otherwise than the first one's.
    """
    if not directories:
        raise UsageError("give at least one model directory")
    models = [_load(directory) for directory in directories]
    first = models[0]
    expected = variant or first.variant
    for directory, one in zip(directories, models, strict=True):
        if one.variant != expected:
            raise UsageError(f"{directory}: variant must be {expected!r}, got {one.variant!r}; give models of one kind")
        require_conformed(volume_fields(one.conform), volume_fields(first.conform), str(directory), str(directories[0]))
    return TrainedModels(
        networks=tuple(network for one in models for network in one.networks),
        conform=first.conform,
        variant=expected,
        said_as=tuple(said for one in models for said in one.said_as),
    )


def volume_fields(params: ConformParams) -> dict[str, Any]:
    """Return what the image of a volume depends on, in JSON types."""
    held = {name: getattr(params, name) for name in VOLUME_FIELDS}
    return held | {"shape": list(params.shape)}


def require_conformed(got: Mapping[str, Any], expected: Mapping[str, Any], where: str, model: str) -> None:
    """Check that volumes were made as a model's were.

    Args:
        got: The `VOLUME_FIELDS` of the volumes at hand, such as the `grid` of a manifest.
        expected: Those of the model.
        where: What holds the volumes, for the message.
        model: The model, for the message.

    Raises:
        UsageError: They differ; the message names every difference.
    """
    differences = [
        f"{name} {got.get(name)!r}, expected {expected.get(name)!r}"
        for name in VOLUME_FIELDS
        if got.get(name) != expected.get(name)
    ]
    if differences:
        raise UsageError(
            f"{where}: volumes are not conformed as those of {model} were: got {'; '.join(differences)}; "
            "conform them alike, or use a model that was trained on such volumes"
        )


def _load(directory: Path) -> TrainedModels:
    # Only now: what it imports is for training too.
    from bgb_assets.modalities.mri.model import load

    config = _config(directory)
    network = load(directory).model
    if not isinstance(network, MeshNet):
        raise TrainingError(f"{directory}: expected a MeshNet, got {type(network).__name__}")
    weights = hashlib.sha256((directory / WEIGHTS_FILE).read_bytes()).hexdigest()
    variant, params = str(config["variant"]), config["params"]
    said = {name: params.get(name) for name in ("outer_fold", "inner_fold", "restart", "seed")}
    identity = {"variant": variant, "weights": weights, **said}
    return TrainedModels((network,), _conform_params(config, directory), variant, (identity,))


def _config(directory: Path) -> Mapping[str, Any]:
    """Return the config of a segmentation model whose volumes are made here as they were for training."""
    path = directory / CONFIG_FILE
    try:
        config: Mapping[str, Any] = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise TrainingError(f"{path}: cannot be read ({error}); name the directory of a trained model") from error
    shape = config.get("params", {}).get("shape") if isinstance(config, Mapping) else None
    wanted = sorted(field.name for field in fields(Shape))
    got = sorted(shape) if isinstance(shape, Mapping) else shape
    if got != wanted:
        raise TrainingError(
            f"{path}: params.shape must hold {wanted!r}, got {got!r}; name the directory of a model that "
            "`bgb train mri` made"
        )
    version = config.get("lineage", {}).get("features", {}).get("code_version")
    if version not in FEATURES_VERSIONS:
        raise TrainingError(
            f"{path}: trained on volumes of stage features in code version {version!r}, this bgb_assets makes them in "
            f"{', '.join(map(repr, sorted(FEATURES_VERSIONS)))}; train the model again, or use the bgb_assets that "
            "made it"
        )
    return config


def _conform_params(config: Mapping[str, Any], directory: Path) -> ConformParams:
    """Return how the volumes were made: those of the index, which settings of single uploads may have changed."""
    grid = config.get("upstream", {}).get("grid")
    if not isinstance(grid, Mapping) or sorted(grid) != sorted(VOLUME_FIELDS):
        raise TrainingError(
            f"{directory / CONFIG_FILE}: upstream.grid must hold {sorted(VOLUME_FIELDS)!r}, got {grid!r}; train the "
            "model again with this version, through the stages from features on"
        )
    return ConformParams(**{**grid, "shape": tuple(grid["shape"])})
