"""What a training run depends on, but for the model and the data.

Belongs here: the fields that every trainable model shares. A variant of a modality holds them in its field
`training`, beside those of its network. Does not belong here: what only this machine decides (`fit.Machine`).
"""

from dataclasses import dataclass, fields, replace
from typing import Literal, get_args

from bgb_assets.runtime.errors import ConfigError

_COUNTS_FROM_ONE = ("batch", "pool_batches", "cpu_threads")
_POSITIVE = ("learning_rate", "clip", "eps")

Precision = Literal["auto", "float32", "bfloat16", "float16"]


@dataclass(frozen=True)
class OneCycle:
    """A learning rate that rises to its peak and falls far below its start, both in half cosines, while momentum
    goes the other way (Smith and Topin 2018).

    Attributes:
        start_share: Share of the run over which the rate rises.
        div_factor: The peak is so many times the first rate.
        final_div_factor: The first rate is so many times the last one.
        momentum: Least and most of AdamW's first beta; the least is at the peak.
    """

    start_share: float
    div_factor: float
    final_div_factor: float
    momentum: tuple[float, float]

    def __post_init__(self) -> None:
        if not 0 <= self.start_share < 1:
            raise ConfigError(f"training.one_cycle.start_share must be from 0 to below 1, got {self.start_share!r}")
        if not (self.div_factor >= 1 and self.final_div_factor >= 1):
            raise ConfigError(
                "training.one_cycle.div_factor and final_div_factor must be at least 1, "
                f"got {self.div_factor!r} and {self.final_div_factor!r}"
            )
        if not 0 <= self.momentum[0] <= self.momentum[1] < 1:
            raise ConfigError(f"training.one_cycle.momentum must rise within 0 to 1, got {self.momentum!r}")


@dataclass(frozen=True)
class TrainingParams:
    """The training half of a variant. All counts of steps are optimiser steps.

    Attributes:
        steps: Length of the run; what `epochs` come to, where they are given.
        batch: Samples in an optimiser step, over all processes and micro-batches.
        learning_rate: The peak, reached after `warmup_steps`, then a cosine down to `final_fraction` of it.
        weight_decay: AdamW's.
        betas: AdamW's; `one_cycle` moves the first.
        clip: Largest norm of the whole gradient.
        validate_every_steps: Steps between validations; 0 for none, and then no validation split is needed.
        patience: Validations without a better score after which the run stops; 0 for never.
        micro_batch: Most samples computed at once, 0 for the whole batch. Halved when memory runs out.
        token_budget: Most padded elements in a batch, 0 for no bound.
        pool_batches: Batches are of similar length within pools of so many; 1 for no sorting.
        compile: Whether the model goes through `torch.compile`.
        cpu_threads: Threads on a CPU. Fixed, because sums depend on it in their last bits.
        eps: AdamW's.
        one_cycle: The schedule instead of warm-up and cosine, by optimiser steps that were not skipped; None for those.
        epochs: Length of the run in passes over the training samples, 0 where `steps` says it. A checkpoint is then
            written after each.
        validate_every_epochs: Epochs between validations where `epochs` are counted; 0 for none.
        precision: "auto" is bfloat16 where a GPU has it, else float32. "float16" scales the loss, and skips steps whose
            gradient overflowed.
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
    eps: float = 1e-8
    one_cycle: OneCycle | None = None
    epochs: int = 0
    validate_every_epochs: int = 0
    precision: Precision = "auto"

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name in _COUNTS_FROM_ONE and value < 1:
                raise ConfigError(f"training.{field.name} must be at least 1, got {value!r}")
            if field.name in _POSITIVE and not value > 0:
                raise ConfigError(f"training.{field.name} must be positive, got {value!r}")
            if isinstance(value, int | float) and value < 0:
                raise ConfigError(f"training.{field.name} must not be negative, got {value!r}")
        if self.steps < 1 and not self.epochs:
            raise ConfigError(f"training.steps must be at least 1, got {self.steps!r}")
        if self.precision not in get_args(Precision):
            raise ConfigError(f"training.precision must be one of {get_args(Precision)!r}, got {self.precision!r}")

    def in_steps(self, epoch_steps: int) -> "TrainingParams":
        """Return the same with `steps` and `validate_every_steps` counted out, where an epoch has so many steps."""
        if not self.epochs:
            return self
        validate = self.validate_every_epochs * epoch_steps
        return replace(self, steps=self.epochs * epoch_steps, validate_every_steps=validate)
