"""The compacted tables over many songs: bounds, one slice a song, and what is left after most songs are gone."""

import json
from pathlib import Path
from unittest import mock

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bgb_assets.modalities.beatmap.manifest import compacted_schemas
from bgb_assets.modalities.beatmap.tables.filters import FilterParams
from bgb_assets.modalities.beatmap.tables.manifest_params import ManifestParams
from bgb_assets.storage.columns import content_digest
from bgb_assets.storage.manifest import read_rows
from bgb_assets.storage.table_reader import Tables
from bgb_assets_tests.modalities.beatmap.map_files import difficulty_v3, info_v2, simple_map, write_files
from bgb_assets_tests.modalities.beatmap.songs_case import Store

SONGS = 40
MAX_FILE_BYTES = 200_000
SMALL = ManifestParams(FilterParams(audio=False), max_file_bytes=MAX_FILE_BYTES, rows_per_group=3_000)
ODD_COLUMNS = (1000, 3000, -1, 40_000)
"""Columns of mapping extensions, one left of the grid, and one that int16 does not hold."""

COMPACTED = {
    "notes": "bpm double, beat double, time_s double, x int16, y int16, color int8, cut_direction int16, "
    "angle_deg int16, in_grid bool, fake bool, clamped bool",
    "bombs": "beat double, time_s double, x int16, y int16, in_grid bool, fake bool",
    "walls": "beat double, time_s double, duration_beats double, end_time_s double, x int16, y int16, width int16, "
    "height int16, fake bool",
    "arcs": "color int8, beat double, time_s double, x int16, y int16, cut int16, mult float, tail_beat double, "
    "tail_time_s double, tail_x int16, tail_y int16, tail_cut int16, tail_mult float, mid_anchor int8",
    "chains": "color int8, beat double, time_s double, x int16, y int16, cut int16, tail_beat double, "
    "tail_time_s double, tail_x int16, tail_y int16, slices int16, squish float",
    "tempo": "beat double, time_s double, bpm double",
    "njs": "beat double, delta float, easing int8, extend int8",
    "beatmaps": "rank int8, njs float, njo float, map_version NAME, audio_id NAME, tempo_id NAME, notes int32, "
    "bombs int32, walls int32, arcs int32, chains int32, first_s double, last_s double, nps float, peak_nps_4s float, "
    "bpm_base double, tempo_changes int16, off_grid_share float, timing_shift_ms float, timing_ratio float, "
    "out_of_grid int32, fake int32, swings int32, parity_errors int32, requirements list<item: string>, status NAME, "
    "reason string",
}
"""Columns behind the names, in order, as the documentation has them."""

NAME = "dictionary<values=string, indices=int32, ordered=0>"


@pytest.fixture(scope="module")
def songs(tmp_path_factory) -> Store:
    """Songs without audio, of different lengths, each with notes whose columns are odd."""
    root = tmp_path_factory.mktemp("songs")
    store = Store(root)
    for number in range(SONGS):
        random = np.random.default_rng(number)
        count = 400 * (1 + number % 4)
        beats = np.round(np.sort(random.uniform(0, 400, count)), 3).tolist()
        cells = random.integers(0, (4, 3, 2, 9), (count, 4)).tolist()
        notes = [{"b": beat, "x": x, "y": y, "c": c, "d": d} for beat, (x, y, c, d) in zip(beats, cells, strict=True)]
        odd = [{"b": 401.0, "x": x, "y": 1} for x in ODD_COLUMNS]
        bombs = [{"b": beat, "x": 1} for beat in beats[::50]]
        files = {"Info.dat": info_v2(), "Expert.dat": difficulty_v3(*notes, *odd, bombNotes=bombs)}
        store.add(f"song {number:02d}", write_files(root / "inbox" / str(number), files))
    return store


def own_notes(store: Store, key: str) -> pa.Table:
    return pq.read_table(store.members[key].entries["notes"].directory / "notes.parquet")


def assert_every_song_is_there(store: Store, out: Path, keys: list[str]) -> None:
    """Check the notes of each song against its own entry, and that there is nothing else."""
    with Tables(out) as tables:
        for key in keys:
            found = tables.of_upload("notes", key)
            assert content_digest(found.drop_columns(["source"])) == content_digest(own_notes(store, key)), key
        assert tables.read("notes").num_rows == sum(own_notes(store, key).num_rows for key in keys)
        assert set(tables.read("beatmaps")["song_hash"].to_pylist()) == {
            store.members[key].entries["raw"].facets["song"] for key in keys
        }


def test_the_columns_are_those_documented():
    for table, schema in compacted_schemas().items():
        names = ["song_hash", "beatmap_id", "source", "characteristic", "difficulty"]
        expected = [f"{name} {NAME}" for name in names] + COMPACTED[table].replace("NAME", NAME).split(", ")
        joined = ", ".join(f"{field.name} {field.type}" for field in schema)
        assert joined == ", ".join(expected), table
    assert set(COMPACTED) == set(compacted_schemas())


def test_files_are_split_below_their_bound_and_none_is_empty(songs):
    out, _ = songs.manifest(SMALL)
    listed = json.loads((out / "tables.json").read_bytes())["tables"]["notes"]
    assert len(listed) > 3
    for file in listed:
        path = songs.root / file["location"] / "notes.parquet"
        assert 0 < path.stat().st_size == file["bytes"] <= MAX_FILE_BYTES
        metadata = pq.ParquetFile(path)
        assert metadata.schema_arrow.remove_metadata().equals(compacted_schemas()["notes"])
        assert metadata.metadata.num_rows == file["rows"] > 0
    assert sum(file["uploads"] for file in listed) == SONGS
    assert_every_song_is_there(songs, out, list(songs.members))


def test_one_song_is_one_slice_of_one_row_group_of_one_file(songs):
    out, _ = songs.manifest(SMALL)
    read_row_group = pq.ParquetFile.read_row_group
    with Tables(out) as tables:
        for key, member in songs.members.items():
            with mock.patch.object(pq.ParquetFile, "read_row_group", autospec=True, side_effect=read_row_group) as read:
                found = tables.of_upload("notes", member.entries["raw"].facets["song"], by="song_hash")
            assert read.call_count == 1
            assert found.num_rows == own_notes(songs, key).num_rows


def test_one_row_group_per_song_on_request(songs):
    out, _ = songs.manifest(ManifestParams(FilterParams(audio=False), rows_per_group="song"))
    for file in json.loads((out / "tables.json").read_bytes())["tables"]["notes"]:
        parquet = pq.ParquetFile(songs.root / file["location"] / "notes.parquet")
        groups = [parquet.read_row_group(number) for number in range(parquet.num_row_groups)]
        assert len(groups) == file["uploads"]
        assert all(len(set(group["song_hash"].to_pylist())) == 1 for group in groups)


def test_after_most_songs_are_gone_a_read_gives_exactly_the_rest(songs):
    songs.manifest(SMALL)
    rest = list(songs.members)[::10]
    out, _ = songs.manifest(SMALL, keys=rest)
    assert len(rest) == SONGS // 10
    assert_every_song_is_there(songs, out, rest)
    with Tables(out) as tables:
        gone = next(key for key in songs.members if key not in rest)
        assert tables.of_upload("notes", gone).num_rows == 0
    assert {row["upload"] for row in read_rows(out).to_pylist()} == set(rest)


def test_odd_columns_reach_the_tables_and_what_does_not_fit_is_marked(songs):
    out, _ = songs.manifest(SMALL)
    with Tables(out) as tables:
        notes = tables.read("notes", ["beat", "x", "in_grid", "clamped"]).to_pandas()
        counted = tables.read("beatmaps", ["out_of_grid"])["out_of_grid"].to_pylist()
    odd = notes[notes["beat"] == 401.0]
    assert sorted(zip(odd["x"], odd["clamped"], strict=True)) == sorted(
        [(1000, False), (3000, False), (-1, False), (32_767, True)] * SONGS
    )
    assert not odd["in_grid"].any()
    assert int(notes["clamped"].sum()) == SONGS
    assert counted == [len(ODD_COLUMNS)] * SONGS


@pytest.mark.parametrize("spelled", ["Expert+", "expert_plus", "EX+", "Expert Plus"])
def test_a_difficulty_by_another_name_passes_a_filter_by_its_own(tmp_path, spelled):
    store = Store(tmp_path)
    entries = [{"b": 4 + beat, "c": beat % 2} for beat in range(20)]
    folder = simple_map(tmp_path / "inbox" / "a", *entries, files={("one_saber", spelled): "Expert.dat"})
    store.add("a", folder)
    filters = FilterParams(audio=False, difficulties=("ExpertPlus",), characteristics=("OneSaber",))
    out, _ = store.manifest(ManifestParams(filters))
    (row,) = read_rows(out).to_pylist()
    assert (row["difficulty"], row["characteristic"], row["included"]) == ("ExpertPlus", "OneSaber", True)
