import shutil

import dagster as dg
import pytest

from bgb_assets.modalities.contract import PER_UPLOAD_STAGES
from bgb_assets.orchestration.checks import NAMED, build_checks, quarantine_result, upload_check_evaluations
from bgb_assets.orchestration.partitions import asset_key
from bgb_assets.storage.quarantine import Rejection
from bgb_assets_tests import toy

KEY = dg.AssetCheckKey(asset_key("toy", "raw"), "quarantine")


def evaluated(location) -> dict[tuple[str, str], dg.AssetCheckEvaluation]:
    return {(each.asset_key.path[-1], each.check_name): each for each in upload_check_evaluations(location.chain)}


def test_a_rejection_fails_the_check_of_its_stage_and_of_those_below(location, inbox):
    toy.write_upload(inbox / "good")
    toy.write_upload(inbox / "bad", "!bad:features 1")
    done = location.run(PER_UPLOAD_STAGES, location.ingest())
    passed = {(e.asset_key.path[-1], e.check_name): e.passed for e in done.get_asset_check_evaluations()}
    assert passed == {
        ("raw", "quarantine"): True,
        ("raw", "deletions"): True,
        ("cache", "quarantine"): True,
        ("features", "quarantine"): False,
        ("notes", "quarantine"): False,
    }
    failed = evaluated(location)["notes", "quarantine"]
    assert failed.description == "1 of 2 uploads are in quarantine: bad"
    (row,) = failed.metadata["rows"].value
    assert (row["upload"], row["stage"]) == ("bad", "features")
    assert row["reason"]
    assert row["remedy"]
    assert failed.severity == dg.AssetCheckSeverity.WARN


def test_the_sensor_says_what_a_run_says(location, inbox):
    toy.write_upload(inbox / "bad", "!bad:raw 1")
    done = location.run(PER_UPLOAD_STAGES, location.ingest())
    in_run = {
        (e.asset_key.path[-1], e.check_name): (e.passed, e.description) for e in done.get_asset_check_evaluations()
    }
    assert {name: (e.passed, e.description) for name, e in evaluated(location).items()} == in_run


def test_a_rejected_upload_that_is_mended_passes(location, inbox):
    toy.write_upload(inbox / "a", "!bad:raw 1")
    location.run(PER_UPLOAD_STAGES, location.ingest())
    assert not evaluated(location)["raw", "quarantine"].passed
    toy.write_upload(inbox / "a", "1 2")
    location.run(PER_UPLOAD_STAGES, location.ingest())
    assert evaluated(location)["raw", "quarantine"].passed


def test_deletions_that_are_held_back_fail_their_check(location, inbox):
    for i in range(12):
        toy.write_upload(inbox / f"u{i:02}")
    location.ingest()
    assert evaluated(location)["raw", "deletions"].passed
    for i in range(11):
        shutil.rmtree(inbox / f"u{i:02}")
    location.ingest()
    held = evaluated(location)["raw", "deletions"]
    assert not held.passed
    assert "11 of 12 uploads vanished at once" in held.description
    assert "--confirm-deletions" in held.description


def test_only_so_many_are_named():
    rows = [Rejection(f"{i}", "toy", "raw", f"u{i:03}", "input", "why", "what") for i in range(NAMED + 1)]
    result = quarantine_result(rows, 100, KEY)
    assert result.metadata["rejected"].value == NAMED + 1
    assert len(result.metadata["rows"].value) == NAMED
    assert f"u{NAMED - 1:03}" in result.description
    assert f"u{NAMED:03}" not in result.description


def test_no_rejection_passes():
    result = quarantine_result([], 3, KEY)
    assert (result.passed, result.description) == (True, "none")


@pytest.mark.parametrize("problems", [[], ["row 3 has no split"]])
def test_audits_of_fan_ins_are_checks(location, inbox, monkeypatch, problems):
    monkeypatch.setattr(f"{__name__}.PROBLEMS", problems)
    location.load(toy.with_stage(toy.MODALITY, "manifest", audits={"splits": f"{__name__}:audit"}))
    (check,) = build_checks(location.modality)
    (key,) = check.check_keys
    assert key == dg.AssetCheckKey(asset_key("toy", "manifest"), "splits")
    toy.write_upload(inbox / "a")
    location.run(PER_UPLOAD_STAGES, location.ingest())
    done = location.run(["manifest"])
    (found,) = done.get_asset_check_evaluations()
    assert (found.passed, found.description) == (not problems, "; ".join(problems) or "none")


PROBLEMS: list[str] = []


def audit(directory, root) -> list[str]:
    """Find what the test says, in a manifest that is there."""
    assert (directory / "rows.json").is_file()
    return PROBLEMS
