"""One optimiser step and one validation batch, as the Lightning module that the Trainer drives.

A "batch" of Lightning is a whole optimiser step here: a list of micro-batches, whose loss sums and weights are added
up before the gradient is divided by the total weight. So the gradient is that of the whole batch, however it was
cut, which Lightning's own accumulation (a mean of means) does not give. Dropout is seeded from (seed, step, part).

Belongs here: the arithmetic of a step and of a validation. Does not belong here: when to validate, save or stop
(`callbacks`, `fit`).
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any, TypeAlias, cast

import torch
from lightning.pytorch import LightningModule

from bgb_assets.loading.dataset import Batch
from bgb_assets.loading.randomness import torch_seed
from bgb_assets.runtime.errors import TrainingError
from bgb_assets.training.checkpoints import Checkpoint
from bgb_assets.training.loss_scale import LossScale
from bgb_assets.training.params import TrainingParams
from bgb_assets.training.progress import Progress, betas, learning_rate
from bgb_assets.training.spec import ModelSpec, TrainingData

_FUSED_ON = ("cpu", "cuda", "mps", "xpu")

Decayed: TypeAlias = Callable[[str, torch.nn.Parameter], bool]


class StepModule(LightningModule):
    """The model in training.

    Attributes:
        progress: Where the run stands.
        last: Loss, gradient norm (device scalars) and learning rate of the last step.
        samples: Samples trained on since this process started.
        data: What `spec.evaluate` is given; None where it is never called.
        names_at: Names of the samples of a step, for messages; None where samples have no names.
        loss_scale: That of a run in float16; None in others, and before training starts.
    """

    def __init__(
        self,
        spec: ModelSpec[Any],
        model: torch.nn.Module,
        training: TrainingParams,
        seed: int,
        resumed: Checkpoint | None,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.model = model
        self.spec, self.training_params, self.seed = spec, training, seed
        self.progress = Progress() if resumed is None else Progress(**resumed.state["progress"])
        self.last: dict[str, torch.Tensor | float] = {}
        self.samples = 0
        self.data: TrainingData | None = None
        self.names_at: Callable[[int], Sequence[str]] | None = None
        self.loss_scale: LossScale | None = None
        self._resumed = resumed
        self._first_bad = torch.tensor(-1)
        self._sums: dict[str, tuple[torch.Tensor, torch.Tensor]] = {}

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return AdamW over all parameters, fused where the device has it."""
        training = self.training_params
        return torch.optim.AdamW(
            parameter_groups(self.model, self.spec.decayed),
            lr=training.learning_rate,
            betas=training.betas,
            eps=training.eps,
            weight_decay=training.weight_decay,
            fused=self.device.type in _FUSED_ON,
        )

    @property
    def optimizer(self) -> torch.optim.Optimizer:
        """The one optimiser, as torch knows it."""
        return self.trainer.optimizers[0]

    def on_train_start(self) -> None:
        """Take weights and optimiser from the checkpoint, now that both are on the device."""
        if self.training_params.precision == "float16":
            state = None if self._resumed is None else self._resumed.state["loss_scale"]
            self.loss_scale = LossScale(self.device.type, state)
        if self._resumed is not None:
            self._resumed.restore(self.model, self.optimizer)
            self._resumed = None
        self._first_bad = self._first_bad.to(self.device)

    def training_step(self, parts: list[Batch], batch_idx: int) -> None:
        """Do one optimiser step on the micro-batches of one batch."""
        step, taken = self.progress.step, self.progress.step - self.progress.skipped
        optimizer = cast("Any", self.optimizers())
        rate, momenta = learning_rate(taken, self.training_params), betas(taken, self.training_params)
        for group in optimizer.param_groups:
            group["lr"], group["betas"] = rate, momenta
        total, weight, unit = self._accumulate(parts, step)
        skipped = self.loss_scale is not None and self.loss_scale.unscale(self.optimizer)
        norm = self._normalise_gradient(weight if unit is None else weight / unit)
        if not skipped:
            optimizer.step()
        optimizer.zero_grad()
        self._note(step, total / weight, norm, rate, skipped)

    def validation_step(self, parts: list[Batch], batch_idx: int) -> None:
        """Add up the metrics of a validation batch."""
        # Sums over a whole split need double, which Apple's GPUs lack.
        kind = torch.float32 if self.device.type == "mps" else torch.float64
        for batch in parts:
            with self._autocast():
                found = self.spec.metrics(self.model, batch)
            for name, (total, weight) in found.items():
                before = self._sums.get(name, (0.0, 0.0))
                self._sums[name] = (before[0] + total.to(kind), before[1] + weight.to(kind))

    def on_validation_epoch_end(self) -> None:
        """Turn the sums into metrics and keep score."""
        metrics = {name: float(total / weight) for name, (total, weight) in sorted(self._sums.items()) if float(weight)}
        self._sums = {}
        if self.spec.evaluate is not None and self.data is not None:
            metrics |= self.spec.evaluate(self.model, self.data)
        patience = self.training_params.patience
        self.progress = self.progress.after_validation(metrics, self.spec.monitor, self.spec.mode, patience)
        self.log_scalars({f"validation/{name}": value for name, value in metrics.items()})

    def check_finite(self) -> None:
        """Stop if a loss was not a number. Waits for the device, so it is not asked at every step.

        Raises:
            TrainingError: With the first step it happened at.
        """
        if (step := int(self._first_bad)) >= 0:
            among = f" among {', '.join(dict.fromkeys(self.names_at(step)))}" if self.names_at else ""
            raise TrainingError(
                f"the loss of step {step} is not a finite number; lower learning_rate "
                f"(got {self.training_params.learning_rate!r}), or look for damaged samples{among}"
            )

    def log_scalars(self, scalars: dict[str, float]) -> None:
        """Write scalars under the run's own step, which goes on counting after a resume."""
        if self.logger is not None:
            self.logger.log_metrics(scalars, step=self.progress.step)

    def _accumulate(self, parts: list[Batch], step: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
        """Add the parts' gradients of the summed loss.

        Returns:
            Total loss and total weight, detached, and what the gradient is already divided by, None for nothing.
        """
        totals, weights = [], []
        unit: torch.Tensor | None = None
        for number, batch in enumerate(parts):
            torch.manual_seed(torch_seed(self.seed, step, "dropout", number))
            with self._autocast():
                total, weight = self.spec.loss(self.model, batch)
            if self.loss_scale is None:
                self.manual_backward(total)
            else:
                # One divisor for all parts, so that their gradients still add up.
                unit = weight.detach().float() if unit is None else unit
                self.manual_backward(self.loss_scale.scale(total / unit))
            totals.append(total.detach().float())
            weights.append(weight.detach().float())
            self.samples += len(next(iter(batch.values())))
        return torch.stack(totals).sum(), torch.stack(weights).sum(), unit

    def _autocast(self) -> AbstractContextManager[object]:
        """Return where the model computes: Lightning sees to bfloat16, not to float16 with a scale of our own."""
        half = self.training_params.precision == "float16"
        return torch.autocast(self.device.type, torch.float16) if half else nullcontext()

    def _normalise_gradient(self, weight: torch.Tensor) -> torch.Tensor:
        """Divide the gradient by the weight and clip its norm; return the norm before clipping.

        By hand, because the division must come first, and Lightning refuses to clip for a fused optimiser.
        """
        gradients = [parameter.grad for parameter in self.model.parameters() if parameter.grad is not None]
        norm = torch.nn.utils.get_total_norm(gradients) / weight
        factor = torch.clamp(self.training_params.clip / (norm + 1e-6), max=1.0) / weight
        for gradient in gradients:
            gradient.mul_(factor)
        return norm

    def _note(self, step: int, loss: torch.Tensor, norm: torch.Tensor, rate: float, skipped: bool) -> None:
        bad = ~torch.isfinite(loss) & (self._first_bad < 0)
        self._first_bad = torch.where(bad, step, self._first_bad)
        self.last = {"loss": loss, "gradient_norm": norm, "learning_rate": rate}
        self.progress = replace(self.progress, step=step + 1, skipped=self.progress.skipped + skipped)


def parameter_groups(model: torch.nn.Module, decayed: Decayed | None) -> list[dict[str, Any]]:
    """Return the optimiser's groups: what weight decay pulls at, and what it leaves alone; none is empty.

    Args:
        model: Its parameters, tied ones once, keep their order within a group.
        decayed: Which are pulled at, by name; None for all.
    """
    named = list(model.named_parameters())
    pulled = [parameter for name, parameter in named if decayed is None or decayed(name, parameter)]
    left = [parameter for name, parameter in named if decayed is not None and not decayed(name, parameter)]
    return [group for group in ({"params": pulled}, {"params": left, "weight_decay": 0.0}) if group["params"]]
