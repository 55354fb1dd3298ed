"""A tiny next-token model with dropout on a small real store: fast to train, with something to learn."""

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path

import torch

from bgb_assets.loading.collate import Padding
from bgb_assets.loading.dataset import Batch, Sample, select
from bgb_assets.loading.mapped import ShardStore
from bgb_assets.loading.order import weighted
from bgb_assets.loading.randomness import Draw
from bgb_assets.training.params import TrainingParams
from bgb_assets.training.spec import ModelSpec, Ratio, TrainingData
from bgb_assets_tests.loading.ragged_store import VOCABULARY, build_store


@dataclass(frozen=True)
class TinyParams:
    width: int = 16
    training: TrainingParams = field(
        default_factory=lambda: TrainingParams(
            steps=24,
            batch=8,
            learning_rate=3e-2,
            warmup_steps=4,
            validate_every_steps=10,
            pool_batches=3,
            micro_batch=3,
            cpu_threads=1,
        )
    )


def tiny(**training: object) -> TinyParams:
    return TinyParams(training=dataclasses.replace(TinyParams().training, **training))


@dataclass(frozen=True)
class TinyReader:
    store: ShardStore
    crop: bool

    def __call__(self, row: int, draw: Draw) -> Sample:
        tokens = self.store["tokens", row]
        start = int(draw.generator("crop").integers(max(1, len(tokens) - 8))) if self.crop else 0
        return {"tokens": tokens[start : start + 20]}


class TinyModel(torch.nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.embedding = torch.nn.Embedding(VOCABULARY, width)
        self.body = torch.nn.Sequential(torch.nn.Linear(width, width), torch.nn.GELU(), torch.nn.Dropout(0.1))
        self.head = torch.nn.Linear(width, VOCABULARY, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(self.embedding(tokens)))


def build(params: TinyParams) -> TinyModel:
    return TinyModel(params.width)


def data(store: ShardStore, params: TinyParams) -> TrainingData:
    train, validation = select(store, "train"), select(store, "val")
    collate = Padding({"tokens": 0})
    return TrainingData(train, validation, TinyReader(store, True), TinyReader(store, False), collate, weighted)


def loss(model: torch.nn.Module, batch: Batch) -> Ratio:
    tokens, mask = batch["tokens"].long(), batch["tokens_mask"][:, 1:]
    scores = model(tokens[:, :-1])
    each = torch.nn.functional.cross_entropy(scores.transpose(1, 2), tokens[:, 1:], reduction="none")
    return (each * mask).sum(), mask.sum()


def metrics(model: torch.nn.Module, batch: Batch) -> dict[str, Ratio]:
    return {"loss": loss(model, batch), "never": (torch.zeros(()), torch.zeros(()))}


SPEC: ModelSpec[TinyParams] = ModelSpec(
    build=build,
    data=data,
    loss=loss,
    metrics=metrics,
    defaults={"tiny": TinyParams()},
    card=lambda params, metrics, lineage: f"# Tiny\nwidth {params.width}",
)


def store_at(root: Path, samples: int = 60, splits: list[int] | None = None) -> ShardStore:
    return build_store(root, samples, splits=splits)
