"""How far a run has come and which of its weights were best: plain numbers that a checkpoint holds.

Belongs here: keeping score of validations and the learning rate of a step, both pure. Does not belong here: acting
on them (`callbacks`, `step`).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from bgb_assets.runtime.errors import TrainingError
from bgb_assets.training.params import OneCycle, TrainingParams


@dataclass(frozen=True)
class Progress:
    """A run's state but for its tensors.

    Attributes:
        step: Optimiser steps done.
        best_step: The step whose weights scored best, -1 before the first validation.
        best_metrics: The validation metrics at that step.
        stale: Validations since then.
        stopped: The run has stopped early.
        skipped: Steps among those done whose gradient overflowed, so that nothing was changed.
    """

    step: int = 0
    best_step: int = -1
    best_metrics: Mapping[str, float] = field(default_factory=dict)
    stale: int = 0
    stopped: bool = False
    skipped: int = 0

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
    """Return the learning rate of the optimiser step that follows `step` done ones that were not skipped.

    Without `one_cycle`: linear warm-up over `warmup_steps`, then a half cosine that ends at `final_fraction` of the
    peak with the last step (Loshchilov and Hutter 2017, without restarts).
    """
    if training.one_cycle is not None:
        first = training.learning_rate / training.one_cycle.div_factor
        last = first / training.one_cycle.final_div_factor
        return _one_cycle(step, training, training.one_cycle, first, training.learning_rate, last)
    if step < training.warmup_steps:
        return training.learning_rate * (step + 1) / training.warmup_steps
    share = min(1.0, (step + 1 - training.warmup_steps) / max(1, training.steps - training.warmup_steps))
    cosine = 0.5 * (1.0 + math.cos(math.pi * share))
    return training.learning_rate * (training.final_fraction + (1.0 - training.final_fraction) * cosine)


def betas(step: int, training: TrainingParams) -> tuple[float, float]:
    """Return AdamW's betas of the optimiser step that follows `step` done ones that were not skipped."""
    if training.one_cycle is None:
        return training.betas
    least, most = training.one_cycle.momentum
    return _one_cycle(step, training, training.one_cycle, most, least, most), training.betas[1]


def _one_cycle(step: int, training: TrainingParams, cycle: OneCycle, first: float, peak: float, last: float) -> float:
    """Return the value at a step: `first` at step 0, `peak` where the rise ends, `last` at the last step.

    The edges are those of `torch.optim.lr_scheduler.OneCycleLR`, which divides by zero where there is no rise.
    """
    rise, end = max(0.0, cycle.start_share * training.steps - 1), training.steps - 1
    if step < rise:
        return _half_cosine(first, peak, step / rise)
    return _half_cosine(peak, last, min(1.0, (step - rise) / (end - rise)) if end > rise else 0.0)


def _half_cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) * 0.5 * (1.0 + math.cos(math.pi * share))


def _is_better(score: float, best: float, mode: str) -> bool:
    return score < best if mode == "min" else score > best
