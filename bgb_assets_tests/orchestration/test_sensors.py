import json
import shutil
from dataclasses import replace

import dagster as dg
import pytest

from bgb_assets.modalities.contract import PER_UPLOAD_STAGES
from bgb_assets.orchestration import sensors
from bgb_assets.orchestration.partitions import RANGE_END_TAG, RANGE_START_TAG, asset_key
from bgb_assets.orchestration.sensors import build_sensors, is_under_way
from bgb_assets.runtime.settings import load_settings
from bgb_assets_tests import toy
from bgb_assets_tests.driving import opened_below
from bgb_assets_tests.toy_source import ingest as fetch

FOUR = [asset_key("toy", stage) for stage in PER_UPLOAD_STAGES]


class Looks:
    """The upload sensor, look by look, with its cursor; partitions are made as the daemon would."""

    def __init__(self, location) -> None:
        self.location = location
        self.cursor = None
        self.name = "toy_uploads"

    def look(self) -> dg.SensorResult:
        """Look once."""
        sensor, _ = build_sensors(self.location.modality, load_settings())
        context = dg.build_sensor_context(
            instance=self.location.instance, cursor=self.cursor, definitions=self.location.defs
        )
        result = sensor(context)
        self.cursor = result.cursor
        for request in result.dynamic_partitions_requests or []:
            if isinstance(request, dg.AddDynamicPartitionsRequest):
                self.location.instance.add_dynamic_partitions(self.name, request.partition_keys)
            else:
                for key in request.partition_keys:
                    self.location.instance.delete_dynamic_partition(self.name, key)
        return result

    def look_and_run(self) -> list[tuple[str, str]]:
        """Look, run what is asked for; return the ranges."""
        spans = spans_of(self.look())
        for span in spans:
            self.location.run(PER_UPLOAD_STAGES, span)
        return spans


def spans_of(result) -> list[tuple[str, str]]:
    for request in result.run_requests or []:
        assert set(request.asset_selection) == set(FOUR)
    return [(request.tags[RANGE_START_TAG], request.tags[RANGE_END_TAG]) for request in result.run_requests or []]


def checks_of(result) -> dict[tuple[str, str], bool]:
    """Return (stage, check) -> whether it passed, for the evaluations that the sensor reports."""
    found = [event for event in result.asset_events if isinstance(event, dg.AssetCheckEvaluation)]
    return {(each.asset_key.path[-1], each.check_name): each.passed for each in found}


def inbox_events(result) -> list[dg.AssetMaterialization]:
    return [event for event in result.asset_events if isinstance(event, dg.AssetMaterialization)]


@pytest.fixture
def looks(location, inbox) -> Looks:
    return Looks(location)


def test_new_uploads_are_asked_for_once(looks, inbox):
    for key in "abc":
        toy.write_upload(inbox / key)
    assert spans_of(looks.look()) == [("a", "c")]
    assert looks.location.partitions() == ["a", "b", "c"]
    again = looks.look()
    assert spans_of(again) == []
    assert again.skip_reason.skip_message == "nothing to ask for: 3 toys are known"


def test_a_look_opens_no_file_of_an_upload(looks, inbox, data_root):
    toy.write_upload(inbox / "a")
    with opened_below(inbox) as opened:
        looks.look()
    assert [path for path in opened if path.startswith("a/")] == []


def test_changed_touched_and_finished_uploads(looks, inbox, toy_dir):
    for key in "abcdef":
        toy.write_upload(inbox / key)
    assert looks.look_and_run() == [("a", "f")]
    assert looks.look_and_run() == []
    (toy_dir / "calls").unlink()
    toy.write_upload(inbox / "b")  # the same bytes
    toy.write_upload(inbox / "e", "7 7 7 7")
    assert looks.look_and_run() == [("b", "b"), ("e", "e")]
    assert toy.calls_made(toy_dir).count("raw") == 1
    assert looks.look_and_run() == []


def test_a_change_while_its_run_is_queued_is_asked_for_again(looks, inbox):
    toy.write_upload(inbox / "a")
    assert spans_of(looks.look()) == [("a", "a")]
    toy.write_upload(inbox / "a", "5 5 5 5")
    assert spans_of(looks.look()) == [("a", "a")]


def test_thousands_lead_to_four_runs(looks, inbox):
    for i in range(40):
        toy.write_upload(inbox / f"u{i:02}")
    assert looks.look_and_run() == [("u00", "u39")]
    for i in range(0, 40, 3):
        toy.write_upload(inbox / f"u{i:02}", f"9 9 9 {i}")
    spans = spans_of(looks.look())
    assert len(spans) == 4
    inside = {f"u{i:02}" for first, last in spans for i in range(int(first[1:]), int(last[1:]) + 1)}
    assert inside >= {f"u{i:02}" for i in range(0, 40, 3)}


def test_growing_uploads_wait(looks, inbox, data_root):
    (data_root / "config.toml").write_text("[inbox]\nsettle_s = 30.0\n")
    toy.write_upload(inbox / "a")
    assert spans_of(looks.look()) == []
    assert looks.location.partitions() == []
    (data_root / "config.toml").write_text("[inbox]\nsettle_s = 0.0\n")
    assert spans_of(looks.look()) == [("a", "a")]


def test_deleted_uploads_leave_partitions_and_are_told_once(looks, inbox):
    for key in "abc":
        toy.write_upload(inbox / key)
    looks.look_and_run()
    shutil.rmtree(inbox / "b")
    result = looks.look()
    assert looks.location.partitions() == ["a", "c"]
    (event,) = inbox_events(result)
    assert event.asset_key == asset_key("toy", "inbox")
    assert checks_of(result)["raw", "deletions"]
    assert list(looks.look().asset_events) == []
    toy.write_upload(inbox / "b")
    back = looks.look()
    assert spans_of(back) == [("b", "b")]
    assert len(inbox_events(back)) == 1


def test_what_went_before_the_first_look_is_told(looks, inbox):
    toy.write_upload(inbox / "a")
    toy.write_upload(inbox / "b")
    looks.location.everything()
    shutil.rmtree(inbox / "b")
    looks.location.ingest()
    assert len(inbox_events(looks.look())) == 1


def test_a_first_look_with_nothing_gone_tells_nothing(looks, inbox):
    toy.write_upload(inbox / "a")
    assert list(looks.look().asset_events) == []


def test_partitions_stay_while_a_run_needs_them(looks, inbox):
    for key in "abc":
        toy.write_upload(inbox / key)
    looks.look_and_run()
    job = looks.location.defs.get_repository_def().get_implicit_job_def_for_assets(FOUR)
    run = looks.location.instance.create_run_for_job(
        job, asset_selection=frozenset(FOUR), tags={RANGE_START_TAG: "a", RANGE_END_TAG: "c"}
    )
    assert is_under_way(looks.location.instance, "toy")
    assert not is_under_way(looks.location.instance, "other")
    shutil.rmtree(inbox / "c")
    assert len(inbox_events(looks.look())) == 1
    assert looks.location.partitions() == ["a", "b", "c"]
    looks.location.instance.report_run_canceled(run)
    looks.look()
    assert looks.location.partitions() == ["a", "b"]


def test_a_missing_inbox_deletes_nothing_and_the_check_says_so(looks, inbox):
    for key in "ab":
        toy.write_upload(inbox / key)
    looks.look_and_run()
    inbox.rename(inbox.with_name("away"))
    lost = looks.look()
    assert not checks_of(lost)["raw", "deletions"]
    assert looks.location.partitions() == ["a", "b"]
    assert inbox_events(lost) == []
    assert list(looks.look().asset_events) == []
    inbox.with_name("away").rename(inbox)
    assert checks_of(looks.look())["raw", "deletions"]


def test_a_bad_upload_that_is_deleted_leaves_the_check(looks, inbox):
    toy.write_upload(inbox / "good")
    toy.write_upload(inbox / "bad", "!bad:raw 1")
    looks.look_and_run()
    shutil.rmtree(inbox / "bad")
    assert all(checks_of(looks.look()).values())


def test_what_bgb_ingest_registered_is_asked_for(looks, inbox):
    toy.write_upload(inbox / "a")
    looks.location.ingest()
    assert spans_of(looks.look()) == [("a", "a")]


def test_an_upload_without_an_outcome_is_asked_for_again_with_growing_pauses(looks, inbox):
    toy.write_upload(inbox / "a")
    looks.look()
    for pause_s in (30, 120, 480, 900, 900):
        for passed_s, expected in ((pause_s - 5, []), (10, [("a", "a")])):
            cursor = json.loads(looks.cursor)
            cursor["asked"]["a"][1] -= passed_s
            looks.cursor = json.dumps(cursor)
            assert spans_of(looks.look()) == expected
    assert sensors.pause_s(10_000) == sensors.LONGEST_PAUSE_S


@pytest.mark.parametrize("enabled", [True, False])
def test_what_runs_by_default(instance, data_root, enabled):
    settings = replace(load_settings(), tables={"automation": {"enabled": enabled}, "inbox": {"interval_s": 7}})
    expected = dg.DefaultSensorStatus.RUNNING if enabled else dg.DefaultSensorStatus.STOPPED
    built = build_sensors(toy.MODALITY, settings)
    assert [sensor.name for sensor in built] == ["toy_uploads_sensor", "toy_automation"]
    assert {sensor.default_status for sensor in built} == {expected}
    assert {sensor.minimum_interval_seconds for sensor in built} == {7}


def test_fetched_uploads_are_asked_for_like_those_of_the_inbox(looks, inbox, shelf, make_chain):
    toy.write_upload(inbox / "a")
    assert fetch(make_chain(), shelf).new == ("shelf.a", "shelf.b", "shelf.c")
    assert looks.look_and_run() == [("a", "shelf.c")]
    assert looks.location.partitions() == ["a", "shelf.a", "shelf.b", "shelf.c"]
    assert not any(record.pending for record in make_chain().uploads.all())
    assert spans_of(looks.look()) == []
    shelf.put("b", {"a.txt": "7 7"}, version="2")
    fetch(make_chain(), shelf)
    assert looks.look_and_run() == [("shelf.b", "shelf.b")]
    shelf.put("b", gone=True)
    fetch(make_chain(), shelf)
    assert len(inbox_events(looks.look())) == 1
    assert looks.location.partitions() == ["a", "shelf.a", "shelf.c"]


def test_an_ingest_that_was_killed_before_it_read_leaves_that_to_the_run(looks, shelf, make_chain):
    fetch(make_chain(), shelf)
    uploads = make_chain().uploads
    uploads.put(replace(uploads.require("shelf.a"), facets={}))
    assert looks.look_and_run() == [("shelf.a", "shelf.c")]
    assert set(make_chain().uploads.require("shelf.a").facets) == {"a", "b"}


def test_what_a_source_says_otherwise_is_told_to_the_manifest_and_asks_for_no_run(looks, shelf, make_chain):
    fetch(make_chain(), shelf)
    looks.look_and_run()
    assert inbox_events(looks.look()) == []
    fetch(make_chain(), shelf)
    looks.look()
    fetch(make_chain(), shelf)
    assert inbox_events(looks.look()) == [], "nothing was said"
    shelf.put("a", popularity={"score": 0.5})
    assert fetch(make_chain(), shelf).touched == ("shelf.a",)
    result = looks.look()
    (event,) = inbox_events(result)
    assert event.asset_key == asset_key("toy", "inbox")
    assert spans_of(result) == []
