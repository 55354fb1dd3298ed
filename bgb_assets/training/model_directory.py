"""The model directory: everything inference needs, in files that loading never unpickles.

`model.safetensors` (weights), `config.json` (variant, params, vocabulary, code versions), `metrics.json`,
`model_card.md`, `run.json` (what it came from). Byte-deterministic: a function of the arguments.

Belongs here: writing, reading and checking these files. Does not belong here: what a config means, which the
modality's `build` knows.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from bgb_assets.runtime.errors import ResourceError, TrainingError
from bgb_assets.storage.atomic import flush_file, write_bytes, write_json

WEIGHTS_FILE = "model.safetensors"
CONFIG_FILE = "config.json"
METRICS_FILE = "metrics.json"
CARD_FILE = "model_card.md"
RUN_FILE = "run.json"
FORMAT = 1


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A model as it was written: in eval mode, on the CPU, with its config and metrics."""

    model: torch.nn.Module
    config: Mapping[str, Any]
    metrics: Mapping[str, Any]


def write_model_directory(
    out: Path,
    model: torch.nn.Module,
    config: Mapping[str, Any],
    metrics: Mapping[str, Any],
    card: str,
    run: Mapping[str, Any],
) -> None:
    """Write the five files into a directory.

    Args:
        out: The directory; it may hold files that the modality copied in (vocabulary, label names).
        model: Its tensors are written once each: tied weights share their first name.
        config: What `build` needs to make the network again. `format` is added.
        metrics: Finite numbers only, a function of the inputs.
        card: Markdown.
        run: Identities, params and code versions of all that the model came from.
    """
    write_weights(out / WEIGHTS_FILE, unique_tensors(model))
    write_json(out / CONFIG_FILE, {"format": FORMAT, **config})
    write_json(out / METRICS_FILE, metrics)
    write_json(out / RUN_FILE, run)
    write_bytes(out / CARD_FILE, card.rstrip("\n").encode() + b"\n")


def load_model_directory(path: Path, build: Callable[[Mapping[str, Any]], torch.nn.Module]) -> LoadedModel:
    """Read a model directory.

    Args:
        path: The directory.
        build: Makes the network from the config, with any weights.

    Raises:
        TrainingError: A file is missing or damaged, of a later format, or does not fit the network.
    """
    config = _read_json(path / CONFIG_FILE)
    if config.get("format") != FORMAT:
        raise TrainingError(f"{path / CONFIG_FILE}: format must be {FORMAT}, got {config.get('format')!r}")
    model = build(config)
    restore_tensors(model, read_weights(path / WEIGHTS_FILE), str(path / WEIGHTS_FILE))
    return LoadedModel(model.eval(), config, _read_json(path / METRICS_FILE))


def unique_tensors(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Return the model's tensors by name, those that share memory (tied weights) once, under the first name."""
    seen: set[tuple[int, torch.Size]] = set()
    tensors = {}
    for name, tensor in model.state_dict().items():
        place = (tensor.data_ptr(), tensor.shape)
        if tensor.numel() and place in seen:
            continue
        seen.add(place)
        tensors[name] = tensor
    return tensors


def restore_tensors(model: torch.nn.Module, tensors: Mapping[str, torch.Tensor], where: str) -> None:
    """Copy tensors into a model in place.

    Raises:
        TrainingError: Names or shapes are not those of the model.
    """
    own = unique_tensors(model)
    missing, unknown = sorted(own.keys() - tensors.keys()), sorted(tensors.keys() - own.keys())
    if missing or unknown:
        raise TrainingError(f"{where}: does not fit the network: missing {missing!r}, unknown {unknown!r}")
    for name, tensor in own.items():
        if tensor.shape != tensors[name].shape or tensor.dtype != tensors[name].dtype:
            raise TrainingError(
                f"{where}: tensor {name!r} must be {tensor.dtype} {tuple(tensor.shape)!r}, "
                f"got {tensors[name].dtype} {tuple(tensors[name].shape)!r}"
            )
        tensor.copy_(tensors[name])


def write_weights(path: Path, tensors: Mapping[str, torch.Tensor]) -> None:
    """Write tensors to a safetensors file and flush it to the disk.

    Raises:
        ResourceError: It cannot be written.
    """
    try:
        save_file({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, path)
    except SafetensorError as error:
        raise ResourceError(f"{path}: cannot be written ({error}); check the disk's space and permissions") from error
    flush_file(path)


def read_weights(path: Path) -> dict[str, torch.Tensor]:
    """Read a safetensors file.

    Raises:
        TrainingError: It is missing or damaged.
    """
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise TrainingError(f"{path}: weights cannot be read ({error}); train the model again") from error


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise TrainingError(f"{path}: cannot be read ({error}); train the model again") from error
    if not isinstance(value, dict):
        raise TrainingError(f"{path}: must hold a JSON object, got {type(value).__name__}")
    return value
