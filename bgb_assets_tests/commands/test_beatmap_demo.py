"""`bgb demo beatmap` as a person types it, with training that only shows that it runs."""

import json
import shutil
import zipfile
from pathlib import Path

from bgb_assets_tests.test_cli import bgb, configure, root_in_use
from bgb_assets_tests.test_readme import REPOSITORY

TRAINING = """
[beatmap.model.tiny.training]
steps = 2
batch = 2
validate_every_steps = 2
"""


def test_it_ends_with_a_model_and_a_map_it_wrote(tmp_path: Path) -> None:
    with root_in_use(tmp_path / "data") as root:
        shutil.copytree(REPOSITORY / "data/samples/beatmap", root / "samples/beatmap")
        configure(root, TRAINING)
        said = bgb("demo", "beatmap")
    assert (said.code, said.err) == (0, "")
    lines = said.out.splitlines()
    model, written = (
        Path(next(line for line in lines if line.startswith(f"{what}: ")).removeprefix(f"{what}: "))
        for what in ("model", "map")
    )
    assert json.loads((model / "config.json").read_bytes())["variant"] == "tiny"
    files = {path.name for path in written.iterdir()} if written.is_dir() else set(zipfile.ZipFile(written).namelist())
    assert "Info.dat" in files
    assert any(name.endswith("Standard.dat") for name in files)
