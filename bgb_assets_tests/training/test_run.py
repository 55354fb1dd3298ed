"""One call from an index to a model directory that loads again."""

import dataclasses
import json
import subprocess
import sys

import torch

from bgb_assets.storage.digests import sha256_file, sha256_pairs
from bgb_assets.training.fit import Machine
from bgb_assets.training.model_directory import load_model_directory
from bgb_assets.training.run import train_model
from bgb_assets_tests.training.tiny import SPEC, TinyModel, store_at, tiny

LINEAGE = {"notes": {"code_version": "3", "params": {"hop": 512}, "identity": "ab" * 32}}


def train(root, out, work, spec=SPEC):
    out.mkdir()
    return train_model(
        spec,
        tiny(steps=6, validate_every_steps=3),
        variant="tiny",
        tokens=root / "index",
        root=root,
        work=work,
        out=out,
        logs=work / "logs",
        seed=3,
        lineage=LINEAGE,
        machine=Machine(device="cpu"),
    )


def test_model_directory_holds_what_inference_needs(tmp_path):
    store_at(tmp_path)
    out = tmp_path / "model"
    trained = train(tmp_path, out, tmp_path / "work")
    config, run = (json.loads((out / name).read_text()) for name in ("config.json", "run.json"))
    assert config["variant"] == "tiny"
    assert config["params"]["training"]["batch"] == 8
    assert config["lineage"] == {"notes": {"code_version": "3", "params": {"hop": 512}}}
    assert run["lineage"] == LINEAGE
    assert run["index"]["index.json"] == sha256_file(tmp_path / "index" / "index.json")
    assert json.loads((out / "metrics.json").read_text()) == trained.metadata
    assert (out / "model_card.md").read_text() == "# Tiny\nwidth 16\n"
    assert trained.facets["model"] == sha256_pairs((path.name, sha256_file(path)) for path in out.iterdir())
    assert not {"samples_per_s", "device"} & trained.metadata.keys()
    assert {"data_time_s", "step_time_s", "samples_per_s", "device"} <= trained.observed.keys()

    model = load_model_directory(out, lambda config: TinyModel(config["params"]["width"])).model
    assert model(torch.zeros(1, 4, dtype=torch.int64)).shape == (1, 4, 32)


def test_a_modality_may_write_more_beside_the_weights(tmp_path):
    def conclude(model, data, params, out):
        assert not model.training
        (out / "extra.txt").write_text(f"{len(data.validation)} at width {params.width}")
        return {"threshold": 0.5}

    store_at(tmp_path)
    out = tmp_path / "model"
    trained = train(tmp_path, out, tmp_path / "work", dataclasses.replace(SPEC, conclude=conclude))
    plain = train(tmp_path, tmp_path / "plain", tmp_path / "work2")
    config = json.loads((out / "config.json").read_text())
    assert config.pop("threshold") == 0.5
    assert config == json.loads((tmp_path / "plain" / "config.json").read_text())
    assert (out / "extra.txt").read_text().endswith("at width 16")
    assert trained.facets["model"] == sha256_pairs((path.name, sha256_file(path)) for path in out.iterdir())
    assert trained.facets != plain.facets
    assert sha256_file(out / "model.safetensors") == sha256_file(tmp_path / "plain" / "model.safetensors")


def test_a_moved_store_trains_the_same_model(tmp_path):
    store_at(tmp_path / "here")
    one = train(tmp_path / "here", tmp_path / "one", tmp_path / "work1")
    (tmp_path / "here").rename(tmp_path / "there")
    two = train(tmp_path / "there", tmp_path / "two", tmp_path / "work2")
    assert one.facets == two.facets


def test_training_runs_where_only_torch_and_lightning_are(tmp_path):
    store_at(tmp_path)
    code = f"""
import sys
from pathlib import Path
from bgb_assets_tests.training.absent_packages import make_absent
make_absent("dagster", "librosa", "nibabel", "pandas", "scipy", "numba", "soundfile", "matplotlib")
from bgb_assets_tests.training.test_run import train
root = Path({str(tmp_path)!r})
assert len(train(root, root / "model", root / "work").facets["model"]) == 64
foreign = {{"dagster", "librosa", "nibabel", "pandas"}} & set(sys.modules)
assert not foreign, foreign
assert not [name for name in sys.modules if name.startswith(("bgb_assets.orchestration", "bgb_assets.modalities"))]
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)
