import threading
from datetime import timedelta

import dagster as dg
import pytest

from bgb_assets.engine.outcomes import StageOutcome
from bgb_assets.modalities.contract import FAN_IN_STAGES, PER_UPLOAD_STAGES, STAGE_NAMES
from bgb_assets.modalities.registry import modality
from bgb_assets.orchestration.assets import build_assets, dagster_code_version, materialization, metadata_of
from bgb_assets.orchestration.partitions import asset_key
from bgb_assets.runtime.settings import load_settings
from bgb_assets.storage.leases import lease
from bgb_assets_tests import toy
from bgb_assets_tests.orchestration.in_process import errors_of

BEATMAP_KEYS = {
    "beatmap/inbox",
    "beatmap/raw",
    "beatmap/cache",
    "beatmap/features",
    "beatmap/notes",
    "beatmap/manifest",
    "beatmap/tokens",
    "beatmap/model",
}
DEPS = {
    "raw": set(),
    "cache": {"raw"},
    "features": {"cache", "raw"},
    "notes": {"raw", "features"},
    "manifest": {"raw", "cache", "features", "notes", "inbox"},
    "tokens": {"manifest", "notes", "features"},
    "model": {"tokens"},
}
KINDS = {"raw": {"json"}, "cache": {"wav"}, "features": {"numpy"}, "notes": {"parquet"}} | {
    "manifest": {"parquet"},
    "tokens": {"numpy"},
    "model": {"pytorch"},
}


@pytest.fixture
def specs(data_root) -> dict[str, dg.AssetSpec]:
    """Every spec of the modality beatmap, by key."""
    settings = load_settings({"BGB_DATA_ROOT": str(data_root)})
    assets = build_assets(modality("beatmap"), settings)
    found = [spec for item in assets for spec in (item.specs if isinstance(item, dg.AssetsDefinition) else [item])]
    return {spec.key.to_user_string(): spec for spec in found}


def test_all_asset_keys(specs):
    assert set(specs) == BEATMAP_KEYS


@pytest.mark.parametrize("stage", STAGE_NAMES)
def test_what_an_asset_says_of_itself(specs, stage):
    spec, declared = specs[f"beatmap/{stage}"], modality("beatmap").stage(stage)
    assert spec.group_name == "beatmap"
    assert spec.description == declared.description
    assert spec.kinds == KINDS[stage]
    assert spec.owners == ["team:bgb-assets"]
    assert {dep.asset_key.path[-1] for dep in spec.deps} == DEPS[stage]
    assert spec.code_version == dagster_code_version(modality("beatmap"), declared)
    assert spec.metadata["function"] == declared.run
    assert spec.tags["bgb/stage"] == stage
    assert spec.skippable == (stage in PER_UPLOAD_STAGES)
    assert (spec.automation_condition is None) == (stage == "model")
    window = dg.FreshnessPolicy.time_window(fail_window=timedelta(days=7))
    assert spec.freshness_policy == (None if stage == "model" else window)


def test_partitions(specs):
    assert all(specs[f"beatmap/{stage}"].partitions_def.name == "beatmap_uploads" for stage in PER_UPLOAD_STAGES)
    assert specs["beatmap/manifest"].partitions_def is specs["beatmap/tokens"].partitions_def is None
    variants = specs["beatmap/model"].partitions_def.get_partition_keys()
    assert variants == list(modality("beatmap").variants)


def test_checks_of_the_uploads(data_root):
    settings = load_settings({"BGB_DATA_ROOT": str(data_root)})
    (uploads,) = (
        item
        for item in build_assets(modality("beatmap"), settings)
        if isinstance(item, dg.AssetsDefinition) and len(item.keys) == 4
    )
    names = {(key.asset_key.path[-1], key.name) for key in uploads.check_keys}
    assert names == {*((stage, "quarantine") for stage in PER_UPLOAD_STAGES), ("raw", "deletions")}
    assert uploads.backfill_policy == dg.BackfillPolicy.single_run()


def test_a_param_is_part_of_the_code_version(data_root):
    (data_root / "config.toml").write_text("[toy.cache]\nscale = 2\n")
    settings = load_settings({"BGB_DATA_ROOT": str(data_root)})
    versions = [
        {spec.key.path[-1]: spec.code_version for item in build_assets(toy.MODALITY, each) for spec in specs_of(item)}
        for each in (load_settings({"BGB_DATA_ROOT": str(data_root / "none")}), settings)
    ]
    assert [stage for stage in versions[0] if versions[0][stage] != versions[1][stage]] == ["cache"]


def specs_of(item) -> list[dg.AssetSpec]:
    return list(item.specs) if isinstance(item, dg.AssetsDefinition) else [item]


def test_the_event_of_an_upload_says_what_became_of_it():
    outcome = StageOutcome(
        "cache", "built", "f" * 64, "d" * 64, called=True, seconds=0.12345, metadata={"n": 3, "none": None, "list": [1]}
    )
    event = materialization("toy", "a", outcome)
    assert (event.asset_key, event.partition) == (asset_key("toy", "cache"), "a")
    assert event.tags == {"dagster/data_version": "d" * 64}
    plain = {name: value.value for name, value in event.metadata.items()}
    expected = {"n": 3, "none": None, "list": [1], "outcome": "built", "identity": "f" * 64, "bytes": 0}
    assert plain == {**expected, "seconds": 0.123}


def test_what_the_stage_says_cannot_hide_the_outcome():
    shown = metadata_of(StageOutcome("raw", "hit", "i", "d", metadata={"outcome": "lost"}, warnings=("look",)))
    assert shown["outcome"] == "hit"
    assert shown["warnings"].value == ["look"]


def test_a_run_reports_every_upload_at_every_stage(location, inbox):
    toy.write_upload(inbox / "a")
    toy.write_upload(inbox / "b", "!bad:cache 1")
    location.run(PER_UPLOAD_STAGES, location.ingest())
    versions = {stage: location.events(stage) for stage in PER_UPLOAD_STAGES}
    outcomes = {stage: {k: e.metadata["outcome"].value for k, e in held.items()} for stage, held in versions.items()}
    assert outcomes == {
        "raw": {"a": "built", "b": "built"},
        **{stage: {"a": "built", "b": "quarantined"} for stage in ("cache", "features", "notes")},
    }
    bad = versions["notes"]["b"]
    assert bad.tags["dagster/data_version"] == f"quarantined:{bad.metadata['identity'].value}"
    assert bad.metadata["rejected_by"].value == "cache"
    assert bad.metadata["reason"].value
    assert bad.metadata["remedy"].value


def test_one_stage_alone_brings_the_earlier_ones_up_to_date_and_reports_itself(location, inbox, toy_dir):
    toy.write_upload(inbox / "a")
    location.run(["features"], location.ingest())
    assert set(toy.calls_made(toy_dir)) == {"fingerprint", "raw", "cache", "features"}
    assert location.events("raw") == {}
    assert set(location.events("features")) == {"a"}


def test_a_forced_run_calls_the_selected_stages_again(location, inbox, toy_dir):
    toy.write_upload(inbox / "a")
    keys = location.everything()
    (toy_dir / "calls").unlink()
    location.run(["cache"], keys, **{"bgb/force": "1"})
    assert toy.calls_made(toy_dir) == ["cache"]


def test_a_run_tagged_with_one_asset_makes_that_one_again(location, inbox, toy_dir):
    toy.write_upload(inbox / "a")
    location.everything()
    (toy_dir / "calls").unlink()
    location.run(["manifest", "tokens"], **{"bgb/force": "toy/manifest"})
    assert toy.calls_made(toy_dir) == ["manifest"]
    assert location.events("manifest")[""].metadata["forced"].value == "run tag bgb/force=toy/manifest"
    (toy_dir / "calls").unlink()
    location.run(["manifest", "tokens"], **{"bgb/force": "toy/model"})
    assert not (toy_dir / "calls").exists()


def test_too_many_bad_uploads_fail_the_run_after_all_are_reported(location, inbox):
    for i in range(12):
        toy.write_upload(inbox / f"bad_{i:02}", f"!bad:raw {i}")
    toy.write_upload(inbox / "good")
    done = location.run(PER_UPLOAD_STAGES, location.ingest(), success=False)
    assert len(location.events("notes")) == 13
    assert location.events("notes")["good"].metadata["outcome"].value == "built"
    evaluations = {evaluation.check_name for evaluation in done.get_asset_check_evaluations()}
    assert evaluations == {"quarantine", "deletions"}


def test_a_run_without_partitions_is_no_green_one(location):
    done = location.run(PER_UPLOAD_STAGES, success=False)
    assert "non-partitioned run" in errors_of(done)


def test_fan_ins_report_their_entry(location, inbox):
    toy.write_upload(inbox / "a")
    location.everything()
    for stage in FAN_IN_STAGES[:2]:
        (event,) = location.events(stage).values()
        assert event.metadata["outcome"].value == "built"
        assert len(event.tags["dagster/data_version"]) == 64


def test_one_run_trains_at_a_time(location, inbox, data_root):
    toy.write_upload(inbox / "a")
    location.everything()
    lock = location.chain.store.layout.state / "training.lock"
    variant = toy.MODALITY.default_variant
    training = threading.Thread(target=location.train, args=(variant,))
    with lease(lock):
        training.start()
        training.join(3)
        assert training.is_alive()
        assert location.events("model") == {}
    training.join(60)
    assert set(location.events("model")) == {variant}
