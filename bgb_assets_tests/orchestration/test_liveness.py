import multiprocessing
import os
import signal

import dagster as dg
import pytest

from bgb_assets.modalities.contract import PER_UPLOAD_STAGES
from bgb_assets.orchestration.liveness import at_work, report_dead_runs
from bgb_assets.orchestration.partitions import asset_key
from bgb_assets.storage.layout import Layout
from bgb_assets_tests import toy

FOUR = frozenset(asset_key("toy", stage) for stage in PER_UPLOAD_STAGES)


@pytest.fixture
def layout(data_root) -> Layout:
    return Layout(data_root)


@pytest.fixture
def started(location) -> dg.DagsterRun:
    """A run that Dagster holds for started."""
    job = location.defs.get_repository_def().get_implicit_job_def_for_assets(FOUR)
    return location.instance.create_run_for_job(job, asset_selection=FOUR, status=dg.DagsterRunStatus.STARTED)


def work_until_killed(root, run_id, ready) -> None:
    with at_work(Layout(root), run_id):
        ready.set()
        signal.pause()


def test_a_killed_process_is_found_and_told_once(instance, layout, started):
    spawn = multiprocessing.get_context("spawn")
    ready = spawn.Event()
    process = spawn.Process(target=work_until_killed, args=(layout.root, started.run_id, ready))
    process.start()
    assert ready.wait(60)
    assert report_dead_runs(instance, layout) == []
    os.kill(process.pid, signal.SIGKILL)
    process.join(10)
    assert report_dead_runs(instance, layout) == [started.run_id]
    assert instance.get_run_by_id(started.run_id).status == dg.DagsterRunStatus.FAILURE
    assert report_dead_runs(instance, layout) == []


def test_a_run_that_has_not_begun_or_has_just_ended_is_left_alone(instance, layout, started):
    assert report_dead_runs(instance, layout) == []
    with at_work(layout, started.run_id):
        pass
    with pytest.raises(RuntimeError), at_work(layout, started.run_id):
        raise RuntimeError("the step fails: Dagster is told by the run itself")
    assert report_dead_runs(instance, layout) == []
    assert instance.get_run_by_id(started.run_id).status == dg.DagsterRunStatus.STARTED


def test_runs_leave_no_lock(location, inbox, layout):
    toy.write_upload(inbox / "a")
    location.everything()
    assert list((layout.state / "runs").iterdir()) == []
