"""Stock `dagster asset materialize` over what `bgb ingest` registered, as in CI; also after it was killed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bgb_assets.modalities.contract import PER_UPLOAD_STAGES
from bgb_assets.storage.uploads import Uploads
from bgb_assets_tests.e2e import uploads
from bgb_assets_tests.e2e.conftest import CONFIG
from bgb_assets_tests.e2e.live import environment_of

LIMIT_S = 120
DAGSTER = Path(sys.executable).parent / "dagster"
FOUR = " or ".join(f'key:"beatmap/{stage}"' for stage in PER_UPLOAD_STAGES)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """The variables of a data root whose Dagster home does not exist yet."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "config.toml").write_text(CONFIG)
    return {**environment_of(tmp_path / "data"), "DAGSTER_HOME": str(tmp_path / "home")}


def ingest(environment: dict[str, str], source: Path) -> None:
    """Take songs in with a process of its own."""
    command = [sys.executable, "-m", "bgb_assets.cli", "ingest", "beatmap", str(source)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert done.returncode == 0, done.stderr


def materialize_command(select: str, *span: str) -> list[str]:
    """Return the stock command for some assets."""
    return [str(DAGSTER), "asset", "materialize", "-m", "bgb_assets.definitions", "--select", select, *span]


def materialize(environment: dict[str, str], select: str, *span: str) -> str:
    """Run the stock command; it must succeed. Return its log."""
    command = materialize_command(select, *span)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stderr


def test_a_range_then_the_fan_ins_in_a_clean_home(tmp_path: Path, environment: dict[str, str]) -> None:
    keys = uploads.good_songs(tmp_path / "songs", range(4))
    ingest(environment, tmp_path / "songs")
    materialize(environment, FOUR, "--partition-range", f"{keys[0]}...{keys[-2]}")
    records = {record.key: record for record in Uploads(tmp_path / "data" / "uploads" / "beatmap").all()}
    assert [sorted(records[key].entries) for key in keys] == [sorted(PER_UPLOAD_STAGES)] * 3 + [[]]
    materialize(environment, 'key:"beatmap/manifest" or key:"beatmap/tokens"')
    assert list((tmp_path / "data" / "tokens" / "beatmap").glob("*/*/index.json"))


def test_the_same_command_after_it_was_killed(tmp_path: Path, environment: dict[str, str]) -> None:
    keys = uploads.good_songs(tmp_path / "songs", range(24))
    ingest(environment, tmp_path / "songs")
    span = ("--partition-range", f"{keys[0]}...{keys[-1]}")
    with (tmp_path / "killed.log").open("wb") as log:
        killed = subprocess.Popen(
            materialize_command(FOUR, *span), env=environment, stdout=log, stderr=log, start_new_session=True
        )
    deadline_s = time.monotonic() + LIMIT_S
    while not list((tmp_path / "data" / "raw" / "beatmap").glob("*/*/record.json")):
        assert killed.poll() is None, (tmp_path / "killed.log").read_text()[-4000:]
        assert time.monotonic() < deadline_s
        time.sleep(0.02)
    os.killpg(killed.pid, signal.SIGKILL)
    assert killed.wait(10) == -signal.SIGKILL
    started_s = time.monotonic()
    materialize(environment, FOUR, *span)
    print(f"after the kill: {time.monotonic() - started_s:.1f} s")
    records = Uploads(tmp_path / "data" / "uploads" / "beatmap").all()
    assert all(set(record.entries) == set(PER_UPLOAD_STAGES) and not record.pending for record in records)
