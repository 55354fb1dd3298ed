"""The model stage that all modalities share: where it reads, works and writes, and what it publishes."""

import dataclasses
import json
from pathlib import Path

from bgb_assets.modalities.contract import FanIn
from bgb_assets.modalities.training_stage import train_stage
from bgb_assets_tests.training.tiny import SPEC, TinyParams, store_at, tiny


@dataclasses.dataclass(frozen=True)
class NamedParams(TinyParams):
    variant: str = "named"
    seed: int = 3


def run(root: Path, out: Path, seed: int = 3):
    inputs = {"tokens": root / "index", "work": root / f"work{seed}", "logs": root / "logs"}
    fan_in = FanIn((), inputs, {}, {}, root / "pins", root, {"tokens": {"code_version": "1", "params": {}}})
    out.mkdir()
    training = tiny(steps=6, validate_every_steps=3).training
    return train_stage(SPEC, fan_in, NamedParams(training=training, seed=seed), out)


def test_a_run_is_made_of_what_the_engine_hands_over(tmp_path):
    store_at(tmp_path)
    result = run(tmp_path, tmp_path / "model")
    assert json.loads((tmp_path / "model/config.json").read_text())["variant"] == "named"
    assert "tokens" in json.loads((tmp_path / "model/run.json").read_text())["lineage"]
    assert result.metadata == json.loads((tmp_path / "model/metrics.json").read_text())
    assert list((tmp_path / "logs").rglob("events.out.tfevents*"))
    assert result.observed["step_time_s"] > 0
    assert run(tmp_path, tmp_path / "other", seed=4).facets["weights"] != result.facets["weights"]
