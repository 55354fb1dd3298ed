"""What a training run depends on, but for the model and the data.

Belongs here: the fields that every trainable model shares. A variant of a modality holds them in its field
`training`, beside those of its network. Does not belong here: what only this machine decides (`fit.Machine`).
"""

from dataclasses import dataclass, fields

from bgb_assets.runtime.errors import ConfigError

_COUNTS_FROM_ONE = ("steps", "batch", "pool_batches", "cpu_threads")
_POSITIVE = ("learning_rate", "clip")


@dataclass(frozen=True)
class TrainingParams:
    """The training half of a variant. All counts of steps are optimiser steps.

    Attributes:
        steps: Length of the run.
        batch: Samples in an optimiser step, over all processes and micro-batches.
        learning_rate: The peak, reached after `warmup_steps`, then a cosine down to `final_fraction` of it.
        weight_decay: AdamW's.
        betas: AdamW's.
        clip: Largest norm of the whole gradient.
        validate_every_steps: Steps between validations; 0 for none, and then no validation split is needed.
        patience: Validations without a better score after which the run stops; 0 for never.
        micro_batch: Most samples computed at once, 0 for the whole batch. Halved when memory runs out.
        token_budget: Most padded elements in a batch, 0 for no bound.
        pool_batches: Batches are of similar length within pools of so many; 1 for no sorting.
        compile: Whether the model goes through `torch.compile`.
        cpu_threads: Threads on a CPU. Fixed, because sums depend on it in their last bits.
    """

    steps: int
    batch: int
    learning_rate: float
    warmup_steps: int = 0
    final_fraction: float = 0.1
    weight_decay: float = 0.01
    betas: tuple[float, float] = (0.9, 0.999)
    clip: float = 1.0
    validate_every_steps: int = 500
    patience: int = 0
    micro_batch: int = 0
    token_budget: int = 0
    pool_batches: int = 50
    compile: bool = False
    cpu_threads: int = 2

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name in _COUNTS_FROM_ONE and value < 1:
                raise ConfigError(f"training.{field.name} must be at least 1, got {value!r}")
            if field.name in _POSITIVE and not value > 0:
                raise ConfigError(f"training.{field.name} must be positive, got {value!r}")
            if isinstance(value, int | float) and value < 0:
                raise ConfigError(f"training.{field.name} must not be negative, got {value!r}")
