"""Folds pinned through the engine: scans from an inbox, then more of them, then a new split."""

import json
from pathlib import Path

import pytest

from bgb_assets.chain import Chain
from bgb_assets.commands.mri_splits import _show, pin
from bgb_assets.modalities.contract import Modality, Parts, Reads, Stage
from bgb_assets.modalities.mri.conform.params import ConformParams
from bgb_assets.modalities.mri.manifest_params import ManifestParams
from bgb_assets.modalities.mri.notes import NotesParams
from bgb_assets.modalities.mri.raw import RawParams
from bgb_assets.runtime.errors import UsageError
from bgb_assets.runtime.executor import InProcessExecutor
from bgb_assets.runtime.settings import load_settings
from bgb_assets_tests.conftest import SETTLE_AT_ONCE
from bgb_assets_tests.driving import calls_through_tokens
from bgb_assets_tests.modalities.mri.growing_lesions import EDGES_MM3, SHAPE, write_upload
from bgb_assets_tests.toy import ModelParams

HERE = "bgb_assets.modalities.mri"
VOLUMES = ("image_volume", "mask_volume")
SCANS = 6


def stage(name: str, reads: tuple[Reads, ...], publishes: tuple[str, ...], **others: object) -> Stage:
    return Stage(name, f"{HERE}.{name}:run", "1", name, reads=reads, publishes=publishes, **others)


def small_mri() -> Modality:
    """Return the chain with small volumes and low bins."""
    uploads = ("image", "mask", "pairing")
    return Modality(
        name="mri",
        upload_noun="scan",
        description="small volumes",
        discover=f"{HERE}.raw:discover",
        fingerprint=f"{HERE}.raw:fingerprint",
        cost_bytes=f"{HERE}.raw:cost_bytes",
        upload_facets=uploads,
        tables=f"{HERE}.notes:TABLES",
        synth="bgb_assets_tests.toy:synth",
        variants={"none": ModelParams()},
        default_variant="none",
        stages=(
            stage("raw", (Reads("upload", uploads, ("*",)),), ("image", "mask", "facts"), params=RawParams()),
            stage("cache", (Reads("raw", ("image", "mask"), ("scan.json",)), Reads("upload", (), ("*",))), VOLUMES),
            stage("features", (Reads("cache", VOLUMES, ("*",)),), ("volume",), params=ConformParams(shape=SHAPE)),
            stage(
                "notes",
                (Reads("cache", VOLUMES, ("*",)), Reads("raw", ("facts",), ("scan.json",))),
                ("notes",),
                params=NotesParams(volume_edges_mm3=EDGES_MM3),
            ),
            stage(
                "manifest",
                (Reads("features", ("volume",), ("volume.json",)), Reads("notes", ("notes",), ("*.parquet",))),
                ("rows", "split", "tables"),
                params=ManifestParams(),
                parts=Parts(f"{HERE}.manifest:plan", f"{HERE}.manifest:run_part"),
                pins=True,
            ),
            stage("tokens", (Reads("manifest", ("rows", "split"), ("rows.parquet", "manifest.json")),), ("tokens",)),
            stage("model", (Reads("tokens", ("tokens",), ("*",)),), ("weights",), resumable=True),
        ),
    )


def opened(root: Path) -> Chain:
    return Chain(small_mri(), load_settings({"BGB_DATA_ROOT": str(root)}), InProcessExecutor())


def groups(told: dict) -> dict[str, tuple]:
    held = json.loads(Path(told["file"]).read_bytes())["groups"]
    return {name: (group["outer"], group["inner"]) for name, group in held.items()}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "config.toml").write_text(SETTLE_AT_ONCE)
    for number in range(SCANS):
        write_upload(tmp_path / "inbox/mri" / f"sub-M{number:03d}", number)
    return tmp_path


def test_pinning_rebuilds_nothing_and_more_scans_move_none(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert calls_through_tokens(opened(root))["notes"] == SCANS
    told = pin(opened(root))
    assert (told["name"], told["changed"]) == ("default", True)
    assert sum(sum(held.values()) for held in told["folds"].values()) == SCANS
    assert calls_through_tokens(opened(root)) == {}, "the manifest that knows the pins says the same"
    assert not pin(opened(root))["changed"]
    before = groups(told)
    for number in range(SCANS, SCANS + 4):
        write_upload(root / "inbox/mri" / f"sub-M{number:03d}", number)
    assert calls_through_tokens(opened(root))["features"] == 4
    told = pin(opened(root))
    after = groups(told)
    assert {name: after[name] for name in before} == before
    assert len(after) == SCANS + 4
    _show(told)
    printed = capsys.readouterr().out
    assert "subjects by stratum" in printed
    assert f"split 'default' {told['digest'][:12]}, pinned now; commit it: {told['file']}" in printed
    assert all(sentence in printed for sentence in told["done"])


def test_a_new_split_has_a_new_name(root: Path) -> None:
    calls_through_tokens(opened(root))
    first = pin(opened(root))
    second = pin(opened(root), "second")
    assert (second["name"], second["changed"]) == ("second", True)
    assert Path(first["file"]).is_file()
    assert first["digest"] != second["digest"]
    with pytest.raises(UsageError, match="there is a split 'second' already"):
        pin(opened(root), "second")


def test_without_a_scan_that_trains_there_is_nothing_to_deal(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(SETTLE_AT_ONCE)
    (tmp_path / "inbox/mri").mkdir(parents=True)
    calls_through_tokens(opened(tmp_path))
    with pytest.raises(UsageError, match="mri: no scan trains"):
        pin(opened(tmp_path))
