"""A trained detector as its directory holds it: the network, and all that its signals and events depend on.

Belongs here: what of a model's config detection needs. Does not belong here: weights and networks (`model`).
Next in the flow: `detect`, `streaming`.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from torch import nn

from bgb_assets.modalities.eeg.detection.postprocess import PostprocessParams
from bgb_assets.modalities.eeg.signal.params import FeatureParams
from bgb_assets.runtime.errors import TrainingError
from bgb_assets.training.model_directory import WEIGHTS_FILE

SIGNAL_STAGES = ("cache", "features")
"""What detection does anew for each recording, as it was done for training."""


@dataclass(frozen=True, eq=False)
class TrainedDetector:
    """A detector ready to be used.

    Attributes:
        network: (B, C, T) and a mask (B, C) -> logits (B, T / 16).
        features: How its signals were made.
        postprocess: How events are cut out of its timelines.
        said_as: What identifies it in what it finds: plain JSON values.
    """

    network: nn.Module
    features: FeatureParams
    postprocess: PostprocessParams
    said_as: dict[str, Any] = field(default_factory=dict)


def load_detector(directory: Path) -> TrainedDetector:
    """Read a model directory.

    Raises:
        TrainingError: It holds no detector, does not say how its signals and events were made, or was trained on
            signals that another version of this code made.
    """
    # Only now: what it imports is for training too, and a stream does without.
    from bgb_assets.modalities.eeg.model import load

    loaded = load(directory)
    lineage = loaded.config.get("lineage", {})
    said = lineage.get("features", {}).get("params")
    _require_known_code(lineage, directory)
    return TrainedDetector(
        network=loaded.model,
        features=FeatureParams(**_known(FeatureParams, said, directory, "lineage.features.params")),
        postprocess=PostprocessParams(
            **_known(PostprocessParams, loaded.config.get("postprocess"), directory, "postprocess")
        ),
        said_as={
            "variant": loaded.config.get("variant"),
            "weights": hashlib.sha256((directory / WEIGHTS_FILE).read_bytes()).hexdigest(),
        },
    )


def _require_known_code(lineage: Mapping[str, Any], directory: Path) -> None:
    """Check that signals are made here as they were for training.

    Raises:
        TrainingError: A stage that makes them has another code version, or none is named.
    """
    from bgb_assets.modalities.eeg import MODALITY

    for name in SIGNAL_STAGES:
        trained_on, ours = lineage.get(name, {}).get("code_version"), MODALITY.stage(name).code_version
        if trained_on != ours:
            raise TrainingError(
                f"{directory}/config.json: trained on signals of stage {name} in code version {trained_on!r}, this "
                f"bgb_assets makes them in version {ours!r}; train the model again, or use the bgb_assets that made it"
            )


def _known(kind: type, said: Any, directory: Path, where: str) -> dict[str, Any]:
    """Return the fields that a config holds, all of them and no others; lists become tuples."""
    names = {one.name for one in fields(kind)}
    got = sorted(said) if isinstance(said, Mapping) else said
    if got != sorted(names):
        raise TrainingError(
            f"{directory}/config.json: {where} must hold {sorted(names)!r}, got {got!r}; train the model again with "
            "this version, through the stages from raw on"
        )
    return {name: tuple(value) if isinstance(value, list) else value for name, value in said.items()}
