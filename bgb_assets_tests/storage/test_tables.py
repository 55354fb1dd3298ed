import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bgb_assets.runtime.errors import ContractError, StoreError
from bgb_assets.storage.columns import content_digest
from bgb_assets.storage.compaction import Weighted
from bgb_assets.storage.digests import sha256_file
from bgb_assets.storage.tables import conform, plan_parts, table_of, write_listing, write_part

TEXT = pa.dictionary(pa.int32(), pa.string())
SCHEMA = pa.schema([("song", TEXT), ("beat", pa.float64()), ("x", pa.int16())])


@dataclass(frozen=True)
class Part:
    location: str
    directory: Path


def rows(song: str, count: int) -> pa.Table:
    values = np.arange(count)
    return conform(pa.table({"beat": values / 8, "x": values % 4}), SCHEMA, {"song": song})


def same(left: pa.Table, right: pa.Table) -> bool:
    """Equal content, whatever the dictionaries hold."""
    return content_digest(left) == content_digest(right)


def write_parts(root: Path, uploads: dict[str, int], file_bytes: int = 10**9, **options) -> dict[str, Part]:
    """Write the table `notes` of uploads with so many rows each, as parts below a store root."""
    members = [Weighted(key, "0" * 64, 40 * count) for key, count in uploads.items()]
    parts = {}
    for name, group in plan_parts({"notes": members}, file_bytes).items():
        part = Part(
            f"manifest/m/{group.digest[:2]}/{group.digest}", root / f"manifest/m/{group.digest[:2]}/{group.digest}"
        )
        part.directory.mkdir(parents=True)
        write_part(part.directory, "notes", SCHEMA, ((key, rows(key, uploads[key])) for key in group.keys), **options)
        parts[name] = part
    return parts


@given(st.lists(st.integers(0, 9), max_size=30), st.integers(1, 20))
@settings(max_examples=40, deadline=None)
def test_row_groups_hold_whole_uploads_and_enough_rows(tmp_path_factory, counts, least):
    out = tmp_path_factory.mktemp("part")
    summary = write_part(out, "notes", SCHEMA, ((f"u{i}", rows(f"u{i}", n)) for i, n in enumerate(counts)), least)
    sizes = [pq.ParquetFile(out / "notes.parquet").metadata.row_group(i).num_rows for i in range(summary.row_groups)]
    assert all(size >= least for size in sizes[:-1])
    assert sum(sizes) == summary.rows == sum(counts)
    file = pq.ParquetFile(out / "notes.parquet")
    for place in pq.read_table(out / "index.parquet").to_pylist():
        found = file.read_row_group(place["row_group"]).slice(place["offset"], place["rows"])
        assert same(found, rows(place["upload"], counts[int(place["upload"][1:])]))


def test_one_row_group_per_upload_on_request(tmp_path):
    summary = write_part(tmp_path, "notes", SCHEMA, ((key, rows(key, 3)) for key in "abc"), "upload")
    assert (summary.row_groups, summary.uploads) == (3, 3)


def test_a_row_group_holds_only_the_names_that_occur_in_it(tmp_path):
    """A slice of a column with a large dictionary must not write that dictionary into every row group."""
    whole = pa.concat_tables([rows(f"song number {i:05d} of many", 2) for i in range(2000)]).unify_dictionaries()
    slices = ((f"u{i}", whole.slice(2 * i, 2)) for i in range(2000))
    write_part(tmp_path, "notes", SCHEMA, slices, 100)
    metadata = pq.ParquetFile(tmp_path / "notes.parquet").metadata
    largest = max(metadata.row_group(i).column(0).total_uncompressed_size for i in range(metadata.num_row_groups))
    assert largest < 50 * 40


def test_the_same_rows_give_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write_part(tmp_path / name, "notes", SCHEMA, ((key, rows(key, 50)) for key in "xyz"), 60)
    for file in ("notes.parquet", "index.parquet", "part.json"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    digest = json.loads((tmp_path / "a/part.json").read_bytes())["digest"]
    assert digest == sha256_file(tmp_path / "a/notes.parquet")


def test_files_are_split_by_size_and_none_is_empty(tmp_path):
    uploads = {f"song {i}": 1000 for i in range(40)}
    parts = write_parts(tmp_path, uploads, file_bytes=200_000)
    listing = write_listing(tmp_path, parts)
    files = listing["tables"]["notes"]
    assert [file["name"] for file in files] == [f"notes_{i:04d}.parquet" for i in range(len(files))]
    assert len(files) > 8
    assert all(file["rows"] > 0 and file["bytes"] <= 200_000 for file in files)
    assert sum(file["uploads"] for file in files) == 40
    assert {file["location"] for file in files} == {part.location for part in parts.values()}


def test_the_listing_finds_uploads_by_other_names_and_those_that_share_rows(tmp_path):
    parts = write_parts(tmp_path, {"a": 5, "b": 7})
    names = {"song_hash": {"a": "A", "b": "B", "copy": "B"}}
    write_listing(tmp_path, parts, names, stands_for={"copy": "b", "empty": "nothing written"})
    index = pq.read_table(tmp_path / "tables_index.parquet").to_pylist()
    assert [(one["upload"], one["song_hash"], one["offset"], one["rows"]) for one in index] == [
        ("a", "A", 0, 5),
        ("b", "B", 5, 7),
        ("copy", "B", 5, 7),
    ]


def test_nothing_to_list_is_a_valid_listing(tmp_path):
    assert write_listing(tmp_path, {}, {"song_hash": {}})["tables"] == {}
    assert pq.read_table(tmp_path / "tables_index.parquet").num_rows == 0


def test_a_part_under_the_wrong_name_is_refused(tmp_path):
    (part,) = write_parts(tmp_path, {"a": 5}).values()
    with pytest.raises(StoreError, match=r"'bombs_0000'.*holds the table 'notes', expected 'bombs'"):
        write_listing(tmp_path, {"bombs_0000": part})


def test_part_names_carry_their_table():
    members = [Weighted("a", "0" * 64, 1)]
    assert list(plan_parts({"b_c": members, "a": members, "none": []}, 10)) == ["a_0000", "b_c_0000"]
    assert table_of("b_c_0000") == "b_c"


def test_conform_orders_casts_and_fills():
    table = pa.table({"x": [1, 2], "beat": pa.array([1, 2])})
    found = conform(table, SCHEMA, {"song": None})
    assert found.schema.equals(SCHEMA)
    assert found["song"].to_pylist() == [None, None]
    encoded = pa.table({"song": pa.array(["s", "s"]).dictionary_encode().cast(pa.dictionary(pa.int8(), pa.string()))})
    assert conform(encoded, pa.schema([("song", TEXT)]))["song"].to_pylist() == ["s", "s"]
    with pytest.raises(ContractError, match=r"\['song'\] are missing and \['y'\] unknown"):
        conform(table.append_column("y", table["x"]), SCHEMA)
