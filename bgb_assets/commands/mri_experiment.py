"""`bgb experiment mri`: every outer fold with every restart, each trained once.

Belongs here: bringing folds and tokens up to date, which runs. Does not belong here: conducting runs
(`engine.experiment`), testing them (`mri_evaluate`).
"""

from typing import TYPE_CHECKING

from bgb_assets.chain import Chain
from bgb_assets.commands.context import opened_chain
from bgb_assets.commands.experiment import seconds_of, tell
from bgb_assets.commands.mri_splits import MODALITY, pin
from bgb_assets.engine.experiment import conduct
from bgb_assets.engine.fan_in import FanInRun
from bgb_assets.runtime.errors import UsageError

if TYPE_CHECKING:
    from bgb_assets.modalities.mri.learning.variants import TrainParams


def experiment(
    variant: str | None,
    folds: int,
    restarts: int,
    limit_hours: float | None,
    *,
    shuffled_labels: bool,
    as_json: bool,
) -> None:
    """Train a variant on every outer fold, as often as asked; what is there already is not trained again.

    Raises:
        UsageError: There is no such variant, not so many folds, or no scan trains.
        TrainingError: A run failed; raised after the others were tried.
    """
    limit_s = seconds_of(limit_hours)
    with opened_chain(MODALITY, workers=0) as chain:
        name = variant or chain.modality.default_variant
        runs = prepared(chain, name, folds, restarts, shuffled_labels=shuffled_labels)
        states = conduct(chain, name, runs, limit_s=limit_s)
        tell(states, len(runs), f"bgb experiment {MODALITY}", as_json=as_json)


def prepared(
    chain: Chain, variant: str, folds: int, restarts: int, *, shuffled_labels: bool = False
) -> dict[str, "TrainParams"]:
    """Pin the folds, bring the tokens up to date, and return the runs by name.

    Raises:
        UsageError: There is no such variant, not so many folds, or no scan trains.
        ConfigError: Pinned folds were dealt with other params.
    """
    from bgb_assets.modalities.mri.experiment.runs import planned

    params = params_of(chain, variant)
    dealt = len(pin(chain)["folds"])
    runs = planned(params, folds, restarts, dealt, shuffled_labels=shuffled_labels)
    FanInRun(chain, "tokens").run()
    return runs


def params_of(chain: Chain, variant: str) -> "TrainParams":
    """Return the params of a variant, with `config.toml` laid over them.

    Raises:
        UsageError: There is no such variant.
    """
    if variant not in chain.modality.variants:
        raise UsageError(f"{MODALITY}: no variant {variant!r}; there are {', '.join(chain.modality.variants)}")
    held: TrainParams = chain.modality.variants[variant]
    return held
