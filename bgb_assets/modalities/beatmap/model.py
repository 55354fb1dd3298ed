"""Stage model: trains a variant on windows of all songs and writes its model directory.

Belongs here: the network's loss and measures, the data of a run, the model card. Does not belong here: the loop
(`bgb_assets.training`), the numbers of the variants (`variants`), the use of a trained model (`generate`).
Imports torch, numpy and pyarrow only, so that training runs on a machine that has nothing else.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from bgb_assets.loading.collate import Padding
from bgb_assets.loading.dataset import Batch, select
from bgb_assets.loading.mapped import ShardStore
from bgb_assets.loading.order import weighted
from bgb_assets.modalities.beatmap.learning.confusion import write_confusion
from bgb_assets.modalities.beatmap.learning.data import BesideFrequencies, WindowReader
from bgb_assets.modalities.beatmap.learning.network import Network
from bgb_assets.modalities.beatmap.learning.variants import VARIANTS, Shape, TrainParams
from bgb_assets.modalities.beatmap.sequences import vocabulary as v
from bgb_assets.modalities.contract import FanIn, StageResult
from bgb_assets.modalities.training_stage import train_stage
from bgb_assets.runtime.errors import TrainingError
from bgb_assets.training.model_directory import LoadedModel, load_model_directory
from bgb_assets.training.spec import ModelSpec, Ratio, TrainingData

CLASSES: Mapping[str, tuple[v.Span, ...]] = {
    "bar": (v.Span(v.BAR, 1),),
    "pos": (v.POS,),
    "note": (v.NOTE,),
}
"""Token classes whose accuracy is measured; all other tokens are the class `rest`."""


def run(fan_in: FanIn, params: TrainParams, out: Path) -> StageResult:
    """Train one variant, going on from the newest checkpoint after a kill, and say what it takes for what."""
    result = train_stage(SPEC, fan_in, params, out)
    samples = data(ShardStore(fan_in.root, fan_in.inputs["tokens"]), params)
    write_confusion(out, load(out).model, samples, _predict, params.training.batch)
    return result


def build(params: TrainParams) -> Network:
    """Return the network of a variant, its weights drawn from torch's global generator."""
    return Network(params.shape, params.dropout, params.label_smoothing)


def data(store: ShardStore, params: TrainParams) -> TrainingData:
    """Return windows of songs with audio, drawn by their weight.

    Raises:
        TrainingError: The tokens were written with another vocabulary.
    """
    check_vocabulary(store.index.upstream, "the tokens")
    heard = store.column("source").astype(np.int64) >= 0
    train = select(store, "train", heard)
    return TrainingData(
        train=train,
        validation=select(store, "val", heard),
        read_train=WindowReader(store, params.window, params.augmentation),
        read_validation=BesideFrequencies(WindowReader(store, params.window), train.ids),
        collate=Padding({"tokens": v.PAD, "ticks": 0, "counted": 0, "unigram": 0}, multiple=8),
        draw=weighted,
    )


def loss(model: torch.nn.Module, batch: Batch) -> Ratio:
    """Return the sum of the smoothed losses of all targets and their number."""
    logits, targets, counted = _predict(model, batch)
    smoothing = model.label_smoothing if isinstance(model, Network) else 0.0
    return functional.cross_entropy(
        logits[counted], targets[counted], label_smoothing=smoothing, reduction="sum"
    ), counted.sum()


def metrics(model: torch.nn.Module, batch: Batch) -> Mapping[str, Ratio]:
    """Return the negative log likelihood (`loss`, never smoothed) and the accuracy of each token class.

    Beside the loss stands what guessing every token by its frequency in training would give, where the batch says it.
    """
    logits, targets, counted = _predict(model, batch)
    logits, targets = logits[counted], targets[counted]
    right = logits.argmax(-1) == targets
    measured: dict[str, Ratio] = {"loss": (functional.cross_entropy(logits, targets, reduction="sum"), counted.sum())}
    if "unigram" in batch:
        measured["unigram_loss"] = (batch["unigram"][:, 1:][counted].sum(), counted.sum())
    rest = torch.ones_like(right)
    for name, spans in CLASSES.items():
        chosen = _in_spans(targets, spans)
        rest &= ~chosen
        measured[f"{name}_accuracy"] = ((right & chosen).sum(), chosen.sum())
    measured["rest_accuracy"] = ((right & rest).sum(), rest.sum())
    return measured


def card(params: TrainParams, measured: Mapping[str, Any], lineage: Mapping[str, Any]) -> str:
    """Return the model card, in Markdown."""
    shape = params.shape
    lines = [
        f"# Beatmap model, variant {params.variant}",
        "",
        "Writes Beat Saber maps for songs: an encoder over mel frames on the song's beats, a decoder over map tokens.",
        f"Width {shape.width}, {shape.heads} heads, {shape.encoder_blocks} encoder and {shape.decoder_blocks} decoder "
        f"blocks; windows of {params.window.bars} bars; {params.training.steps} steps of {params.training.batch}, "
        f"the weights of step {measured.get('best_step', params.training.steps)}.",
        "",
        "| validation | value |",
        "|---|---|",
        *(f"| {name} | {value:.4g} |" for name, value in sorted(measured.get("validation", {}).items())),
        "",
        "`loss` is the negative log likelihood per token in nats, `unigram_loss` that of guessing each token by its",
        "frequency in training; accuracies are per token class, given the human tokens before. None says how a map",
        "plays: `bgb generate` prints what it measured of the map.",
        "",
        f"Made from the stages {', '.join(sorted(lineage)) or 'of an index alone'}; `run.json` names their entries.",
    ]
    return "\n".join(lines) + "\n"


def check_vocabulary(upstream: Mapping[str, Any], what: str) -> None:
    """Refuse tokens or a model of another vocabulary.

    Raises:
        TrainingError: Names both digests.
    """
    held = upstream.get("vocabulary")
    if held != v.digest():
        raise TrainingError(f"{what} have vocabulary {held!r}, this version has {v.digest()!r}; make them again")


def load(directory: Path) -> LoadedModel:
    """Return a trained model, ready to generate.

    Raises:
        TrainingError: The directory is no model of this vocabulary.
    """
    loaded = load_model_directory(directory, lambda config: Network(Shape(**config["params"]["shape"])))
    check_vocabulary(loaded.config.get("upstream", {}), f"the model in {directory}")
    return loaded


def _predict(model: torch.nn.Module, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
    """Return logits (B, L - 1, 832), the tokens they should predict and which of them count."""
    tokens = batch["tokens"].long()
    logits = model(batch["mel"].float(), tokens[:, :-1], batch["ticks"][:, :-1])
    return logits, tokens[:, 1:], batch["counted"][:, 1:].bool()


def _in_spans(targets: Tensor, spans: tuple[v.Span, ...]) -> Tensor:
    chosen = torch.zeros_like(targets, dtype=torch.bool)
    for span in spans:
        chosen |= (targets >= span.start) & (targets < span.stop)
    return chosen


SPEC = ModelSpec(build=build, data=data, loss=loss, metrics=metrics, defaults=VARIANTS, card=card)
