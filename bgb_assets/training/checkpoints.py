"""Checkpoints that survive a kill at any instant, in safetensors and JSON: reading one runs no code.

`<work>/checkpoints/step-00000400/` holds `state.safetensors` (weights, optimiser) and `state.json` (progress, data
position, digest of the tensors). It is written under another name, flushed, then renamed. The weights that scored
best lie beside it in `<work>/best-00000400.safetensors`, written before the checkpoint that names them.

No random state is kept: generators are seeded anew for each step from (seed, step), so the step is their state.
Belongs here: these files. Does not belong here: when they are written (`callbacks`).
"""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from bgb_assets.runtime.errors import TrainingError
from bgb_assets.storage.atomic import flush_file, remove_tree, temporary_directory, write_json
from bgb_assets.storage.digests import sha256_file
from bgb_assets.training.model_directory import read_weights, restore_tensors, unique_tensors, write_weights

FORMAT = 1
KEPT = 2
"""Checkpoints kept: the newest, and one more in case the disk damaged it."""

_TENSORS, _STATE = "state.safetensors", "state.json"


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """One committed checkpoint, its tensors not read yet.

    Attributes:
        directory: Where it lies.
        step: Optimiser steps done.
        state: All that is no tensor: progress, data position, micro-batch.
    """

    directory: Path
    step: int
    state: Mapping[str, Any]

    def restore(self, model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> None:
        """Copy the tensors into a model and its optimiser.

        Raises:
            TrainingError: They do not fit.
        """
        where = str(self.directory)
        tensors = read_weights(self.directory / _TENSORS)
        weights = {name[len("model.") :]: value for name, value in tensors.items() if name.startswith("model.")}
        restore_tensors(model, weights, where)
        moments: dict[int, dict[str, torch.Tensor]] = {}
        for name, value in tensors.items():
            if name.startswith("optimizer."):
                _, number, key = name.split(".", 2)
                moments.setdefault(int(number), {})[key] = value
        optimizer.load_state_dict({"state": moments, "param_groups": optimizer.state_dict()["param_groups"]})


def write_checkpoint(
    work: Path, step: int, model: torch.nn.Module, optimizer: torch.optim.Optimizer, state: Mapping[str, Any]
) -> None:
    """Commit a checkpoint, then remove all but the newest and the best weights that none of them names."""
    final = work / "checkpoints" / f"step-{step:08d}"
    tensors = {f"model.{name}": value for name, value in unique_tensors(model).items()}
    tensors.update(_optimizer_tensors(optimizer))
    with temporary_directory(work / "unfinished") as directory:
        write_weights(directory / _TENSORS, tensors)
        digest = sha256_file(directory / _TENSORS)
        write_json(directory / _STATE, {"format": FORMAT, "step": step, "digest": digest, **state})
        flush_file(directory)
        final.parent.mkdir(exist_ok=True)
        # A damaged one of the same step may be in the way; a valid one would have been resumed from.
        remove_tree(final)
        directory.rename(final)
    flush_file(final.parent)
    _remove_old(work)


def newest_checkpoint(work: Path, run: str) -> Checkpoint | None:
    """Return the newest checkpoint that is whole, or None.

    Args:
        work: The run's work directory.
        run: Digest of all that the run depends on.

    Raises:
        TrainingError: The work directory belongs to another run.
    """
    for directory in sorted(_checkpoint_directories(work), reverse=True):
        state = _read_state(directory)
        if state is None:
            continue
        if state["run"] != run:
            raise TrainingError(
                f"{work}: holds checkpoints of another run ({state['run'][:12]!r}, this is {run[:12]!r}: other params, "
                f"seed or samples); give another work directory or remove this one"
            )
        return Checkpoint(directory, int(state["step"]), state)
    return None


def best_path(work: Path, step: int) -> Path:
    """Return where the weights are kept that scored best at a step."""
    return work / f"best-{step:08d}.safetensors"


def write_best(work: Path, step: int, model: torch.nn.Module) -> None:
    """Keep the weights of a step as the best so far."""
    temporary = work / f".best.{os.getpid()}.tmp"
    write_weights(temporary, unique_tensors(model))
    temporary.replace(best_path(work, step))


def read_best(work: Path, step: int, model: torch.nn.Module) -> None:
    """Copy the best weights into a model."""
    restore_tensors(model, read_weights(best_path(work, step)), str(best_path(work, step)))


def _optimizer_tensors(optimizer: torch.optim.Optimizer) -> Iterator[tuple[str, torch.Tensor]]:
    for number, moments in optimizer.state_dict()["state"].items():
        for key, value in moments.items():
            if not isinstance(value, torch.Tensor):
                raise TrainingError(f"optimiser state {key!r} must be a tensor to be kept, got {type(value).__name__}")
            yield f"optimizer.{number}.{key}", value


def _read_state(directory: Path) -> dict[str, Any] | None:
    """Return a checkpoint's state, or None where it or its tensors are damaged: an older one is then good enough."""
    state = _read_json(directory / _STATE)
    if state is None or state.get("format") != FORMAT or not (directory / _TENSORS).is_file():
        return None
    return state if sha256_file(directory / _TENSORS) == state["digest"] else None


def _checkpoint_directories(work: Path) -> list[Path]:
    return sorted((work / "checkpoints").glob("step-*"))


def _remove_old(work: Path) -> None:
    directories = _checkpoint_directories(work)
    for directory in directories[:-KEPT]:
        remove_tree(directory)
    states = [_read_json(directory / _STATE) for directory in directories[-KEPT:]]
    named = {best_path(work, state["progress"]["best_step"]) for state in states if state is not None}
    for path in work.glob("best-*.safetensors"):
        if path not in named:
            path.unlink()


def _read_json(path: Path) -> dict[str, Any] | None:
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None
