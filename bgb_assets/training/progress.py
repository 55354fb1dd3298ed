"""How far a run has come and which of its weights were best: plain numbers that a checkpoint holds.

Belongs here: keeping score of validations and the learning rate of a step, both pure. Does not belong here: acting
on them (`callbacks`, `step`).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from bgb_assets.runtime.errors import TrainingError
from bgb_assets.training.params import TrainingParams


@dataclass(frozen=True)
class Progress:
    """A run's state but for its tensors.

    Attributes:
        step: Optimiser steps done.
        best_step: The step whose weights scored best, -1 before the first validation.
        best_metrics: The validation metrics at that step.
        stale: Validations since then.
        stopped: The run has stopped early.
    """

    step: int = 0
    best_step: int = -1
    best_metrics: Mapping[str, float] = field(default_factory=dict)
    stale: int = 0
    stopped: bool = False

    def after_validation(self, metrics: Mapping[str, float], monitor: str, mode: str, patience: int) -> "Progress":
        """Return the progress with one validation counted.

        Raises:
            TrainingError: The monitored metric is missing or not a number.
        """
        score = metrics.get(monitor, math.nan)
        if not math.isfinite(score):
            raise TrainingError(
                f"validation at step {self.step}: {monitor!r} must be a finite number, got {score!r} among "
                f"{dict(metrics)!r}; lower learning_rate, or check the validation samples"
            )
        if self.best_step < 0 or _is_better(score, self.best_metrics[monitor], mode):
            return replace(self, best_step=self.step, best_metrics=dict(metrics), stale=0)
        stale = self.stale + 1
        return replace(self, stale=stale, stopped=0 < patience <= stale)


def learning_rate(step: int, training: TrainingParams) -> float:
    """Return the learning rate of the optimiser step that follows `step` done ones.

    Linear warm-up over `warmup_steps`, then a half cosine that ends at `final_fraction` of the peak with the last
    step (Loshchilov and Hutter 2017, without restarts).
    """
    if step < training.warmup_steps:
        return training.learning_rate * (step + 1) / training.warmup_steps
    share = min(1.0, (step + 1 - training.warmup_steps) / max(1, training.steps - training.warmup_steps))
    cosine = 0.5 * (1.0 + math.cos(math.pi * share))
    return training.learning_rate * (training.final_fraction + (1.0 - training.final_fraction) * cosine)


def _is_better(score: float, best: float, mode: str) -> bool:
    return score < best if mode == "min" else score > best
