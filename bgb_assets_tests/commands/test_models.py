"""`bgb generate` as a person types it, with a model of random weights."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from bgb_assets.modalities.beatmap.learning.network import Network
from bgb_assets.modalities.beatmap.learning.variants import TINY
from bgb_assets.modalities.beatmap.sequences import vocabulary as v
from bgb_assets.storage.digests import as_plain
from bgb_assets.training.model_directory import write_model_directory
from bgb_assets_tests.modalities.beatmap.click_tracks import RATE_HZ, clicks
from bgb_assets_tests.test_cli import bgb


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    out = tmp_path_factory.mktemp("model")
    upstream = {"vocabulary": v.digest(), "tokens": {"kinds": ["notes"]}}
    config = {"variant": "tiny", "params": as_plain(TINY), "seed": 0, "upstream": upstream, "lineage": {}}
    write_model_directory(out, Network(TINY.shape), config, {}, "card", {})
    return out


@pytest.fixture
def song(tmp_path: Path) -> Path:
    path = tmp_path / "song.wav"
    soundfile.write(path, clicks(np.arange(0.0, 24.0, 0.5), 24.0), RATE_HZ, subtype="PCM_16")
    return path


def test_files_of_tempo_and_pace_steer_a_map(model: Path, song: Path, tmp_path: Path) -> None:
    (tmp_path / "tempo.csv").write_text("seconds,beat\n0.5,0\n4.5,8\n9.5,16\n")
    (tmp_path / "pace.csv").write_text("bar,nps\n0,2\n4,6\n")
    files = ("--tempo-map", tmp_path / "tempo.csv", "--nps-curve", tmp_path / "pace.csv")
    said = bgb("generate", song, "--model", model, "-o", tmp_path / "map", "--lights", "simple", "--json", *files)
    assert (said.code, said.err) == (0, "")
    report = said.json()
    assert report["bpm"] == pytest.approx(120.0)
    assert report["tempo_confidence"] is None
    (made,) = report["difficulties"]
    assert made["difficulty"] == "Expert"
    assert made["quality"]["nps"] == pytest.approx(made["asked_nps"], rel=0.1)
    written = json.loads((tmp_path / "map" / "ExpertStandard.dat").read_bytes())
    assert written["bpmEvents"][-1]["m"] == pytest.approx(96.0)
    assert written["basicBeatmapEvents"]
    beats = np.array([note.get("b", 0) for note in written["colorNotes"]])
    assert len(beats) == made["quality"]["notes"]


def test_what_is_typed_reaches_the_dice(model: Path, song: Path, tmp_path: Path) -> None:
    def notes(*arguments: str) -> object:
        out = tmp_path / "-".join(("map", *arguments))
        said = bgb("generate", song, "--model", model, "-o", out, "--bpm", "120", "--nps", "3", *arguments)
        assert (said.code, said.err) == (0, "")
        (difficulty,) = out.glob("Expert*.dat")
        return json.loads(difficulty.read_bytes())["colorNotes"]

    plain = notes()
    for arguments in (
        ("--seed", "1"),
        ("--temperature", "0.5"),
        ("--top-p", "0.3"),
        ("--guidance", "3"),
        ("--no-repair",),
        ("--characteristic", "OneSaber"),
    ):
        assert notes(*arguments) != plain, arguments


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--nps", "3", "--nps-curve", "x.csv"), 2, "--nps and --nps-curve exclude each other"),
        (("--bpm", "120", "--tempo-map", "x.csv"), 2, "--bpm and --tempo-map exclude each other"),
        (("--tempo-map", "none.csv"), 1, "none.csv: no such file; correct --tempo-map"),
        (("--top-p", "0"), 1, "top_p must be above 0, up to 1, got 0.0; correct --top-p"),
        (("--guidance", "99"), 1, "guidance must be from 0 to 20, got 99.0"),
        (("--characteristic", "Lightshow"), 1, "characteristic must be one of Standard, OneSaber, NoArrows"),
    ],
)
def test_impossible_wishes_are_refused(
    model: Path, song: Path, tmp_path: Path, arguments: tuple[str, ...], code: int, message: str
) -> None:
    said = bgb("generate", song, "--model", model, "-o", tmp_path / "map", *arguments)
    assert said.code == code
    assert message in said.err
    assert not (tmp_path / "map").exists()


def test_a_model_of_another_vocabulary_is_refused_with_both_digests(model: Path, song: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for path in model.iterdir():
        (other / path.name).write_bytes(path.read_bytes())
    config = json.loads((other / "config.json").read_bytes())
    config["upstream"]["vocabulary"] = "f" * 64
    (other / "config.json").write_text(json.dumps(config))
    said = bgb("generate", song, "--model", other, "-o", tmp_path / "map")
    assert said.code == 1
    assert "f" * 64 in said.err
    assert v.digest() in said.err
