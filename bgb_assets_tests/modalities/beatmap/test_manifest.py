import json
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path
from unittest import mock

import numpy as np
import pyarrow.parquet as pq
import pytest

from bgb_assets.modalities.beatmap.formats.naming import DIFFICULTIES as RANKED
from bgb_assets.modalities.beatmap.formats.tempo import tempo_from_events
from bgb_assets.modalities.beatmap.manifest import OLDER_NAMES, compacted_schemas, plan
from bgb_assets.modalities.beatmap.synth import click_track, synth, write_ogg
from bgb_assets.modalities.beatmap.tables import manifest_rows
from bgb_assets.modalities.beatmap.tables.filters import FilterParams
from bgb_assets.modalities.beatmap.tables.manifest_params import ManifestParams
from bgb_assets.runtime.errors import ConfigError, ContractError
from bgb_assets.storage.columns import content_digest
from bgb_assets.storage.manifest import read_counts, read_rows
from bgb_assets.storage.pins import Pins, write_pins
from bgb_assets.storage.splits import NONE, TEST, TRAIN, VAL, SplitParams, split_of
from bgb_assets.storage.table_reader import Tables, read_table
from bgb_assets_tests.fixtures import shared_data
from bgb_assets_tests.modalities.beatmap.songs_case import Store, facts

DIFFICULTIES = {"song_0000": 3, "song_0001": 2, "song_0002": 3}


@pytest.fixture(scope="module")
def songs(tmp_path_factory):
    """A store of three synthetic songs with audio, through the real stages."""
    root = tmp_path_factory.mktemp("songs")
    synth(root / "inbox", 3, 1)
    store = Store(root)
    for key in DIFFICULTIES:
        store.add(key, root / "inbox" / key)
    return store


@pytest.fixture
def store(songs):
    """The same songs; what a test registers or pins is gone afterwards."""
    yield Store(songs.root, dict(songs.members))
    write_pins(songs.root / "pins/beatmap", Pins())
    for path in (songs.root / "pins/beatmap").glob("*.json"):
        path.unlink()


def rows_of(out: Path) -> list[dict]:
    return read_rows(out).to_pylist()


def test_every_difficulty_is_a_row_that_points_to_its_song(store):
    out, result = store.manifest()
    rows = rows_of(out)
    assert Counter(row["upload"] for row in rows) == DIFFICULTIES
    assert all(row["included"] and row["reason"] == "" and row["status"] == "ok" for row in rows)
    for row in rows:
        member = store.members[row["upload"]]
        assert row["row_id"] == f"{row['upload']}/{row['characteristic']}.{row['difficulty']}"
        assert (
            row["beatmap_id"] == member.entries["raw"].facets[f"difficulty.{row['characteristic']}.{row['difficulty']}"]
        )
        assert row["group"] == row["audio_id"] == member.entries["raw"].facets["audio"]
        assert row["split"] == split_of("beatmap", row["group"], SplitParams())
        assert row["entry"] == member.entries["notes"].location
        assert np.load(store.root / row["mel"], mmap_mode="r").shape == (row["frames"], 81)
        assert (
            row["notes"] == member.entries["notes"].metadata["difficulties"][f"Standard {row['difficulty']}"]["notes"]
        )
        assert 20 < row["seconds"] < 30
        assert row["bpm"] > 0
    assert result.metadata["included"] == 8


def test_counts_by_difficulty_and_characteristic_are_exact(store):
    out, _ = store.manifest(ManifestParams(FilterParams(difficulties=("Hard", "Expert"))))
    counts = read_counts(out)
    assert (counts["rows"], counts["included"], counts["excluded"], counts["songs"]) == (8, 6, 2, 3)
    assert counts["reasons"] == {"difficulty": 2}
    found = {name: (count["rows"], count["included"]) for name, count in counts["classes"]["difficulty"].items()}
    assert found == {"Normal": (2, 0), "Hard": (3, 3), "Expert": (3, 3)}
    assert counts["classes"]["characteristic"]["Standard"]["rows"] == 8
    assert counts["params"]["filters"]["difficulties"] == ["Hard", "Expert"]


def test_the_tables_hold_each_song_as_one_slice(store):
    out, _ = store.manifest()
    with Tables(out) as tables:
        for key, member in store.members.items():
            for by, name in (("upload", key), ("song_hash", member.entries["raw"].facets["song"])):
                found = tables.of_upload("notes", name, by=by)
                own = pq.read_table(member.entries["notes"].directory / "notes.parquet")
                assert content_digest(found.drop_columns(["source"])) == content_digest(own)
        assert set(tables.read("notes", ["source"])["source"].to_pylist()) == {"inbox"}
        assert tables.read("notes").schema.remove_metadata().equals(compacted_schemas()["notes"])
    assert read_table(out, "beatmaps", renames=OLDER_NAMES).num_rows == 8


def test_a_second_upload_of_a_song_is_a_duplicate_and_its_rows_are_written_once(store):
    store.again("zz copy", "song_0001")
    out, _ = store.manifest()
    rows = [row for row in rows_of(out) if row["upload"] == "zz copy"]
    assert [(row["included"], row["reason"]) for row in rows] == [(False, "duplicate")] * 2
    assert {row["split"] for row in rows} == {row["split"] for row in rows_of(out) if row["upload"] == "song_0001"}
    with Tables(out) as tables:
        assert tables.read("beatmaps").num_rows == 8
        assert content_digest(tables.of_upload("notes", "zz copy")) == content_digest(
            tables.of_upload("notes", "song_0001")
        )
    kept, _ = store.manifest(ManifestParams(FilterParams(duplicates=True)))
    assert read_counts(kept)["included"] == 10


def test_a_duplicate_takes_the_place_of_one_that_is_left_out(store):
    store.again("aa generated", "song_0001", **facts(automapper=True))
    out, _ = store.manifest()
    reasons = {row["upload"]: row["reason"] for row in rows_of(out)}
    assert reasons["aa generated"] == "auto_generated"
    assert reasons["song_0001"] == ""


def test_one_more_song_makes_few_files_and_moves_no_split(store):
    """With one file per song, all that was written before stays."""
    params = ManifestParams(max_file_bytes=1)
    before, _ = store.manifest(params, keys=["song_0000", "song_0001"])
    old = {row["row_id"]: row for row in rows_of(before)}
    out, _ = store.manifest(params)
    tables = sorted(path.stem for path in store.members["song_0002"].entries["notes"].directory.glob("*.parquet"))
    assert sorted(name.rpartition("_")[0] for name in store.parts_made) == sorted(["landmarks", *tables])
    assert {row["row_id"]: row for row in rows_of(out) if row["upload"] != "song_0002"} == old
    store.manifest(params, keys=["song_0001"])
    assert store.parts_made == []


def test_files_are_planned_for_each_table_on_its_own(store):
    plans = plan(store.fan_in(), ManifestParams())
    assert {"notes_0000", "beatmaps_0000", "tempo_0000"} <= plans.keys()
    assert len({(plan.facets["members"], plan.params["table"]) for plan in plans.values()}) == len(plans)
    assert plans["notes_0000"].members == tuple(DIFFICULTIES)


def test_one_row_group_per_song_on_request(store):
    out, _ = store.manifest(ManifestParams(rows_per_group="song"))
    (file,) = json.loads((out / "tables.json").read_bytes())["tables"]["notes"]
    assert file["row_groups"] == 3


def test_the_same_songs_give_the_same_bytes(store):
    first, result = store.manifest()
    content = {path.name: path.read_bytes() for path in first.iterdir()}
    again, repeated = store.manifest(keys=reversed(list(DIFFICULTIES)))
    assert {path.name: path.read_bytes() for path in again.iterdir()} == content
    assert repeated.facets == result.facets
    assert result.facets.keys() == {"rows", "tables"}


def test_no_songs_make_a_valid_empty_manifest(store):
    out, result = store.manifest(keys=[])
    assert rows_of(out) == []
    assert result.metadata["rows"] == 0
    assert pq.read_table(out / "songs.parquet").num_rows == 0
    assert Tables(out).names == ()


def test_songs_have_what_their_source_says(store):
    labels = {"source": "beatsaver", "popularity": {"score": 0.75, "upvotes": 30, "tags": ["dance"]}}
    store.again("song_0000", "song_0000", **labels, **facts(source_id="1a2b", uploaded_at="2024-05-01T00:00:00Z"))
    out, _ = store.manifest()
    song = pq.read_table(out / "songs.parquet").to_pylist()[0]
    assert (song["upload"], song["source_id"], song["upvotes"], song["tags"]) == ("song_0000", "1a2b", 30, ["dance"])
    assert song["title"] == "Synth 1-0000"
    assert song["ranked"] is None
    rows = [row for row in rows_of(out) if row["upload"] == "song_0000"]
    assert {(row["source"], row["score"], row["weight"]) for row in rows} == {("beatsaver", 0.75, 0.75)}


def test_official_songs_get_their_share_of_the_weight(store):
    store.again("song_0001", "song_0001", source="official")
    out, _ = store.manifest()
    mass = Counter()
    for row in rows_of(out):
        mass[row["source"]] += row["weight"]
    assert mass["official"] / sum(mass.values()) == pytest.approx(0.2)
    assert mass["inbox"] == 6.0


def test_a_sources_own_split_wins(store):
    for key, name in (("song_0000", "val"), ("song_0001", "test"), ("song_0002", "train")):
        store.again(key, key, **facts(split=name))
    out, _ = store.manifest()
    assert {row["upload"]: row["split"] for row in rows_of(out)} == {
        "song_0000": VAL,
        "song_0001": TEST,
        "song_0002": TRAIN,
    }


def test_pinned_pairs_are_one_group_and_nothing_leaves_the_test_split(store):
    audio = {key: member.entries["raw"].facets["audio"] for key, member in store.members.items()}
    pairs = ((audio["song_0000"], audio["song_0001"]), (audio["song_0001"], audio["song_0002"]))
    pins = {audio["song_0001"]: TRAIN, audio["song_0000"]: TEST, audio["song_0002"]: VAL}
    write_pins(store.root / "pins/beatmap", Pins(pins, pairs=pairs))
    out, result = store.manifest()
    rows = {row["upload"]: row for row in rows_of(out)}
    assert {row["group"] for row in rows.values()} == {min(audio.values())}
    assert {key: (row["split"], row["reason"]) for key, row in rows.items()} == {
        "song_0000": (NONE, "split_conflict"),
        "song_0001": (TRAIN, ""),
        "song_0002": (TRAIN, ""),
    }
    counts = read_counts(out)
    assert counts["merged_groups"] == {min(audio.values()): sorted(audio.values())}
    assert [(move["group"], move["pinned"], move["split"]) for move in counts["moved"]] == [
        (audio["song_0002"], "val", "train")
    ]
    assert any("was pinned to val and is in train now" in warning for warning in result.warnings)
    assert "3 difficulties are left out as split_conflict" in result.warnings[-1]


def test_a_leak_fails_the_manifest_and_names_the_group(store):
    real = manifest_rows.decide

    def leaking(*given):
        decision = real(*given)
        return replace(decision, splits=(TEST if decision.splits[0] != TEST else TRAIN, *decision.splits[1:]))

    group = store.members["song_0000"].entries["raw"].facets["audio"]
    with (
        mock.patch.object(manifest_rows, "decide", leaking),
        pytest.raises(ContractError, match=f"beatmap/manifest.*{group}"),
    ):
        store.manifest()


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (facts(split="dev"), "expected one of train, val, test, got 'dev'"),
        ({"popularity": {"score": 75}}, "'song_0000': expected a score from 0 to 1, got 75"),
    ],
)
def test_what_a_source_says_wrongly_is_named(store, labels, message):
    store.again("song_0000", "song_0000", **labels)
    with pytest.raises(ConfigError, match=message):
        store.manifest()


def test_real_maps_without_audio_are_rows_with_their_reasons(tmp_path):
    store = Store(tmp_path)
    store.add("JOURNEY", shared_data("beatmap") / "maps/JOURNEY")
    out, result = store.manifest()
    rows = rows_of(out)
    assert result.metadata["reasons"] == {"missing_file": 4, "no_audio": 2}
    song_hash = store.members["JOURNEY"].entries["raw"].facets["song"]
    assert {(row["group"], row["mel"], row["frames"]) for row in rows} == {(song_hash, "", None)}
    kept, _ = store.manifest(ManifestParams(FilterParams(audio=False)))
    notes = {(row["characteristic"], row["difficulty"]): row["notes"] for row in rows_of(kept) if row["included"]}
    assert notes == {("Standard", "ExpertPlus"): 2313, ("OneSaber", "ExpertPlus"): 1227}


def test_real_maps_with_audio_that_clicks_on_the_beat_are_included(tmp_path):
    upload = tmp_path / "inbox/werewolf_howls"
    shutil.copytree(shared_data("beatmap") / "maps/werewolf_howls", upload)
    audio_name = json.loads((upload / "Info.dat").read_bytes())["_songFilename"]
    write_ogg(upload / audio_name, click_track(tempo_from_events(222.0, [], []).tempo, 116.0, 22_050), 22_050)
    store = Store(tmp_path)
    store.add("werewolf", upload)
    out, _ = store.manifest()
    assert [(row["difficulty"], row["reason"]) for row in rows_of(out)] == [(name, "") for name in RANKED]
