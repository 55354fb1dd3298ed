"""Songs dropped into the inbox of a live system: what is asked for, what is made, and that nothing is asked twice.

The tests run in the order of this file on the system that all live tests share: each begins where the one before
it ended. The full counts (200 uploads, five idle minutes): `test_live_slow.py`, with `-m slow`.
"""

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from bgb_assets.modalities.contract import PER_UPLOAD_STAGES
from bgb_assets_tests.e2e import uploads
from bgb_assets_tests.e2e.live import Live

FOUR = sorted(f"beatmap/{stage}" for stage in PER_UPLOAD_STAGES)
GOOD = [f"song_{number:04}" for number in range(28)]
IN_MANIFEST_S = 90
IDLE_S = 45


def members_become(system: Live, expected: set[str], limit_s: float = IN_MANIFEST_S) -> float:
    """Wait until the manifest holds these uploads and tokens were made after it; return the seconds it took."""
    started_s = time.monotonic()
    system.wait(f"the manifest holds {len(expected)} uploads", lambda: system.members() == expected, limit_s)
    seconds = time.monotonic() - started_s
    system.wait("the runs have ended", lambda: system.settled() and tokens_are_newest(system), 60)
    return seconds


def tokens_are_newest(system: Live) -> bool:
    """Say whether the newest tokens were made from the newest manifest."""
    manifest, tokens = system.latest("beatmap/manifest"), system.latest("beatmap/tokens")
    if manifest is None or tokens is None:
        return False
    found = system.node("beatmap/tokens", "assetMaterializations(limit:1){tags{key value}}")["assetMaterializations"][0]
    tags = {tag["key"]: tag["value"] for tag in found["tags"]}
    return tags.get("dagster/input_data_version/beatmap/manifest") == manifest.data_version


@contextmanager
def growing(path) -> Iterator[None]:
    """Append to a file every 0.5 s, as a slow copy does."""
    stopped = threading.Event()

    def grow() -> None:
        with path.open("ab") as file:
            while not stopped.wait(0.5):
                file.write(b" ")
                file.flush()

    thread = threading.Thread(target=grow)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()


def test_dropped_songs_reach_the_tokens(shared_live: Live) -> None:
    held, runs_before = shared_live.members(), len(shared_live.runs())
    bad = uploads.bad_songs(shared_live.inbox, 2)
    uploads.good_songs(shared_live.inbox, range(28))
    members_become(shared_live, held | set(GOOD))
    runs = shared_live.runs()[: len(shared_live.runs()) - runs_before]
    assert [run["status"] for run in runs] == ["SUCCESS"] * len(runs)
    ranged = [run for run in runs if run["assets"] == FOUR]
    assert len(ranged) <= 2, ranged  # the drop may fall across two looks
    events = shared_live.events("beatmap/notes", [*GOOD, *bad])
    assert len({events[key].data_version for key in GOOD}) == len(GOOD)
    for key, reason in bad.items():
        assert events[key].data_version.startswith("quarantined:")
        assert reason in events[key].metadata["reason"]
        assert events[key].metadata["remedy"]
    status, named = shared_live.check("beatmap/notes", "quarantine")
    assert status == "FAILED"
    assert all(key in named for key in bad)
    assert shared_live.partitions("beatmap/notes")["unmaterialized"] == set()


def test_touched_songs_call_no_stage_and_an_idle_daemon_starts_nothing(shared_live: Live) -> None:
    before = len(shared_live.runs())
    for path in (shared_live.inbox / GOOD[3]).iterdir():
        os.utime(path)
    shared_live.wait("a run of hits", lambda: len(shared_live.runs()) > before and shared_live.settled(), 60)
    (run,) = shared_live.runs()[: len(shared_live.runs()) - before]
    assert run["tags"]["dagster/asset_partition_range_start"] == GOOD[3]
    assert {stage: shared_live.calls()[stage] for stage in PER_UPLOAD_STAGES} == dict.fromkeys(PER_UPLOAD_STAGES, 0)
    event = shared_live.events("beatmap/notes", [GOOD[3]])[GOOD[3]]
    assert (event.run, event.metadata["outcome"]) == (run["id"], "hit")
    time.sleep(IDLE_S)
    assert len(shared_live.runs()) == before + 1
    assert shared_live.failed_ticks() == []


def test_changed_deleted_and_spoiled_songs(shared_live: Live) -> None:
    held = shared_live.members()
    before = {key: event.data_version for key, event in shared_live.events("beatmap/notes", GOOD).items()}
    runs_before = len(shared_live.runs())
    uploads.respell(shared_live.inbox / GOOD[5], 5_000)
    shutil.rmtree(shared_live.inbox / GOOD[6])
    (shared_live.inbox / GOOD[7] / "Info.dat").write_bytes(b"")
    late = uploads.good_song(shared_live.inbox / "song_9000", 9_000)
    with growing(late / uploads.MAP_NAME):
        members_become(shared_live, held - {GOOD[6], GOOD[7]})
        assert "song_9000" not in shared_live.partitions("beatmap/raw")["materialized"]
        assert not (shared_live.data_root / "uploads" / "beatmap" / "song_9000.json").exists()
    events = shared_live.events("beatmap/notes", GOOD)
    assert {key for key in events if events[key].data_version != before[key]} == {GOOD[5], GOOD[7]}
    assert events[GOOD[7]].data_version.startswith("quarantined:")
    assert GOOD[6] not in shared_live.partitions("beatmap/notes")["materialized"]
    assert GOOD[7] in shared_live.check("beatmap/raw", "quarantine")[1]
    members_become(shared_live, {*held, "song_9000"} - {GOOD[6], GOOD[7]})
    runs = shared_live.runs()[: len(shared_live.runs()) - runs_before]
    assert {run["status"] for run in runs} == {"SUCCESS"}
    assert len([run for run in runs if run["assets"] == FOUR]) <= 4


def test_an_inbox_that_is_unmounted_deletes_nothing_and_the_check_says_so(shared_live: Live) -> None:
    held, runs = shared_live.members(), len(shared_live.runs())
    away = shared_live.inbox.with_name("away")
    shared_live.inbox.rename(away)
    try:
        status = shared_live.wait("the check fails", lambda: deletions(shared_live)[0] == "FAILED", 30)
        assert status
        assert "is missing" in deletions(shared_live)[1]
        assert held <= shared_live.partitions("beatmap/notes")["materialized"]
    finally:
        away.rename(shared_live.inbox)
    shared_live.wait("the check passes again", lambda: deletions(shared_live)[0] == "SUCCEEDED", 30)
    assert shared_live.members() == held
    assert len(shared_live.runs()) == runs


def deletions(system: Live) -> tuple[str, str]:
    """Return status and description of the check on deletions."""
    return system.check("beatmap/raw", "deletions")


def test_bgb_ingest_beside_the_daemon(shared_live: Live, tmp_path) -> None:
    uploads.good_song(tmp_path / "source" / "song_9100", 9_100)
    held = shared_live.members()
    command = [sys.executable, "-m", "bgb_assets.cli", "ingest", "beatmap", str(tmp_path / "source")]
    done = subprocess.run(command, env=shared_live.environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    members_become(shared_live, held | {"song_9100"})
    assert shared_live.failed_ticks() == []
