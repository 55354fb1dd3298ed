"""What happens between steps: checkpoints, best weights, early stop, timing.

Belongs here: Lightning callbacks. Does not belong here: the files (`checkpoints`), the arithmetic (`step`).
"""

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from bgb_assets.loading.order import Order
from bgb_assets.training.checkpoints import write_best, write_checkpoint
from bgb_assets.training.step import StepModule


class Saving(Callback):
    """Commits a checkpoint every so many steps and after each round.

    At the end of a round it waits for the validation: a checkpoint from before it would make a resumed run skip it.

    Args:
        work: Where checkpoints go.
        run: Digest of all that the run depends on.
        every_steps: Steps between checkpoints.
        order: Gives the data position that is written down.
        micro_batch: The size that fits into memory, for whoever resumes.
        round_steps: Steps in a round; each ends with a validation if there is one.
    """

    def __init__(
        self, work: Path, run: str, *, every_steps: int, order: Order, micro_batch: int, round_steps: int
    ) -> None:
        self._work, self._run, self._every_steps = work, run, every_steps
        self._order, self._micro_batch, self._round_steps = order, micro_batch, round_steps
        self._last_saved = -1

    def on_train_batch_end(
        self, trainer: Trainer, module: LightningModule, outputs: Any, batch: Any, number: int
    ) -> None:
        """Save inside a round."""
        step = _own(module).progress.step
        if step % self._every_steps == 0 and step % self._round_steps:
            self._save(_own(module))

    def on_validation_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Keep the weights if they are the best, stop if nothing has got better for long."""
        own = _own(module)
        own.check_finite()
        if own.progress.best_step == own.progress.step:
            write_best(self._work, own.progress.step, own.model)
        if own.progress.stopped:
            trainer.should_stop = True

    def on_train_epoch_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Save at the end of a round, whether it validated or not."""
        self._save(_own(module))

    def _save(self, module: StepModule) -> None:
        module.check_finite()
        step = module.progress.step
        state = {
            "run": self._run,
            "progress": asdict(module.progress),
            "data": self._order.position(step)._asdict(),
            "micro_batch": self._micro_batch,
            **({} if module.loss_scale is None else {"loss_scale": module.loss_scale.state}),
        }
        write_checkpoint(self._work, step, module.model, module.optimizer, state)


class Timing(Callback):
    """Measures data time (waiting for a batch) and step time (computing it), and logs them with the loss.

    On a GPU the step time of one batch is that of launching it; over many it is the true one.
    """

    def __init__(self, log_every_steps: int) -> None:
        self._log_every_steps = log_every_steps
        self._window = [0, 0.0, 0.0, 0]
        self._mark = self._started = 0.0
        self.steps = self.samples = 0
        self.data_s = self.step_s = 0.0

    def on_train_start(self, trainer: Trainer, module: LightningModule) -> None:
        """Start the clock."""
        self._mark = time.perf_counter()

    def on_train_batch_start(self, trainer: Trainer, module: LightningModule, batch: Any, number: int) -> None:
        """Count the wait for the batch."""
        self._started = time.perf_counter()
        self.data_s += self._started - self._mark

    def on_train_batch_end(
        self, trainer: Trainer, module: LightningModule, outputs: Any, batch: Any, number: int
    ) -> None:
        """Count the step; every so many, write the means of the steps since."""
        own = _own(module)
        self._mark = time.perf_counter()
        self.step_s += self._mark - self._started
        self.steps += 1
        self.samples = own.samples
        if own.progress.step % self._log_every_steps == 0:
            own.check_finite()
            self._log(own)

    def on_validation_end(self, trainer: Trainer, module: LightningModule) -> None:
        """Leave validation out of the wait for the next batch."""
        self._mark = time.perf_counter()

    def observed(self) -> dict[str, float]:
        """Return the means over this process's steps, in seconds and samples per second."""
        steps, total_s = max(1, self.steps), max(1e-9, self.data_s + self.step_s)
        return {
            "data_time_s": self.data_s / steps,
            "step_time_s": self.step_s / steps,
            "samples_per_s": self.samples / total_s,
        }

    def _log(self, module: StepModule) -> None:
        steps, data_s, step_s, samples = self._window
        self._window = [self.steps, self.data_s, self.step_s, self.samples]
        count, seconds = self.steps - steps, self.data_s - data_s + self.step_s - step_s
        module.log_scalars(
            {
                **{f"train/{name}": float(value) for name, value in module.last.items()},
                "time/data_s": (self.data_s - data_s) / count,
                "time/step_s": (self.step_s - step_s) / count,
                "time/samples_per_s": (self.samples - samples) / max(1e-9, seconds),
            }
        )


def _own(module: LightningModule) -> StepModule:
    if not isinstance(module, StepModule):
        raise TypeError(f"these callbacks belong to a StepModule, got {type(module).__name__}")
    return module
