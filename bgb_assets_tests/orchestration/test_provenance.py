"""Provenance tags per partition: what the staleness view concludes from them."""

import dagster as dg
import pytest
from dagster._core.definitions.data_version import CachingStaleStatusResolver, StaleStatus
from dagster._core.loader import LoadingContextForTest

from bgb_assets.orchestration.reporting import report_materializations
from bgb_assets_tests.orchestration import event_scenario
from bgb_assets_tests.orchestration.event_scenario import NOTES, RAW, range_tags, songs

UPLOADS = ["a", "b", "c"]
MADE = dg.DagsterEventType.ASSET_MATERIALIZATION


@pytest.fixture
def instance(tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", str(event_scenario.make_home(tmp_path / "home")))
    with dg.DagsterInstance.get() as instance:
        instance.add_dynamic_partitions(event_scenario.UPLOADS.name, UPLOADS)
        yield instance


def materialize(instance, first, last, assets=songs, **options):
    tags = {**range_tags(first, last), **options.pop("tags", {})}
    assert dg.materialize([assets], instance=instance, tags=tags, **options).success


def tags_of(instance, key, upload):
    records = instance.fetch_materializations(dg.AssetRecordsFilter(key, asset_partitions=[upload]), limit=1).records
    return records[0].asset_materialization.tags


def stale_causes(instance, key, upload, assets=songs):
    graph = dg.Definitions(assets=[assets]).resolve_asset_graph()
    resolver = CachingStaleStatusResolver(instance, graph, LoadingContextForTest(instance))
    causes = resolver.get_stale_causes(key, upload)
    assert (resolver.get_status(key, upload) == StaleStatus.FRESH) == (not causes)
    return [(cause.category.value, cause.reason) for cause in causes]


def test_downstream_points_at_the_upstream_event_of_its_own_partition(instance):
    materialize(instance, "a", "c")
    ids = instance.event_log_storage.get_latest_storage_id_by_partition(RAW, MADE)
    for upload in UPLOADS:
        tags = tags_of(instance, NOTES, upload)
        assert tags["dagster/code_version"] == "1"
        assert tags["dagster/data_version"] == f"notes-{upload}-1"
        assert tags["dagster/data_version_is_user_provided"] == "true"
        assert tags["dagster/input_data_version/song/raw"] == f"raw-{upload}-1"
        assert tags["dagster/input_event_pointer/song/raw"] == str(ids[upload])


def test_upstream_of_an_earlier_run_is_found_per_partition(instance):
    materialize(instance, "a", "b", selection=[RAW], tags={"version": "7"})
    materialize(instance, "a", "c", selection=[NOTES])
    assert tags_of(instance, NOTES, "b")["dagster/input_data_version/song/raw"] == "raw-b-7"
    never = tags_of(instance, NOTES, "c")
    assert never["dagster/input_data_version/song/raw"] == "INITIAL"
    assert never["dagster/input_event_pointer/song/raw"] == "NULL"


def test_only_a_new_version_of_the_same_partition_makes_stale(instance):
    materialize(instance, "a", "c")
    assert [stale_causes(instance, NOTES, upload) for upload in UPLOADS] == [[], [], []]
    materialize(instance, "a", "c", selection=[RAW])
    assert [stale_causes(instance, NOTES, upload) for upload in UPLOADS] == [[], [], []]
    materialize(instance, "b", "b", selection=[RAW], tags={"version": "2"})
    changed = [("DATA", "has a new dependency data version")]
    assert [stale_causes(instance, NOTES, upload) for upload in UPLOADS] == [[], changed, []]
    materialize(instance, "b", "b", selection=[NOTES])
    assert stale_causes(instance, NOTES, "b") == []


def test_a_new_code_version_makes_stale(instance):
    materialize(instance, "a", "a")
    raised = songs.map_asset_specs(lambda spec: spec.replace_attributes(code_version="2"))
    assert stale_causes(instance, RAW, "a", raised) == [("CODE", "has a new code version")]


def test_without_a_version_of_its_own_it_gets_the_one_that_dagster_computes(instance, tmp_path, monkeypatch):
    uploads = dg.DynamicPartitionsDefinition(name=event_scenario.UPLOADS.name)

    @dg.multi_asset(specs=[dg.AssetSpec("bare", skippable=True, partitions_def=uploads, code_version="3")])
    def reported(context: dg.AssetExecutionContext):
        report_materializations(context, [dg.AssetMaterialization("bare", partition="a")])
        yield from ()

    @dg.asset(name="bare", partitions_def=uploads, code_version="3")
    def returned() -> None:
        return None

    assert dg.materialize([reported], instance=instance, partition_key="a").success
    ours = tags_of(instance, dg.AssetKey("bare"), "a")
    assert dg.materialize([returned], instance=instance, partition_key="a").success
    assert ours == tags_of(instance, dg.AssetKey("bare"), "a")


def test_a_single_upload_run_says_what_dagster_itself_would(instance):
    """The same tags as a plain asset's, but for the version of the input, which Dagster hashes over a range."""
    uploads = event_scenario.UPLOADS

    @dg.asset(key=NOTES, deps=[RAW], partitions_def=uploads, code_version="1")
    def plain() -> dg.MaterializeResult:
        return dg.MaterializeResult(data_version=dg.DataVersion("notes-a-1"))

    materialize(instance, "a", "a")
    ours = dict(tags_of(instance, NOTES, "a"))
    assert dg.materialize([plain, songs_of_raw()], instance=instance, partition_key="a", selection=[plain]).success
    theirs = dict(tags_of(instance, NOTES, "a"))
    ours.pop("dagster/input_data_version/song/raw")
    theirs.pop("dagster/input_data_version/song/raw")
    assert ours == theirs


def songs_of_raw():
    return dg.AssetSpec(RAW, partitions_def=event_scenario.UPLOADS, code_version="1")
