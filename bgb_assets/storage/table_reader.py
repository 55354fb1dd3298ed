"""Reading compacted tables: whole, grouped by upload, or the rows of one upload.

Belongs here: finding the live files and slices. Does not belong here: writing them (`tables`), what a column means.
Data frames are made here, at the reader's edge, and nowhere before.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from bgb_assets.runtime.errors import NewerStore, StoreError, UsageError
from bgb_assets.storage.columns import Codes, as_codes, as_numpy, from_numpy
from bgb_assets.storage.tables import LISTING_FILE, LISTING_VERSION

if TYPE_CHECKING:
    import pandas

_NUMBERED = re.compile(r"^(?P<table>.+?)(?:_(?P<number>\d{4,}))?\.parquet$")


@dataclass(frozen=True)
class Grouped:
    """A whole table as columns, grouped by upload: the rows of `uploads[i]` are `offsets[i]` to `offsets[i + 1]`.

    Attributes:
        uploads: Upload keys in the order of the files.
        offsets: int64, one more than uploads.
        columns: Column name -> numbers (one per row) or, for strings, `Codes`.
    """

    uploads: tuple[str, ...]
    offsets: npt.NDArray[np.int64]
    columns: Mapping[str, npt.NDArray[np.generic] | Codes]


class Tables:
    """The tables that one manifest lists. Files are opened on first use and kept open.

    Args:
        directory: The manifest's entry, with `tables.json`.
        root: The store root below which the listed locations lie; by default where `directory` implies it.

    Raises:
        UsageError: There is no `tables.json`.
        NewerStore: It was written by a later version.
    """

    def __init__(self, directory: Path, root: Path | None = None) -> None:
        self._listing = _read_listing(directory)
        self._root = root if root is not None else directory.resolve().parents[3]
        self._index_path = directory / self._listing["index"]
        self._open: dict[Path, pq.ParquetFile] = {}
        self._slices: dict[tuple[str, str], dict[str, tuple[int, int, int, int]]] = {}
        self._index: pa.Table | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the files."""
        for file in self._open.values():
            file.close()
        self._open.clear()

    @property
    def names(self) -> tuple[str, ...]:
        """The tables that have rows, sorted."""
        return tuple(sorted(self._listing["tables"]))

    @property
    def index(self) -> pa.Table:
        """Table, file number, upload, row group, offset, rows, and the upload's further names."""
        if self._index is None:
            self._index = pq.ParquetFile(self._index_path).read(use_threads=False)
        return self._index

    def files(self, table: str) -> tuple[Path, ...]:
        """Return the live files of a table in the order of their numbers; none if no upload has rows in it."""
        return tuple(self._root / file["location"] / file["file"] for file in self._listing["tables"].get(table, ()))

    def read(self, table: str, columns: Sequence[str] | None = None) -> pa.Table:
        """Return all rows of a table.

        Raises:
            UsageError: There is no such table, or no such column.
        """
        return _concatenated([_read_file(self._file(path), columns) for path in self._files_of(table)])

    def of_upload(self, table: str, name: str, columns: Sequence[str] | None = None, by: str = "upload") -> pa.Table:
        """Return the rows of one upload: one row group of one file is read. No rows is an empty table.

        Args:
            table: Name of the table.
            name: What the upload is called.
            columns: The columns to read; all by default.
            by: Column of the index that holds the name.
        """
        files = self._files_of(table)
        place = self._places(table, by).get(name)
        if place is None:
            return _chosen(self._file(files[0]), columns).empty_table()
        number, row_group, offset, rows = place
        file = self._file(files[number])
        names = _chosen(file, columns).names
        rows_of_group: pa.Table = file.read_row_group(row_group, columns=names, use_threads=False)
        return rows_of_group.slice(offset, rows)

    def grouped(self, table: str, columns: Sequence[str]) -> Grouped:
        """Return whole columns with the offsets of each upload, straight from the index: no row is compared.

        Without columns only the offsets are found, and no table is opened.
        """
        self._files_of(table)
        whole = self.read(table, columns) if columns else None
        index = self._index_of(table)
        numbers = [as_numpy(index.column(name)) for name in ("offset", "row_group", "file")]
        order = np.lexsort(numbers)
        starts = np.stack([number[order] for number in numbers])
        first = np.ones(len(order), np.bool_)
        first[1:] = (starts[:, 1:] != starts[:, :-1]).any(axis=0)
        kept = order[first]
        offsets = np.concatenate([[0], np.cumsum(as_numpy(index.column("rows"))[kept])]).astype(np.int64)
        uploads = index.column("upload").to_pylist()
        return Grouped(
            tuple(uploads[i] for i in kept),
            offsets,
            {name: _numbers(whole.column(name)) for name in columns} if whole else {},
        )

    def _files_of(self, table: str) -> tuple[Path, ...]:
        files = self.files(table)
        if not files:
            raise UsageError(f"no table {table!r}; there are {', '.join(self.names) or 'none'}")
        return files

    def _file(self, path: Path) -> Any:
        if path not in self._open:
            self._open[path] = _opened(path)
        return self._open[path]

    def _index_of(self, table: str) -> pa.Table:
        codes = as_codes(self.index.column("table"))
        wanted = codes.values.index(table) if table in codes.values else -2
        return self.index.take(from_numpy(np.flatnonzero(codes.codes == wanted)))

    def _places(self, table: str, by: str) -> dict[str, tuple[int, int, int, int]]:
        if (table, by) not in self._slices:
            if by not in self.index.column_names:
                raise UsageError(f"uploads have no {by!r}; find them by one of {self.index.column_names!r}")
            index = self._index_of(table)
            columns = [index.column(name).to_pylist() for name in (by, "file", "row_group", "offset", "rows")]
            rows: list[Any] = list(zip(*columns, strict=True))
            # Reversed, so that of several uploads under one name the first is found.
            self._slices[table, by] = {name: tuple(place) for name, *place in reversed(rows)}
        return self._slices[table, by]


def read_table(
    source: Path | Sequence[Path],
    table: str | None = None,
    columns: Sequence[str] | None = None,
    renames: Mapping[str, str] | None = None,
) -> pa.Table:
    """Return a table from a manifest's directory, a folder of Parquet files, one file, or the files listed.

    Args:
        source: A directory with `tables.json` (only the live files are read), one with `<table>.parquet` or
            `<table>_NNNN.parquet`, or files, read in the order given.
        table: Needed where the directory holds several.
        columns: The columns to read, by their present names; all by default.
        renames: Earlier name -> present name, for files of an older layout.

    Raises:
        UsageError: Nothing to read there, several tables to choose from, or no such column.
    """
    files = [source] if isinstance(source, Path) and source.is_file() else source
    paths = _files_in(files, table) if isinstance(files, Path) else list(files)
    if not paths:
        raise UsageError("no file to read: the list is empty")
    return _concatenated([_read_renamed(path, columns, renames or {}) for path in paths])


def to_pandas(table: pa.Table) -> "pandas.DataFrame":
    """Return a data frame for a person; repeated strings become categories."""
    return table.to_pandas()


def _read_listing(directory: Path) -> dict[str, Any]:
    path = directory / LISTING_FILE
    if not path.is_file():
        raise UsageError(f"no {LISTING_FILE} in {directory}; name the directory of a manifest")
    listing: dict[str, Any] = json.loads(path.read_bytes())
    if listing["version"] > LISTING_VERSION:
        raise NewerStore(
            f"{path}: version {listing['version']!r}, this program reads up to {LISTING_VERSION}; update it"
        )
    return listing


def _files_in(directory: Path, table: str | None) -> list[Path]:
    if (directory / LISTING_FILE).is_file():
        tables = Tables(directory)
        return list(tables._files_of(table if table is not None else _only(tables.names, directory)))
    found: dict[str, list[tuple[int, Path]]] = {}
    for path in sorted(directory.glob("*.parquet")):
        if match := _NUMBERED.match(path.name):
            found.setdefault(match["table"], []).append((int(match["number"] or -1), path))
    name = table if table is not None else _only(tuple(found), directory)
    if name not in found:
        raise UsageError(f"no table {name!r} in {directory}; there are {', '.join(found) or 'none'}")
    files = sorted(found[name])
    if len(files) > 1 and files[0][0] == -1:
        raise UsageError(f"{directory} holds both {name}.parquet and numbered files; list the files that count")
    return [path for _, path in files]


def _only(names: Sequence[str], directory: Path) -> str:
    if len(names) != 1:
        raise UsageError(f"expected one table in {directory}, got {', '.join(names) or 'none'}; name the table")
    return names[0]


def _opened(path: Path) -> Any:
    try:
        return pq.ParquetFile(path, memory_map=True)
    except FileNotFoundError as error:
        raise StoreError(f"{path} is listed but missing; build the manifest again") from error


def _chosen(file: Any, columns: Sequence[str] | None) -> pa.Schema:
    schema: pa.Schema = file.schema_arrow
    if columns is None:
        return schema
    if unknown := [name for name in columns if name not in schema.names]:
        raise UsageError(f"no columns {unknown!r}; there are {schema.names!r}")
    return pa.schema([schema.field(name) for name in columns])


def _read_file(file: Any, columns: Sequence[str] | None) -> pa.Table:
    # Arrow's threads, one per core or OMP_NUM_THREADS as workers have it: 900,000 rows take 36 to 60 ms on two idle
    # cores where one thread takes 80 to 170 (30 and 54 when nothing else ran in between), and 86 on two busy ones.
    table: pa.Table = file.read(columns=_chosen(file, columns).names, use_threads=True)
    return table


def _read_renamed(path: Path, columns: Sequence[str] | None, renames: Mapping[str, str]) -> pa.Table:
    with _opened(path) as file:
        stored = {renames.get(name, name): name for name in file.schema_arrow.names}
        wanted = None if columns is None else [stored.get(name, name) for name in columns]
        table = _read_file(file, wanted)
    return table.rename_columns([renames.get(name, name) for name in table.column_names])


def _concatenated(tables: Sequence[pa.Table]) -> pa.Table:
    return pa.concat_tables(tables).unify_dictionaries()


def _numbers(column: Any) -> npt.NDArray[np.generic] | Codes:
    if pa.types.is_dictionary(column.type) or pa.types.is_string(column.type):
        return as_codes(column)
    return as_numpy(column)
