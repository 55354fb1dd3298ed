"""Runs issued from the command line's side, over the project's own definitions with real songs."""

import dagster as dg
import pytest

from bgb_assets.modalities.contract import PER_UPLOAD_STAGES
from bgb_assets.modalities.registry import modality
from bgb_assets.orchestration.partitions import RANGE_END_TAG, RANGE_START_TAG, asset_key
from bgb_assets.orchestration.runs import Request, materialize, stages_through
from bgb_assets_tests.e2e import uploads

BEATMAP = modality("beatmap")


@pytest.fixture
def songs(instance, data_root) -> list[str]:
    """Keys of three songs that were taken in."""
    keys = uploads.good_songs(data_root / "inbox" / "beatmap", range(3))
    look(data_root)
    return keys


def look(data_root) -> None:
    from bgb_assets.chain import Chain
    from bgb_assets.engine.ingest import Ingest
    from bgb_assets.runtime.executor import InProcessExecutor
    from bgb_assets.runtime.settings import load_settings

    Ingest(Chain(BEATMAP, load_settings({"BGB_DATA_ROOT": str(data_root)}), InProcessExecutor())).apply()


def done_of(instance, present, stages, keys=None, **request) -> list[tuple[str, bool]]:
    asked = Request(stages, keys, workers=0, **request)
    return [(done.what, done.success) for done in materialize(instance, BEATMAP, present, asked)]


def test_stages_through():
    assert stages_through("cache") == ["raw", "cache"]
    assert stages_through("model", "manifest") == ["manifest", "tokens", "model"]


def test_one_request_becomes_a_range_and_the_fan_ins(instance, songs):
    assert done_of(instance, songs, stages_through("tokens")) == [
        ("beatmap: raw, cache, features, notes", True),
        ("beatmap: manifest, tokens", True),
    ]
    fan_ins, ranged = instance.get_runs()
    assert (ranged.tags[RANGE_START_TAG], ranged.tags[RANGE_END_TAG]) == (songs[0], songs[2])
    assert ranged.tags["bgb/modality"] == "beatmap"
    assert ranged.asset_selection == {asset_key("beatmap", stage) for stage in PER_UPLOAD_STAGES}
    assert fan_ins.asset_selection == {asset_key("beatmap", stage) for stage in ("manifest", "tokens")}
    assert len(instance.get_materialized_partitions(asset_key("beatmap", "notes"))) == 3


def test_some_uploads(instance, songs):
    done_of(instance, songs, ["raw"], [songs[1]])
    assert instance.get_materialized_partitions(asset_key("beatmap", "raw")) == {songs[1]}


def test_partitions_follow_the_uploads(instance, songs):
    instance.add_dynamic_partitions("beatmap_uploads", ["gone"])
    done_of(instance, songs, ["raw"])
    assert instance.get_dynamic_partitions("beatmap_uploads") == songs


def test_it_stops_after_a_run_that_failed(instance, songs, data_root):
    (data_root / "config.toml").write_text("[run]\nquarantine_count = 0\nquarantine_share = 0.0\n")
    (data_root / "inbox" / "beatmap" / songs[0] / "Info.dat").write_bytes(b"")
    look(data_root)
    (done,) = materialize(instance, BEATMAP, songs, Request(stages_through("tokens"), workers=0))
    assert not done.success
    assert "TooManyQuarantined" in done.error
    assert "1 of 3 uploads were quarantined" in done.error
    assert len(instance.get_materialized_partitions(asset_key("beatmap", "notes"))) == 3


def test_a_forced_run_is_tagged(instance, songs):
    done_of(instance, songs, ["raw"], force=True)
    (run,) = instance.get_runs()
    assert run.tags["bgb/force"] == "1"


def test_a_stock_event_log_is_told(data_root, songs, tmp_path, caplog):
    (tmp_path / "stock").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "stock")) as stock:
        assert done_of(stock, songs, ["raw"]) == [("beatmap: raw", True)]
    assert "stock event log" in caplog.text
