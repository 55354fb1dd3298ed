"""What the automation conditions ask for, tick by tick, and that they ask once."""

from datetime import timedelta

import dagster as dg
import pytest
from dagster._core.definitions.freshness import FreshnessState

from bgb_assets.modalities.contract import PER_UPLOAD_STAGES, STAGE_NAMES
from bgb_assets.orchestration.automation import condition, freshness_policy
from bgb_assets.orchestration.sensors import inbox_event
from bgb_assets.runtime.settings import AutomationSettings, FreshnessSettings
from bgb_assets_tests import toy
from bgb_assets_tests.orchestration.in_process import Ticks

KEYS = ["a", "b", "c"]
ALL_FOUR = dict.fromkeys(PER_UPLOAD_STAGES, KEYS)
FAN_INS = {"manifest": [], "tokens": []}


@pytest.fixture
def ticks(location, inbox) -> Ticks:
    """Three uploads, all up to date, and an automation that has looked at them before."""
    for i, key in enumerate(KEYS):
        toy.write_upload(inbox / key, f"{i + 1} 2 3 4")
    assert location.everything() == KEYS
    ticks = Ticks(location)
    ticks.until_idle()
    assert ticks.tick() == {}
    (toy_calls := location.chain.settings.data_root.parent / "toy" / "calls").unlink()
    assert not toy_calls.exists()
    return ticks


def test_the_first_look_at_what_is_done_asks_for_nothing(location, inbox):
    toy.write_upload(inbox / "a")
    location.everything()
    assert Ticks(location).until_idle() == []


def test_new_partitions_are_the_sensors_to_ask_for(ticks, inbox):
    toy.write_upload(inbox / "d")
    ticks.location.ingest()
    assert ticks.until_idle() == []


def test_raised_code_version_reaches_that_stage_and_below(ticks, toy_dir):
    ticks.location.load(toy.with_stage(toy.MODALITY, "features", code_version="2"))
    assert ticks.until_idle() == [{"features": KEYS, "notes": KEYS}]
    assert set(toy.calls_made(toy_dir)) == {"features"}  # its output is the same, so that notes are hits


def test_raised_code_version_that_changes_content_reaches_the_tokens(ticks):
    ticks.location.load(toy.with_stage(toy.MODALITY, "notes", code_version="2", params=toy.NoteParams(offset=1.0)))
    assert ticks.until_idle() == [{"notes": KEYS}, FAN_INS]


def test_raised_code_version_of_a_fan_in(ticks):
    ticks.location.load(toy.with_stage(toy.MODALITY, "manifest", code_version="2"))
    assert ticks.until_idle() == [FAN_INS]


def test_overdue_assets_are_asked_for_once_uploads_before_fan_ins(ticks, toy_dir):
    ticks.judge(FreshnessState.FAIL)
    assert ticks.until_idle() == [ALL_FOUR, FAN_INS]
    assert toy.calls_made(toy_dir) == []
    assert {event.metadata["outcome"].value for event in ticks.location.events("notes").values()} == {"hit"}
    ticks.judge(FreshnessState.PASS)
    assert ticks.until_idle() == []
    ticks.judge(FreshnessState.FAIL)
    assert ticks.until_idle() == [ALL_FOUR, FAN_INS]


def test_overdue_assets_rebuild_what_is_stale(ticks, inbox, toy_dir):
    toy.write_upload(inbox / "b", "9 9 9 9")
    ticks.judge(FreshnessState.FAIL)
    assert ticks.until_idle() == [ALL_FOUR, FAN_INS]
    assert sorted(toy.calls_made(toy_dir)) == sorted(["fingerprint", *PER_UPLOAD_STAGES, "manifest", "tokens"])


@pytest.mark.parametrize("stage", ["features", "manifest", "tokens"])
def test_one_overdue_asset(ticks, stage):
    ticks.judge(FreshnessState.FAIL, [stage])
    asked = ticks.until_idle()
    assert len(asked) == 1
    below = {"features": ["features", "notes"], "manifest": ["manifest", "tokens"], "tokens": ["tokens"]}
    assert list(asked[0]) == below[stage]


def test_changed_content_of_one_upload_reaches_what_is_below_it(ticks, inbox):
    toy.write_upload(inbox / "b", "9 9 9 9")
    ticks.location.ingest()
    ticks.location.run(["raw"], ["b"])
    assert ticks.until_idle() == [{stage: ["b"] for stage in ("cache", "features", "notes")}, FAN_INS]


def test_the_same_content_again_reaches_nothing(ticks):
    ticks.location.run(["raw"], KEYS)
    assert ticks.until_idle() == []


def test_a_spoiled_upload_reaches_the_fan_ins_and_is_not_asked_for_again(ticks, inbox):
    toy.write_upload(inbox / "b", "!bad:cache 1 2 3")
    ticks.location.ingest()
    ticks.location.run(PER_UPLOAD_STAGES, ["b"])
    assert ticks.until_idle() == [FAN_INS]
    assert ticks.location.events("notes")["b"].tags["dagster/data_version"].startswith("quarantined:")


def test_news_of_the_inbox_reach_the_fan_ins_once(ticks):
    for digest, expected in (("one", [FAN_INS]), ("one", []), ("two", [FAN_INS])):
        ticks.location.instance.report_runless_asset_event(inbox_event("toy", digest))
        assert ticks.until_idle() == expected


def test_models_are_trained_by_themselves_only_where_that_is_set(ticks, data_root):
    assert "model" not in ticks.tick()
    (data_root / "config.toml").write_text("[automation]\nauto_train = true\n[toy.tokens]\nbase = 7\n")
    ticks.location.load(toy.MODALITY)
    assert ticks.tick_and_run() == {"tokens": []}
    assert ticks.tick() == {"model": sorted(toy.MODALITY.variants)}


@pytest.mark.parametrize("stage", STAGE_NAMES)
def test_conditions_and_policies_of_each_stage(stage):
    asked = condition("toy", stage, AutomationSettings())
    assert (asked is None) == (stage == "model")
    assert condition("toy", stage, AutomationSettings(enabled=False)) is None
    assert condition("toy", stage, AutomationSettings(auto_train=True)) is not None
    policy = freshness_policy(stage, FreshnessSettings(fail_window_s=120, warn_window_s=60))
    expected = dg.FreshnessPolicy.time_window(fail_window=timedelta(seconds=120), warn_window=timedelta(seconds=60))
    assert policy == (None if stage == "model" else expected)
