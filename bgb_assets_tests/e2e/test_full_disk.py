"""A disk that gets full while stages write: the run stops, nothing is quarantined, and with space it goes on.

The disk is a small tmpfs in a mount namespace of its own, so that nothing outside the test's process sees it.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bgb_assets.modalities.beatmap.synth import synth
from bgb_assets.modalities.contract import PER_UPLOAD_STAGES, STAGE_NAMES
from bgb_assets.runtime.errors import ResourceError
from bgb_assets.storage.records import RECORD_NAME
from bgb_assets_tests.conftest import SETTLE_AT_ONCE
from bgb_assets_tests.driving import fan_in, ingest, outputs, walk
from bgb_assets_tests.e2e.songs import calls_through_tokens, open_chain
from bgb_assets_tests.fixtures import REPOSITORY

ROOM_KB = {
    "nothing": (0, 16, 64),
    "raw": (8, 1_500, 2_500),
    "cache": (40, 80, 104, 112, 128),
    "features": (32,),
    "notes": (8, 48, 56, 64, 80),
    "manifest": (24, 40),
}
"""What was done before the disk became full -> the space that is left then."""

ENOUGH_KB = 64_000


@pytest.fixture
def namespace() -> list[str]:
    """The start of a command that may mount."""
    command = ["unshare", "--mount"]
    if shutil.which("unshare") is None or subprocess.run([*command, "true"], capture_output=True).returncode:
        pytest.skip("no mount namespace: only root may mount a small disk here, on Linux")
    return command


def test_full_disk_stops_the_run_and_the_next_one_completes(namespace: list[str], tmp_path: Path) -> None:
    synth(tmp_path / "songs", 1, seed=3)
    (tmp_path / "disk").mkdir()
    command = [*namespace, sys.executable, "-m", "bgb_assets_tests.e2e.test_full_disk", str(tmp_path)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4_000:]
    expected, *found = json.loads(done.stdout)
    assert expected["stopped"] is None
    for seen in found:
        where = f"{seen['room_kb']} kB after {seen['done']}"
        assert seen["stopped"] is not None, where
        assert seen["quarantined"] == [], where
        assert seen["written"] == seen["listed"], f"{where}: an entry that is there is whole"
        assert seen["outputs"] == expected["outputs"], where
    said = [seen["stopped"] for seen in found]
    assert sum("No space left" in line for line in said) > 6, "not only the catalog met the full disk"
    assert all("run again" in line for line in said)


def fill(disk: Path, songs: Path, done: str, room_kb: int) -> dict[str, Any]:
    """Run the chain on a disk that gets full after a stage, look at what is left, and run again with enough space."""
    _mount("-t", "tmpfs", "-o", f"size={ENOUGH_KB}k", "tmpfs", str(disk))
    try:
        (disk / "config.toml").write_text(f"{SETTLE_AT_ONCE}[run]\nmin_free_bytes = 0\n")
        shutil.copytree(songs, disk / "inbox" / "beatmap")
        _run_through(disk, done)
        used_kb = (shutil.disk_usage(disk).used + 1023) // 1024
        _mount("-o", f"remount,size={used_kb + room_kb}k", str(disk))
        stopped = _run_until_full(disk)
        _mount("-o", f"remount,size={ENOUGH_KB}k", str(disk))
        seen = {
            "stopped": stopped,
            "quarantined": [row.reason for row in open_chain(disk).quarantine.rows()],
            "listed": sorted(outputs(disk, "beatmap")),
            "written": sorted(_written(disk)),
        }
        calls_through_tokens(open_chain(disk))
        return {"done": done, "room_kb": room_kb, **seen, "outputs": outputs(disk, "beatmap")}
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def _run_through(disk: Path, stage: str) -> None:
    if stage == "nothing":
        return
    ingest(open_chain(disk))
    walk(open_chain(disk), [stage] if stage in PER_UPLOAD_STAGES else PER_UPLOAD_STAGES)
    if stage not in PER_UPLOAD_STAGES:
        fan_in(open_chain(disk), [stage])


def _run_until_full(disk: Path) -> str | None:
    try:
        calls_through_tokens(open_chain(disk))
    except ResourceError as error:
        return str(error)
    return None


def _written(disk: Path) -> list[str]:
    """Return the files of all entries on the disk, whether a record lists them or not."""
    files = [path for stage in STAGE_NAMES for path in (disk / stage / "beatmap").rglob("*") if path.is_file()]
    return [path.relative_to(disk).as_posix() for path in files if path.name != RECORD_NAME]


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)


if __name__ == "__main__":
    work = Path(sys.argv[1])
    cases = [("nothing", ENOUGH_KB // 2), *((done, kb) for done, rooms in ROOM_KB.items() for kb in rooms)]
    print(json.dumps([fill(work / "disk", work / "songs", done, kb) for done, kb in cases]))
