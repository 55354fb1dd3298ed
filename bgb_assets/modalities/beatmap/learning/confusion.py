"""What a trained model takes for what: target classes against predicted classes on validation windows.

Belongs here: counting. Does not belong here: measures that decide which weights are kept (`model.metrics`), pictures
(`report_corpus`). torch and numpy only.
"""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bgb_assets.loading.dataset import Batch, Steps
from bgb_assets.loading.loader import FixedSampler
from bgb_assets.loading.order import SampleIndex
from bgb_assets.modalities.beatmap.sequences.token_classes import CONFUSION_FILE, NAMES, class_of_id
from bgb_assets.storage.digests import canonical_json
from bgb_assets.training.fit import VALIDATION_SEED, resolve_device
from bgb_assets.training.spec import TrainingData

MAX_WINDOWS = 256
"""So many validation windows are looked at, evenly spread: enough for shares of classes, seconds on a CPU."""

Predict: TypeAlias = Callable[[torch.nn.Module, Batch], tuple[Tensor, Tensor, Tensor]]
"""`predict(model, batch)` -> logits (B, L, 832), targets (B, L), which targets count (B, L)."""


def confusion(model: torch.nn.Module, data: TrainingData, predict: Predict, batch: int) -> NDArray[np.int64]:
    """Return counts (classes, classes): rows the classes of the targets, columns those of the likeliest tokens.

    Each target is predicted from the true tokens before it. Runs where the training ran, with its crops of
    validation.

    Args:
        model: In eval mode.
        data: The samples; none for validation gives zeros.
        predict: How the model is asked.
        batch: Windows that are computed together.
    """
    device = resolve_device("auto")
    table = torch.from_numpy(class_of_id()).to(device)
    counts = torch.zeros(len(NAMES) ** 2, dtype=torch.int64, device=device)
    steps = Steps(data.read_validation, data.collate, VALIDATION_SEED)
    network = model.to(device)
    with torch.inference_mode():
        for parts in FixedSampler(_spread(data.validation), batch):
            for windows in steps[parts]:
                on_device = {name: values.to(device) for name, values in windows.items()}
                logits, targets, counted = predict(network, on_device)
                pairs = table[targets[counted]] * len(NAMES) + table[logits[counted].argmax(-1)]
                counts += torch.bincount(pairs, minlength=len(counts))
    return counts.reshape(len(NAMES), len(NAMES)).cpu().numpy()


def write_confusion(out: Path, model: torch.nn.Module, data: TrainingData, predict: Predict, batch: int) -> None:
    """Write `confusion.json` beside a trained model: `{"classes", "counts", "windows", "of"}`."""
    counts = confusion(model, data, predict, batch)
    content: dict[str, Any] = {
        "classes": list(NAMES),
        "counts": counts.tolist(),
        "windows": len(_spread(data.validation)),
        "of": len(data.validation),
    }
    (out / CONFUSION_FILE).write_bytes(canonical_json(content))


def _spread(index: SampleIndex) -> SampleIndex:
    """Return at most `MAX_WINDOWS` of the samples, evenly spread."""
    chosen = np.unique(np.linspace(0, len(index) - 1, min(MAX_WINDOWS, len(index))).astype(np.int64))
    return dataclasses.replace(index, ids=index.ids[chosen])
