"""Training in one call: from an index of samples to a model directory.

Belongs here: what a modality's model stage, `python -m bgb_assets.training` and tests all call. Does not belong
here: the loop (`fit`), and files that only one modality has (it copies them into `out` before the call).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from bgb_assets.loading.mapped import ShardStore
from bgb_assets.storage.digests import as_plain, sha256_file, sha256_json, sha256_pairs
from bgb_assets.storage.shards import INDEX_FILE, SAMPLES_FILE
from bgb_assets.training.conditions import reproducible
from bgb_assets.training.fit import Machine, fit, resolve_device
from bgb_assets.training.model_directory import write_model_directory
from bgb_assets.training.spec import ModelSpec, P, TrainingData


@dataclass(frozen=True)
class Trained:
    """What a model stage reports of a training run.

    Attributes:
        facets: `model`: digest of all files in the model directory.
        metadata: The metrics, as in `metrics.json`.
        observed: Times, device, micro-batch.
    """

    facets: Mapping[str, str]
    metadata: Mapping[str, Any]
    observed: Mapping[str, Any]


def train_model(
    spec: ModelSpec[P],
    params: P,
    *,
    variant: str,
    tokens: Path,
    root: Path,
    work: Path,
    out: Path,
    logs: Path,
    seed: int,
    lineage: Mapping[str, Any],
    machine: Machine | None = None,
) -> Trained:
    """Train a variant and write its model directory.

    Args:
        spec: The model.
        params: The variant's params.
        variant: Its name, for `config.json`.
        tokens: Directory of `index.json`.
        root: The store root, to which the index's locations are relative.
        work: Directory of this run alone; survives a kill.
        out: The model directory. What a modality has copied in counts in the digest.
        logs: Directory for TensorBoard files.
        seed: Of weights, order, augmentation and dropout.
        lineage: Upstream stage -> params, code version and identity.
        machine: Device and intervals.

    Raises:
        TrainingError: See `fit`.
        StoreError: The index or an array cannot be read.
    """
    store = ShardStore(root, tokens)
    index = {name: sha256_file(tokens / name) for name in (INDEX_FILE, SAMPLES_FILE)}
    data = spec.data(store, params)
    fitted = fit(
        spec,
        params,
        data,
        work=work,
        logs=logs,
        seed=seed,
        content=sha256_json(index),
        machine=machine,
    )
    config = _config(variant, params, seed, store.index.upstream, lineage)
    config |= _conclude(spec, params, data, fitted.model, out, machine or Machine())
    run = {"index": index, "seed": seed, "lineage": lineage}
    write_model_directory(out, fitted.model, config, fitted.metrics, spec.card(params, fitted.metrics, lineage), run)
    files = [(path.relative_to(out).as_posix(), sha256_file(path)) for path in out.rglob("*") if path.is_file()]
    return Trained({"model": sha256_pairs(files)}, fitted.metrics, fitted.observed)


def _conclude(
    spec: ModelSpec[P], params: P, data: TrainingData, model: torch.nn.Module, out: Path, machine: Machine
) -> Mapping[str, Any]:
    """Have the modality write what else belongs into the directory, on the device that trained."""
    if spec.conclude is None:
        return {}
    device = resolve_device(machine.device)
    with reproducible(params.training.cpu_threads, device), torch.inference_mode():
        config = spec.conclude(model.to(device).eval(), data, params, out)
    model.cpu()
    return config


def _config(
    variant: str, params: Any, seed: int, upstream: Mapping[str, Any], lineage: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "variant": variant,
        "params": as_plain(params),
        "seed": seed,
        "upstream": upstream,
        "lineage": {stage: _without_identity(made) for stage, made in lineage.items()},
    }


def _without_identity(made: Any) -> Any:
    """Return what inference must know of a stage; the identity is for `run.json` alone."""
    return {name: value for name, value in made.items() if name != "identity"} if isinstance(made, Mapping) else made
