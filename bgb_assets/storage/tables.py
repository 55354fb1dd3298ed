"""Many small tables as a few Parquet files: writing them, listing the live ones, finding one upload in them.

A file holds whole uploads in row groups of at least about 16,000 rows; its index says for every upload which slice
of which row group is its own. `tables.json` lists the files that count, so that a file of an earlier, larger state
can never be read by accident.

Belongs here: the file format, for any schema. Does not belong here: which uploads share a file (`compaction`), what
the columns mean (a modality's `notes` and `manifest`). Next in the flow: `bgb_assets.storage.table_reader`.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bgb_assets.runtime.errors import ContractError, StoreError
from bgb_assets.storage.atomic import write_json
from bgb_assets.storage.columns import as_codes, from_numpy
from bgb_assets.storage.compaction import Group, Weighted, assign
from bgb_assets.storage.digests import sha256_file

LISTING_FILE = "tables.json"
LISTING_VERSION = 1
INDEX_FILE = "tables_index.parquet"
PART_INDEX_FILE = "index.parquet"
PART_SUMMARY_FILE = "part.json"

ROWS_PER_GROUP = 16_384
RowsPerGroup: TypeAlias = int | Literal["upload"]
"""The least rows of a row group but the last, or `"upload"`: one row group per upload."""

_PLACE: dict[str, pa.DataType] = {"row_group": pa.int32(), "offset": pa.int64(), "rows": pa.int64()}
PART_INDEX = pa.schema({"upload": pa.string(), **_PLACE})
"""Where an upload's rows are in one file: `rows` of them from `offset`, counted within the row group."""


class Located(Protocol):
    """The entry of one part: what a listing needs to know about it."""

    @property
    def location(self) -> str:
        """Directory relative to the store root, POSIX."""

    @property
    def directory(self) -> Path:
        """The directory itself."""


@dataclass(frozen=True)
class PartSummary:
    """One written file.

    Attributes:
        table: Name of the table.
        rows: Rows in the file.
        row_groups: Row groups in the file.
        uploads: Uploads with at least one row.
        bytes: Size of the file.
        digest: SHA-256 of the file's bytes.
    """

    table: str
    rows: int
    row_groups: int
    uploads: int
    bytes: int
    digest: str


def plan_parts(members: Mapping[str, Iterable[Weighted]], file_bytes: int) -> dict[str, Group]:
    """Name the files of each table and say whose rows they hold.

    Args:
        members: Table -> the uploads that have rows in it, with the bytes of their own files.
        file_bytes: No file of several uploads passes this; one upload of half as much is a file by itself. It is
            also what one more upload makes to be written again, so that it is best well below what a file may have.

    Returns:
        Part name (`notes_0000`) -> its members. The number is stable, not consecutive (see `compaction.Group`).
    """
    target_bytes = max(1, file_bytes // 2)
    return {
        f"{table}_{group.name}": group
        for table in sorted(members)
        for group in assign(members[table], target_bytes, file_bytes)
    }


def table_of(part: str) -> str:
    """Return the table that a part belongs to."""
    return part.rpartition("_")[0]


def conform(table: pa.Table, schema: pa.Schema, constants: Mapping[str, str | None] | None = None) -> pa.Table:
    """Return the columns of `schema`, in its order and types; `constants` are columns of one value each.

    Raises:
        ContractError: A column is missing, or one is there that the schema does not know.
    """
    constants = constants or {}
    names = set(table.column_names)
    missing = [name for name in schema.names if name not in names and name not in constants]
    unknown = sorted(names - set(schema.names))
    if missing or unknown:
        raise ContractError(
            f"table: columns {missing!r} are missing and {unknown!r} unknown; expected {schema.names!r}"
        )
    columns = [
        _constant(constants[field.name], table.num_rows, field.type)
        if field.name in constants
        else table.column(field.name).cast(field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def write_part(
    out: Path,
    table: str,
    schema: pa.Schema,
    uploads: Iterable[tuple[str, pa.Table]],
    rows_per_group: RowsPerGroup = ROWS_PER_GROUP,
) -> PartSummary:
    """Write `<table>.parquet`, its index and its summary into the directory of one part.

    One row group is in memory at a time.

    Args:
        out: Existing directory.
        table: Name of the table.
        schema: Types of the columns; strings that repeat should be dictionaries.
        uploads: (upload key, its rows in this schema), each key once; written in the order given.
        rows_per_group: See `RowsPerGroup`.
    """
    path = out / f"{table}.parquet"
    schema = schema.remove_metadata()
    slices: dict[str, list[Any]] = {name: [] for name in PART_INDEX.names}
    row_groups = 0
    with pq.ParquetWriter(path, schema, **_writer_options(schema)) as writer:
        for row_groups, members in enumerate(_row_groups(uploads, rows_per_group), start=1):
            _write_row_group(writer, [rows for _, rows in members])
            _note_slices(slices, row_groups - 1, members)
    pq.write_table(pa.table(slices, schema=PART_INDEX), out / PART_INDEX_FILE, **_writer_options(PART_INDEX))
    count = len(slices["upload"])
    summary = PartSummary(table, sum(slices["rows"]), row_groups, count, path.stat().st_size, sha256_file(path))
    write_json(out / PART_SUMMARY_FILE, asdict(summary))
    return summary


def write_listing(
    out: Path,
    parts: Mapping[str, Located],
    names: Mapping[str, Mapping[str, str]] | None = None,
    stands_for: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Write `tables.json` and `tables_index.parquet` for the parts that are live now.

    Args:
        out: The manifest's directory.
        parts: Part name -> its entry.
        names: Further names an upload is found by: column -> (upload key -> name), such as `song_hash`.
        stands_for: Upload key -> key of the upload with the same rows, for uploads whose rows are written once.

    Returns:
        The content of `tables.json`. Files are numbered from 0 in each table, without gaps.
    """
    tables: dict[str, list[dict[str, Any]]] = {}
    indices: list[pa.Table] = []
    for part in sorted(parts, key=lambda name: (table_of(name), len(name), name)):
        entry = parts[part]
        files = tables.setdefault(table_of(part), [])
        indices.append(_part_index(entry.directory, table_of(part), len(files)))
        files.append(_listed(part, entry, len(files)))
    listing = {"version": LISTING_VERSION, "index": INDEX_FILE, "tables": tables}
    index = _named(_with_stand_ins(_joined(indices), stands_for or {}), names or {})
    pq.write_table(index, out / INDEX_FILE, **_writer_options(index.schema))
    write_json(out / LISTING_FILE, listing)
    return listing


def _writer_options(schema: pa.Schema) -> dict[str, Any]:
    """Return the fixed options: zstd, and Parquet dictionaries only where values repeat (strings and small numbers)."""
    repeating = [
        field.name
        for field in schema
        if pa.types.is_dictionary(field.type) or pa.types.is_string(field.type) or pa.types.is_list(field.type)
    ]
    return {"compression": "zstd", "compression_level": 1, "use_dictionary": repeating, "version": "2.6"}


def _constant(value: str | None, rows: int, kind: pa.DataType) -> Any:
    """Return one string repeated: a dictionary of one value, not `rows` copies of it."""
    repeated = pa.array([value], pa.string()).take(from_numpy(np.zeros(rows, np.int32)))
    return repeated.dictionary_encode().cast(kind) if pa.types.is_dictionary(kind) else repeated.cast(kind)


def _row_groups(
    uploads: Iterable[tuple[str, pa.Table]], rows_per_group: RowsPerGroup
) -> Iterator[list[tuple[str, pa.Table]]]:
    """Yield the uploads of each row group; uploads without rows are left out."""
    least = 1 if rows_per_group == "upload" else rows_per_group
    members: list[tuple[str, pa.Table]] = []
    rows = 0
    for key, table in uploads:
        if table.num_rows == 0:
            continue
        members.append((key, table))
        rows += table.num_rows
        if rows >= least:
            yield members
            members, rows = [], 0
    if members:
        yield members


def _write_row_group(writer: Any, tables: Sequence[pa.Table]) -> None:
    """Write tables as one row group whose dictionaries hold what occurs in it and no more.

    A slice of a table with larger dictionaries would write them whole into every row group.
    """
    group = pa.concat_tables(tables).unify_dictionaries().combine_chunks()
    columns = [_without_unused(column) if pa.types.is_dictionary(column.type) else column for column in group.columns]
    writer.write_table(pa.Table.from_arrays(columns, schema=group.schema), row_group_size=group.num_rows)


def _without_unused(column: Any) -> Any:
    """Return a dictionary column of one chunk, its dictionary cut down to the values that occur."""
    chunk = column.chunk(0)
    codes = as_codes(column).codes
    used = np.zeros(len(chunk.dictionary), np.bool_)
    used[codes[codes >= 0]] = True
    if used.all():
        return column
    renumbered = from_numpy((np.cumsum(used) - 1).astype(np.int32))
    indices = renumbered.take(chunk.indices).cast(column.type.index_type)
    return pa.DictionaryArray.from_arrays(indices, chunk.dictionary.filter(from_numpy(used)))


def _note_slices(slices: dict[str, list[Any]], row_group: int, members: Sequence[tuple[str, pa.Table]]) -> None:
    offset = 0
    for key, table in members:
        for name, value in zip(PART_INDEX.names, (key, row_group, offset, table.num_rows), strict=True):
            slices[name].append(value)
        offset += table.num_rows


def _listed(part: str, entry: Located, number: int) -> dict[str, Any]:
    summary = json.loads((entry.directory / PART_SUMMARY_FILE).read_bytes())
    table = table_of(part)
    if summary["table"] != table:
        raise StoreError(f"part {part!r} in {entry.location} holds the table {summary['table']!r}, expected {table!r}")
    return {
        "number": number,
        "name": f"{table}_{number:04d}.parquet",
        "part": part,
        "location": entry.location,
        "file": f"{table}.parquet",
        **{name: summary[name] for name in ("rows", "row_groups", "uploads", "bytes", "digest")},
    }


def _part_index(directory: Path, table: str, number: int) -> pa.Table:
    index = pq.ParquetFile(directory / PART_INDEX_FILE).read()
    index = index.add_column(0, "file", from_numpy(np.full(index.num_rows, number, np.int32)))
    return index.add_column(0, "table", _constant(table, index.num_rows, pa.string()))


def _joined(indices: Sequence[pa.Table]) -> pa.Table:
    if indices:
        return pa.concat_tables(indices).combine_chunks()
    kinds: dict[str, pa.DataType] = {"table": pa.string(), "file": pa.int32(), "upload": pa.string(), **_PLACE}
    return pa.schema(kinds).empty_table()


def _with_stand_ins(index: pa.Table, stands_for: Mapping[str, str]) -> pa.Table:
    """Append a row for every upload that has no rows of its own but those of another."""
    if not stands_for:
        return index
    pairs = sorted(stands_for.items())
    others = pa.table({"as": [key for key, _ in pairs], "upload": [other for _, other in pairs]})
    found = others.join(index, "upload", join_type="inner").sort_by([("as", "ascending"), ("table", "ascending")])
    found = found.drop_columns(["upload"]).rename_columns({"as": "upload"}).select(index.column_names)
    return pa.concat_tables([index, found.cast(index.schema)]).combine_chunks()


def _named(index: pa.Table, names: Mapping[str, Mapping[str, str]]) -> pa.Table:
    """Add a column for each further name of an upload."""
    uploads: list[Any] = index.column("upload").to_pylist()
    for column in sorted(names):
        values = pa.array([names[column].get(key) for key in uploads], pa.string())
        index = index.append_column(column, values)
    return index
