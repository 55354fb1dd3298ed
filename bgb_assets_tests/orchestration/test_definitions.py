"""The code location as Dagster loads it, in processes of its own: what it holds and what it does not import."""

import json
import subprocess
import sys
from pathlib import Path

from bgb_assets_tests.e2e.live import environment_of
from bgb_assets_tests.fixtures import REPOSITORY

LOOK = """
import json, sys
from bgb_assets.definitions import defs
graph = defs.resolve_asset_graph()
repository = defs.get_repository_def()
print(json.dumps({
    "keys": sorted(key.to_user_string() for key in graph.get_all_asset_keys()),
    "jobs": sorted(job.name for job in repository.get_all_jobs() if not job.name.startswith("__")),
    "sensors": sorted(sensor.name for sensor in repository.sensor_defs),
    "executor": sorted({job.executor_def.name for job in repository.get_all_jobs()}),
    "heavy": sorted(
        {"torch", "librosa", "lightning", "pandas", "pyarrow", "numba", "mne", "edfio", "scipy"} & set(sys.modules)
    ),
}))
"""


def python(code: str, root: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code]
    return subprocess.run(command, env=environment_of(root), capture_output=True, text=True, cwd=root, check=False)


def test_the_code_location(tmp_path):
    done = python(LOOK, tmp_path)
    assert done.returncode == 0, done.stderr
    stages = ("cache", "features", "inbox", "manifest", "model", "notes", "raw", "tokens")
    assert json.loads(done.stdout) == {
        "keys": [f"{name}/{stage}" for name in ("beatmap", "eeg") for stage in stages],
        "jobs": ["beatmap_train", "eeg_train"],
        "sensors": ["beatmap_automation", "beatmap_uploads_sensor", "eeg_automation", "eeg_uploads_sensor"],
        "executor": ["in_process"],
        "heavy": [],
    }


def test_a_wrong_table_is_refused_with_its_name(tmp_path):
    (tmp_path / "config.toml").write_text("[beatmaps.features]\nn_mels = 96\n")
    done = python(LOOK, tmp_path)
    assert done.returncode != 0
    assert "unknown ['beatmaps']" in done.stderr


def test_the_workspace_names_the_location(tmp_path):
    command = [str(Path(sys.executable).parent / "dagster"), "definitions", "validate", "-w", "workspace.yaml"]
    environment = environment_of(tmp_path)
    (tmp_path / "dagster_home").mkdir()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=REPOSITORY, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
