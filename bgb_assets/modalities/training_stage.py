"""Stage model of any modality: a training run with what the engine hands to the stage.

Belongs here: the way from `FanIn` to `train_model`. Does not belong here: models (each modality's `model`), the loop
(`bgb_assets.training`). Imports what training imports, so that it runs on a machine that has nothing else.
"""

from pathlib import Path
from typing import Protocol, TypeVar

from bgb_assets.modalities.contract import FanIn, StageResult
from bgb_assets.training.run import train_model
from bgb_assets.training.spec import ModelSpec, VariantParams


class RunParams(VariantParams, Protocol):
    """What the params of every model name: the variant and the seed of the run."""

    @property
    def variant(self) -> str:
        """Name of the variant."""

    @property
    def seed(self) -> int:
        """Of weights, order, augmentation and dropout."""


P = TypeVar("P", bound=RunParams)


def train_stage(spec: ModelSpec[P], fan_in: FanIn, params: P, out: Path) -> StageResult:
    """Train one variant, going on from the newest checkpoint after a kill; publish `weights`.

    Raises:
        TrainingError: See `bgb_assets.training.fit`.
    """
    trained = train_model(
        spec,
        params,
        variant=params.variant,
        tokens=fan_in.inputs["tokens"],
        root=fan_in.root,
        work=fan_in.inputs["work"],
        out=out,
        logs=fan_in.inputs["logs"],
        seed=params.seed,
        lineage=fan_in.lineage,
    )
    return StageResult({"weights": trained.facets["model"]}, trained.metadata, observed=trained.observed)
