"""What takes a live system minutes: overdue assets, raised code versions, 200 uploads and five idle minutes.

Each test starts a system of its own. The same rules, tick by tick and without waiting, are tested in
`bgb_assets_tests/orchestration/test_automation.py`; a smaller live system in `test_live.py`.
"""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

import pytest

from bgb_assets.modalities.contract import PER_UPLOAD_STAGES
from bgb_assets.storage.layout import Layout
from bgb_assets_tests.e2e import uploads
from bgb_assets_tests.e2e.conftest import CONFIG
from bgb_assets_tests.e2e.live import Live, live

pytestmark = pytest.mark.slow

FOUR = sorted(f"beatmap/{stage}" for stage in PER_UPLOAD_STAGES)
FAN_INS = ["beatmap/manifest", "beatmap/tokens"]
OVERDUE_AFTER_S = 60


def new_root(tmp_path: Path, more: str = "") -> Path:
    """Return an empty data root with a configuration."""
    data_root = tmp_path / "data"
    data_root.mkdir()
    (data_root / "config.toml").write_text(CONFIG + more)
    return data_root


def badges(system: Live) -> dict[str, str]:
    """Return the freshness badges of all assets that have one."""
    return {asset: system.freshness(asset) for asset in (*FOUR, *FAN_INS)}


def fresh(system: Live) -> bool:
    """Say whether every badge passes and nothing is under way."""
    return set(badges(system).values()) == {"HEALTHY"} and system.settled()


def test_overdue_assets_are_rebuilt_or_confirmed(tmp_path: Path) -> None:
    data_root = new_root(tmp_path, f"[freshness]\nfail_window_s = {OVERDUE_AFTER_S}\n")
    with live(data_root) as system:
        keys = uploads.good_songs(system.inbox, range(3))
        system.wait("the songs are in", lambda: system.members() == set(keys), 90)
        system.wait("all badges pass", lambda: fresh(system), 60)
        first = system.events("beatmap/features", keys)

        config = (data_root / "config.toml").read_text()
        (data_root / "config.toml").write_text(config + "[beatmap.features]\nrange_db = 70.0\n")
        seconds = wave(system)
        print(f"overdue and fresh again, with a changed param: {seconds:.0f} s")
        second = system.events("beatmap/features", keys)
        assert all(second[key].data_version != first[key].data_version for key in keys)
        assert {event.metadata["outcome"] for event in system.events("beatmap/cache", keys).values()} == {"hit"}

        seconds = wave(system)
        print(f"overdue and fresh again, nothing stale: {seconds:.0f} s")
        assert {stage: system.calls()[stage] for stage in (*PER_UPLOAD_STAGES, "manifest", "tokens")} == dict.fromkeys(
            (*PER_UPLOAD_STAGES, "manifest", "tokens"), 0
        )
        third = system.events("beatmap/features", keys)
        assert [third[key].data_version for key in keys] == [second[key].data_version for key in keys]
        assert {third[key].metadata["outcome"] for key in keys} == {"hit"}
        assert system.failed_ticks() == []


def wave(system: Live) -> float:
    """Wait until assets have turned overdue and all pass again; return the seconds from the first to the last."""
    before = len(system.runs())
    system.wait("an asset fails", lambda: "DEGRADED" in badges(system).values(), 180)
    started_s = time.monotonic()
    system.wait("it is asked for", lambda: len(system.runs()) > before, 60)
    system.wait("all pass again", lambda: fresh(system), 180)
    runs = system.runs()[: len(system.runs()) - before]
    assert [run["status"] for run in runs] == ["SUCCESS"] * len(runs)
    assert sorted(run["assets"] for run in runs) == sorted([FOUR, FAN_INS]), runs
    return time.monotonic() - started_s


VERSIONED = """
import dataclasses
import json
from pathlib import Path

from bgb_assets.modalities.registry import modality
from bgb_assets.orchestration.location import build_definitions
from bgb_assets.runtime.settings import load_settings

versions = json.loads(Path(__file__).with_name("versions.json").read_text())
beatmap = modality("beatmap")
stages = tuple(
    dataclasses.replace(stage, code_version=versions.get(stage.name, stage.code_version)) for stage in beatmap.stages
)
defs = build_definitions([dataclasses.replace(beatmap, stages=stages)], load_settings())
"""


def test_a_raised_code_version_runs_that_stage_and_what_is_below_it(tmp_path: Path) -> None:
    module, versions = tmp_path / "versioned.py", tmp_path / "versions.json"
    module.write_text(VERSIONED)
    versions.write_text("{}")
    with live(new_root(tmp_path), module) as system:
        keys = uploads.good_songs(system.inbox, range(12))
        system.wait("the songs are in", lambda: system.members() == set(keys) and system.settled(), 90)
        before = {stage: system.events(f"beatmap/{stage}", keys) for stage in PER_UPLOAD_STAGES}
        runs_before = len(system.runs())

        versions.write_text('{"features": "2"}')
        system.reload()
        started_s = time.monotonic()
        system.wait("it is asked for", lambda: len(system.runs()) > runs_before and system.settled(), 180)
        print(f"a raised code version took {time.monotonic() - started_s:.0f} s")
        time.sleep(30)
        (run,) = system.runs()[: len(system.runs()) - runs_before]
        assert run["assets"] == ["beatmap/features", "beatmap/notes"]
        assert run["status"] == "SUCCESS"
        after = {stage: system.events(f"beatmap/{stage}", keys) for stage in PER_UPLOAD_STAGES}
        assert {event.run for stage in ("features", "notes") for event in after[stage].values()} == {run["id"]}
        assert all(after[stage] == before[stage] for stage in ("raw", "cache"))
        assert (system.calls()["features"], system.calls()["notes"]) == (1, 0)  # one recording, the same output
        assert system.failed_ticks() == []


def test_a_run_whose_process_is_killed_is_done_again(tmp_path: Path) -> None:
    with live(new_root(tmp_path)) as system:
        keys = uploads.good_songs(system.inbox, range(60))
        locks = Layout(system.data_root).state / "runs"
        (lock,) = system.wait("a run is at work", lambda: list(locks.glob("*.lock")), 90)
        run = lock.name.removesuffix(".lock")
        os.kill(holder_of(lock), signal.SIGKILL)
        started_s = time.monotonic()
        system.wait("the songs are in", lambda: system.members() == set(keys) and system.settled(), 180)
        print(f"in the manifest {time.monotonic() - started_s:.0f} s after the kill")
        statuses = {each["id"]: each["status"] for each in system.runs()}
        assert statuses.pop(run) == "FAILURE"
        assert set(statuses.values()) == {"SUCCESS"}
        assert len({event.data_version for event in system.events("beatmap/notes", keys).values()}) == len(keys)


def holder_of(path: Path) -> int:
    """Return the process that has a file open."""
    for descriptor in Path("/proc").glob("[0-9]*/fd/*"):
        with suppress(OSError):
            if descriptor.readlink() == path:
                return int(descriptor.parts[2])
    raise AssertionError(f"no process has {path} open")


GOOD, BAD, MINUTES_IDLE = 193, 7, 5


def test_two_hundred_uploads_of_which_seven_are_bad(tmp_path: Path) -> None:
    with live(new_root(tmp_path)) as system:
        bad = uploads.bad_songs(system.inbox, BAD)
        keys = uploads.good_songs(system.inbox, range(GOOD))
        system.wait("the songs are in", lambda: system.members() == set(keys) and system.settled(), 180)
        check_two_hundred(system, keys, bad)
        materialize_all(system, keys, bad)
        one_stage_alone(system, keys, bad)
        a_good_one_turns_bad(system, keys)
        runs = len(system.runs())
        time.sleep(60 * MINUTES_IDLE)
        assert len(system.runs()) == runs
        assert system.failed_ticks() == []


def check_two_hundred(system: Live, keys: list[str], bad: dict[str, str]) -> None:
    assert [run["status"] for run in system.runs()] == ["SUCCESS"] * len(system.runs())
    for stage in PER_UPLOAD_STAGES:
        events = system.events(f"beatmap/{stage}", [*keys, *bad])
        assert len(events) == GOOD + BAD
    assert len({events[key].data_version for key in keys}) == GOOD
    assert not any(events[key].data_version.startswith("quarantined:") for key in keys)
    for key, reason in bad.items():
        assert events[key].data_version == f"quarantined:{events[key].metadata['identity']}"
        assert reason in events[key].metadata["reason"]
        assert events[key].metadata["remedy"]
    status, named = system.check("beatmap/notes", "quarantine")
    assert status == "FAILED"
    assert named.startswith("7 of 200")
    assert all(key in named for key in bad)


def materialize_all(system: Live, keys: list[str], bad: dict[str, str]) -> None:
    """Ask for all assets but the model, as the UI does."""
    before, runs_before, started_s = system.members(), len(system.runs()), time.monotonic()
    backfill = system.backfill_all([*FOUR, *FAN_INS])
    system.wait("the backfill ends", lambda: system.backfill_status(backfill) != "REQUESTED", 300)
    print(f"materialize all: {time.monotonic() - started_s:.0f} s")
    assert system.backfill_status(backfill) == "COMPLETED_SUCCESS"
    runs = system.runs()[: len(system.runs()) - runs_before]
    assert {run["status"] for run in runs} == {"SUCCESS"}
    assert {asset for run in runs for asset in run["assets"]} == {*FOUR, *FAN_INS}
    assert all(run["tags"].get("dagster/backfill") == backfill for run in runs), runs
    assert system.members() == before == set(keys)
    assert sum(system.calls()[stage] for stage in (*PER_UPLOAD_STAGES, "manifest", "tokens")) == 0
    assert set(system.events("beatmap/notes", bad)) == set(bad)


def one_stage_alone(system: Live, keys: list[str], bad: dict[str, str]) -> None:
    runs_before = len(system.runs())
    backfill = system.backfill_all(["beatmap/features"])
    system.wait("the backfill ends", lambda: system.backfill_status(backfill) != "REQUESTED", 180)
    assert system.backfill_status(backfill) == "COMPLETED_SUCCESS"
    (run,) = system.runs()[: len(system.runs()) - runs_before]
    assert (run["assets"], run["status"]) == (["beatmap/features"], "SUCCESS")
    events = system.events("beatmap/features", [*keys, *bad])
    assert {event.run for event in events.values()} == {run["id"]}


def a_good_one_turns_bad(system: Live, keys: list[str]) -> None:
    (system.inbox / keys[100] / "Info.dat").write_bytes(b"")
    runs_before = len(system.runs())
    system.wait("it has left", lambda: system.members() == set(keys) - {keys[100]} and system.settled(), 90)
    runs = system.runs()[: len(system.runs()) - runs_before]
    assert {run["status"] for run in runs} == {"SUCCESS"}
    (ranged,) = (run for run in runs if run["assets"] == FOUR)
    bounds = {ranged["tags"][f"dagster/asset_partition_range_{end}"] for end in ("start", "end")}
    assert bounds == {keys[100]}
    assert keys[100] in system.check("beatmap/raw", "quarantine")[1]
