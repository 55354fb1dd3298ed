"""A chain of small scans whose variants train in seconds, and its runs.

Belongs here: what tests of experiments, evaluations and exports all start from.
"""

import dataclasses
from pathlib import Path

from bgb_assets.chain import Chain
from bgb_assets.commands.mri_experiment import prepared
from bgb_assets.engine.experiment import RunState, conduct
from bgb_assets.modalities.mri.learning.variants import VARIANTS, TrainParams
from bgb_assets.runtime.executor import InProcessExecutor
from bgb_assets.runtime.settings import load_settings
from bgb_assets_tests.commands.test_mri_splits import small_mri
from bgb_assets_tests.conftest import SETTLE_AT_ONCE
from bgb_assets_tests.driving import calls_through_tokens
from bgb_assets_tests.modalities.mri.growing_lesions import write_upload

SCANS = 6


def quick(name: str = "meshnet-5", **changes) -> TrainParams:
    """Return a variant of one epoch, with changes to its training."""
    held = VARIANTS[name]
    training = dataclasses.replace(held.training, **{"epochs": 1, "cpu_threads": 1, **changes})
    return dataclasses.replace(held, training=training)


def small_chain(root: Path, **variants: TrainParams) -> Chain:
    """Return a chain whose variants are those given by name, and a quick meshnet-5."""
    known = {"meshnet-5": quick(), **{held.variant: held for held in variants.values()}}
    modality = dataclasses.replace(small_mri(), variants=known, default_variant="meshnet-5")
    return Chain(modality, load_settings({"BGB_DATA_ROOT": str(root)}), InProcessExecutor())


def ingested(root: Path, numbers=range(SCANS)) -> Path:
    """Write uploads and bring them through tokens; return the data root."""
    root.mkdir(exist_ok=True)
    (root / "config.toml").write_text(SETTLE_AT_ONCE)
    for number in numbers:
        write_upload(root / "inbox/mri" / f"sub-M{number:03d}", number)
    calls_through_tokens(small_chain(root))
    return root


def trained(chain: Chain, folds: int, restarts: int, variant: str = "meshnet-5", **options) -> list[RunState]:
    """Conduct the runs of an experiment."""
    return list(conduct(chain, variant, prepared(chain, variant, folds, restarts, **options)))
