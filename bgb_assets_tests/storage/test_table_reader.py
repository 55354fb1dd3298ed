import json
import subprocess
import sys
from unittest import mock

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bgb_assets.runtime.errors import NewerStore, StoreError, UsageError
from bgb_assets.storage.columns import Codes
from bgb_assets.storage.table_reader import Tables, read_table, to_pandas
from bgb_assets.storage.tables import write_listing
from bgb_assets_tests.storage.test_tables import rows, same, write_parts

READ_ROW_GROUP = pq.ParquetFile.read_row_group
UPLOADS = {f"song {i}": 10 * (i + 1) for i in range(12)}


@pytest.fixture
def manifest(tmp_path):
    """The directory of a manifest of 12 uploads in several files of several row groups; one upload has a double."""
    directory = tmp_path / "manifest/m/ab/abc"
    directory.mkdir(parents=True)
    parts = write_parts(tmp_path, UPLOADS, file_bytes=12_000, rows_per_group=100)
    write_listing(directory, parts, {"song_hash": {key: key.upper() for key in UPLOADS}}, {"double": "song 3"})
    return directory


def test_a_whole_table_has_every_row_of_every_live_file_once(manifest):
    with Tables(manifest) as tables:
        assert len(tables.files("notes")) > 2
        whole = tables.read("notes", ["song", "x"])
    assert whole.column_names == ["song", "x"]
    counted = {one["values"]: one["counts"] for one in whole["song"].combine_chunks().value_counts().to_pylist()}
    assert counted == UPLOADS


def test_one_upload_opens_one_row_group_of_one_file(manifest):
    with Tables(manifest) as tables:
        tables.of_upload("notes", "song 0")
        with mock.patch.object(pq.ParquetFile, "read_row_group", autospec=True, side_effect=READ_ROW_GROUP) as read:
            found = tables.of_upload("notes", "song 7")
        assert read.call_count == 1
    assert same(found, rows("song 7", 80))


def test_every_upload_is_found_by_each_of_its_names(manifest):
    with Tables(manifest) as tables:
        for key, count in UPLOADS.items():
            assert same(tables.of_upload("notes", key), rows(key, count))
            assert same(tables.of_upload("notes", key.upper(), by="song_hash"), rows(key, count))
        assert same(tables.of_upload("notes", "double"), rows("song 3", 40))


def test_an_upload_without_rows_is_an_empty_table(manifest):
    with Tables(manifest) as tables:
        empty = tables.of_upload("notes", "no such song", ["x"])
    assert (empty.num_rows, empty.column_names) == (0, ["x"])


def test_grouped_columns_are_cut_at_the_uploads(manifest):
    with Tables(manifest) as tables:
        grouped = tables.grouped("notes", ["song", "x", "beat"])
        assert sorted(grouped.uploads) == sorted(UPLOADS)
        assert grouped.offsets[-1] == sum(UPLOADS.values())
        songs = grouped.columns["song"]
        assert isinstance(songs, Codes)
        for i, key in enumerate(grouped.uploads):
            part = slice(grouped.offsets[i], grouped.offsets[i + 1])
            assert {songs.values[code] for code in songs.codes[part]} == {key}
            np.testing.assert_array_equal(grouped.columns["beat"][part], np.arange(UPLOADS[key]) / 8)


def test_offsets_alone_open_no_table(manifest):
    tables = Tables(manifest)
    with mock.patch.object(pq.ParquetFile, "read_row_group") as read, mock.patch.object(tables, "read") as whole:
        grouped = tables.grouped("notes", [])
    assert not read.called
    assert not whole.called
    assert dict(zip(grouped.uploads, np.diff(grouped.offsets), strict=True)) == UPLOADS


def test_a_smaller_manifest_reads_the_rest_and_nothing_of_the_removed(manifest, tmp_path):
    kept = {key: UPLOADS[key] for key in ("song 2",)}
    parts = write_parts(tmp_path / "later", kept)
    smaller = tmp_path / "later/manifest/m/cd/cde"
    smaller.mkdir(parents=True)
    write_listing(smaller, parts)
    (smaller / "notes_0007.parquet").write_bytes(b"left behind by an earlier state")
    assert same(read_table(smaller), rows("song 2", 30))


def test_reading_a_directory_a_file_and_listed_files(tmp_path):
    for number in (1, 0, 10):
        pq.write_table(rows(f"s{number}", 2), tmp_path / f"notes_{number:04d}.parquet")
    listed = [tmp_path / "notes_0010.parquet", tmp_path / "notes_0000.parquet"]
    assert read_table(tmp_path)["song"].to_pylist() == ["s0", "s0", "s1", "s1", "s10", "s10"]
    assert read_table(listed[0])["song"].to_pylist() == ["s10", "s10"]
    assert read_table(listed, columns=["song"])["song"].to_pylist() == ["s10", "s10", "s0", "s0"]
    pq.write_table(rows("other", 1), tmp_path / "bombs.parquet")
    assert read_table(tmp_path, "bombs").num_rows == 1


def test_an_older_layout_is_read_under_the_present_names(tmp_path):
    pq.write_table(pa.table({"time_seconds": [1.5], "x": [2]}), tmp_path / "notes.parquet")
    renames = {"time_seconds": "time_s", "angle_offset": "angle_deg"}
    assert read_table(tmp_path, renames=renames).column_names == ["time_s", "x"]
    assert read_table(tmp_path, columns=["time_s"], renames=renames).to_pydict() == {"time_s": [1.5]}


def test_what_cannot_be_read_says_so(manifest, tmp_path):
    tables = Tables(manifest)
    with pytest.raises(UsageError, match="no table 'walls'; there are notes"):
        tables.read("walls")
    with pytest.raises(UsageError, match=r"no columns \['y'\]; there are \['song', 'beat', 'x'\]"):
        tables.read("notes", ["y"])
    with pytest.raises(UsageError, match="uploads have no 'isrc'"):
        tables.of_upload("notes", "song 1", by="isrc")
    with pytest.raises(UsageError, match=r"expected one table in .* got none"):
        read_table(tmp_path)
    with pytest.raises(UsageError, match="the list is empty"):
        read_table([])
    with pytest.raises(UsageError, match=r"no tables\.json"):
        Tables(tmp_path)
    tables.files("notes")[0].unlink()
    with pytest.raises(StoreError, match="is listed but missing; build the manifest again"):
        Tables(manifest).read("notes")


def test_two_layouts_in_one_folder_are_not_guessed_at(tmp_path):
    pq.write_table(rows("a", 1), tmp_path / "notes.parquet")
    pq.write_table(rows("b", 1), tmp_path / "notes_0000.parquet")
    with pytest.raises(UsageError, match=r"both notes.parquet and numbered files"):
        read_table(tmp_path)


def test_a_newer_listing_is_refused(manifest):
    path = manifest / "tables.json"
    path.write_text(json.dumps({**json.loads(path.read_bytes()), "version": 2}))
    with pytest.raises(NewerStore, match="version 2, this program reads up to 1"):
        Tables(manifest)


def test_people_get_a_data_frame(manifest):
    frame = to_pandas(Tables(manifest).of_upload("notes", "song 1"))
    assert list(frame.columns) == ["song", "beat", "x"]
    assert frame["x"].tolist() == [i % 4 for i in range(20)]


def test_reading_numbers_imports_no_pandas(manifest):
    code = (
        "import sys; from pathlib import Path; from bgb_assets.storage.table_reader import Tables;"
        f"tables = Tables(Path({str(manifest)!r})); tables.grouped('notes', ['song', 'x']);"
        "assert tables.of_upload('notes', 'song 1').num_rows == 20; print('pandas' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
