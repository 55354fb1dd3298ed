"""Fitting a model: Lightning runs the loop, a run is counted in optimiser steps, and a kill costs nothing but time.

To Lightning, one epoch is one round: the steps up to the next validation. Its own resume inside an epoch is not
used: it depends on private progress counters, needs a loader that restores itself, and may validate twice or not at
all around the resumed batch. Here the run's position is one number, the step. Samples (`loading.order`), dropout
(`step`), learning rate (`progress`) are functions of it, so that a resumed run is simply one whose first round is
shorter. On a CPU a run that was killed and resumed gives the very bytes of the unbroken one.

Belongs here: putting together model, loaders and Trainer. Does not belong here: files of the result
(`model_directory`), one-call training from an index (`run`).
"""

import math
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import torch
from lightning.pytorch import Trainer
from lightning.pytorch.loggers import TensorBoardLogger

from bgb_assets.loading.dataset import Steps
from bgb_assets.loading.loader import FixedSampler, RoundSampler, Workers, build_loader
from bgb_assets.loading.order import Order
from bgb_assets.runtime.errors import TrainingError
from bgb_assets.runtime.memory import peak_rss_bytes
from bgb_assets.storage.atomic import sweep
from bgb_assets.storage.digests import sha256_bytes, sha256_json
from bgb_assets.training.callbacks import Saving, Timing
from bgb_assets.training.checkpoints import newest_checkpoint, read_best
from bgb_assets.training.conditions import quiet, reproducible
from bgb_assets.training.memory import with_smaller_batches
from bgb_assets.training.params import TrainingParams
from bgb_assets.training.progress import Progress
from bgb_assets.training.spec import ModelSpec, P, TrainingData
from bgb_assets.training.step import StepModule

VALIDATION_SEED = 0
"""Fixed crops and masks: runs of different seeds are compared on the same validation samples."""


@dataclass(frozen=True)
class Machine:
    """What this machine decides; on one device no field changes the result, but for rounding between devices.

    Attributes:
        device: "auto" (CUDA if there is any, else CPU), "cpu", "cuda" or "mps".
        workers: Processes that read samples, "auto" for what was measured to be best.
        checkpoint_every_steps: Steps that a kill can cost.
        log_every_steps: Steps between two points of a TensorBoard curve.
    """

    device: str = "auto"
    workers: Workers = "auto"
    checkpoint_every_steps: int = 500
    log_every_steps: int = 25


@dataclass(frozen=True, eq=False)
class Fitted:
    """A trained model.

    Attributes:
        model: On the CPU, in eval mode, with the weights that scored best (the last ones without validation).
        metrics: Deterministic: validation metrics at the best step, best step, steps done.
        observed: What differs from run to run: times, device, micro-batch.
    """

    model: torch.nn.Module
    metrics: dict[str, Any]
    observed: dict[str, Any]


def fit(
    spec: ModelSpec[P],
    params: P,
    data: TrainingData,
    *,
    work: Path,
    logs: Path,
    seed: int,
    content: str = "",
    machine: Machine | None = None,
) -> Fitted:
    """Train a model, going on from the newest valid checkpoint in `work`.

    Args:
        spec: The model.
        params: The variant's params.
        data: What to train and validate on.
        work: Directory of this run alone; survives a kill.
        logs: Directory for TensorBoard files.
        seed: Of weights, order, augmentation and dropout.
        content: Digest of what the samples hold, so that a checkpoint of other data is not gone on from.
        machine: Device and intervals.

    Raises:
        TrainingError: An empty split, a loss that is no number, no memory for one sample, or a `work` directory
            of another run.
    """
    machine = machine or Machine()
    params = _counted_in_steps(params, data, seed)
    training = params.training
    _check_splits(data, training)
    run = _run_digest(params, data, seed, content)
    work.mkdir(parents=True, exist_ok=True)
    sweep(work / "unfinished")
    resumed = newest_checkpoint(work, run)
    micro_batch = resumed.state["micro_batch"] if resumed else training.micro_batch or training.batch
    job = _Job(spec, params, data, work, logs, seed, machine, run)
    with reproducible(training.cpu_threads, job.device), quiet():
        return with_smaller_batches(job.attempt, min(micro_batch, training.batch))


def resolve_device(asked: str) -> str:
    """Return the device type to train on."""
    if asked != "auto":
        return asked
    return "cuda" if torch.cuda.is_available() else "cpu"


@dataclass(frozen=True, eq=False)
class _Job:
    spec: ModelSpec[Any]
    params: Any
    data: TrainingData
    work: Path
    logs: Path
    seed: int
    machine: Machine
    run: str

    @property
    def device(self) -> str:
        return resolve_device(self.machine.device)

    @property
    def training(self) -> TrainingParams:
        training: TrainingParams = self.params.training
        return training

    @property
    def round_steps(self) -> int:
        return self.training.validate_every_steps or self.training.steps

    def attempt(self, micro_batch: int) -> Fitted:
        """Run from the newest checkpoint to the end with micro-batches of this size."""
        resumed = newest_checkpoint(self.work, self.run)
        torch.manual_seed(self.seed)
        model = self.spec.build(self.params).train()
        if self.training.compile:
            model.compile()
        module = StepModule(self.spec, model, self.training, self.seed, resumed)
        start, timing = module.progress.step, Timing(self.machine.log_every_steps)
        if start < self.training.steps and not module.progress.stopped:
            self._train(module, micro_batch, timing)
        elif resumed is not None:
            resumed.restore(model, module.configure_optimizers())
        observed = {"device": self.device, "micro_batch": micro_batch, "resumed_from_step": start, **timing.observed()}
        observed["peak_memory_bytes"] = _peak_memory_bytes(self.device)
        return self._finish(module.cpu(), observed)

    def _train(self, module: StepModule, micro_batch: int, timing: Timing) -> None:
        training, start = self.training, module.progress.step
        order = _order(self.data, training, self.seed)
        sampler = RoundSampler(
            order, micro_batch=micro_batch, start=start, steps=training.steps, round_steps=self.round_steps
        )
        saving = Saving(
            self.work,
            self.run,
            every_steps=self._checkpoint_every_steps(order),
            order=order,
            micro_batch=micro_batch,
            round_steps=self.round_steps,
        )
        module.data = self.data
        if (names := self.data.names) is not None:
            module.names_at = lambda step: names([ticket.row for ticket in order.global_batch(order.position(step))])
        rounds = math.ceil(training.steps / self.round_steps) - start // self.round_steps
        steps = Steps(self.data.read_train, self.data.collate, self.seed)
        self._trainer(rounds, start, [saving, timing]).fit(
            module,
            build_loader(steps, sampler, workers=self.machine.workers, device=self.device),
            self._validation(micro_batch),
        )

    def _checkpoint_every_steps(self, order: Order) -> int:
        asked = self.machine.checkpoint_every_steps
        return min(asked, len(order.batches(0))) if self.training.epochs else asked

    def _validation(self, micro_batch: int) -> Any:
        if not self.training.validate_every_steps:
            return None
        steps = Steps(self.data.read_validation, self.data.collate, VALIDATION_SEED)
        sampler = FixedSampler(self.data.validation, micro_batch)
        return build_loader(steps, sampler, workers=self.machine.workers, device=self.device)

    def _trainer(self, rounds: int, start: int, callbacks: list[Any]) -> Trainer:
        return Trainer(
            accelerator=self.device,
            devices=1,
            precision="bf16-mixed" if self._is_mixed() else "32-true",
            max_epochs=rounds,
            # What was written after the checkpoint, before a kill, is hidden when the run writes it again.
            logger=TensorBoardLogger(self.logs, name=None, version="", purge_step=start),
            callbacks=callbacks,
            num_sanity_val_steps=0,
            enable_checkpointing=False,
            enable_model_summary=False,
            enable_progress_bar=sys.stdout.isatty(),
            default_root_dir=self.work,
            use_distributed_sampler=False,
        )

    def _is_mixed(self) -> bool:
        """Say whether Lightning is to compute in bfloat16; float16 is the step's own (`step`)."""
        if self.training.precision == "auto":
            return self.device == "cuda" and torch.cuda.is_bf16_supported()
        return self.training.precision == "bfloat16"

    def _finish(self, module: StepModule, observed: dict[str, Any]) -> Fitted:
        progress: Progress = module.progress
        if progress.best_step >= 0:
            read_best(self.work, progress.best_step, module.model)
        metrics = {
            "validation": dict(progress.best_metrics),
            "best_step": progress.best_step if progress.best_step >= 0 else progress.step,
            "steps": progress.step,
            "stopped_early": progress.stopped,
        }
        return Fitted(module.model.eval(), metrics, observed)


def _peak_memory_bytes(device: str) -> int:
    return torch.cuda.max_memory_allocated() if device == "cuda" else peak_rss_bytes()


def _check_splits(data: TrainingData, training: TrainingParams) -> None:
    """Refuse to train on nothing, or to validate on nothing where validation is asked for."""
    advice = "ingest more uploads or change the split fractions"
    if len(data.train) == 0:
        raise TrainingError(f"split 'train' holds no sample; {advice}")
    if len(data.validation) == 0 and training.validate_every_steps:
        raise TrainingError(f"split 'val' holds no sample; {advice}, or set training.validate_every_steps to 0")


def _order(data: TrainingData, training: TrainingParams, seed: int) -> Order:
    return Order(data.train, training.batch, seed, training.pool_batches, training.token_budget, data.draw)


def _counted_in_steps(params: P, data: TrainingData, seed: int) -> P:
    """Return the params with a run's length in steps, where it is given in epochs of this data."""
    training = params.training
    if not training.epochs or not len(data.train):
        return params
    if training.token_budget:
        raise TrainingError("with a token budget epochs differ in length; give training.steps instead of epochs")
    counted = training.in_steps(len(_order(data, training, seed).batches(0)))
    replaced: P = replace(cast("Any", params), training=counted)
    return replaced


def _run_digest(params: Any, data: TrainingData, seed: int, content: str) -> str:
    """Return the digest of what makes a checkpoint's state go on meaningfully: params, seed, samples."""
    indices = (data.train, data.validation)
    samples = [sha256_bytes(part.tobytes()) for index in indices for part in (index.ids, index.lengths[index.ids])]
    return sha256_json({"params": params, "seed": seed, "content": content, "samples": samples})
