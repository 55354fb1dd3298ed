"""Rows of notes: building, writing, grouping by song and finding one song, ours against the usual ways.

All arms of a comparison run in this process, in turns, on the same rows and files; the ratio is the median of the
paired ratios. Pandas is imported before anything is timed.

    python -m bgb_assets_tests.benchmarks.bench_tables [--small] [--rows 900000] [--songs 20000] [--repeats 5]
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from bgb_assets.storage.columns import from_numpy
from bgb_assets.storage.compaction import Weighted, assign
from bgb_assets.storage.table_reader import Tables
from bgb_assets.storage.tables import write_listing, write_part
from bgb_assets_tests.benchmarks.measured import gate, in_turns, ratio, show

SCHEMA = pa.schema(
    {
        "song_hash": pa.dictionary(pa.int32(), pa.string()),
        "beat": pa.float64(),
        "time_s": pa.float64(),
        "x": pa.int16(),
        "y": pa.int16(),
        "color": pa.int8(),
        "cut_direction": pa.int16(),
    }
)
Columns = Mapping[str, Any]


@dataclass(frozen=True)
class Part:
    """The entry of the one file."""

    location: str
    directory: Path


def main() -> None:
    """Print one ratio per comparison."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="few rows, once: only to see that it runs")
    parser.add_argument("--rows", type=int, default=900_000)
    parser.add_argument("--songs", type=int, default=20_000)
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    rows, songs, repeats = (2_000, 20, 1) if args.small else (args.rows, args.songs, args.repeats)
    columns = notes(rows, songs)
    compare_building(columns, repeats)
    with tempfile.TemporaryDirectory(prefix="bench_tables_") as folder:
        uploads = list(by_song(columns))
        compare_writing(Path(folder), uploads, repeats)
        compare_reading(Path(folder), uploads, repeats)
    compare_planning(200 if args.small else 100_000)


def notes(rows: int, songs: int) -> Columns:
    """Return columns of notes, sorted by song, with the song as a number."""
    chance = np.random.default_rng(7)
    song = np.sort(chance.integers(0, songs, rows))
    beat = np.round(chance.uniform(0, 600, rows) * 16) / 16
    return {
        "song": song,
        "beat": beat,
        "time_s": beat * 60 / 128,
        "x": chance.integers(0, 4, rows).astype(np.int16),
        "y": chance.integers(0, 3, rows).astype(np.int16),
        "color": chance.integers(0, 2, rows).astype(np.int8),
        "cut_direction": chance.integers(0, 9, rows).astype(np.int16),
    }


def names(columns: Columns) -> list[str]:
    """Return the name of each song, 64 characters as a digest has."""
    return [f"{number:064x}" for number in range(int(columns["song"].max()) + 1)]


def from_columns(columns: Columns, songs: pa.Array) -> pa.Table:
    """Return the table from whole columns."""
    song = pa.DictionaryArray.from_arrays(from_numpy(columns["song"].astype(np.int32)), songs)
    return pa.Table.from_arrays([song, *(from_numpy(columns[name]) for name in SCHEMA.names[1:])], schema=SCHEMA)


def from_dicts(columns: Columns, songs: list[str]) -> pa.Table:
    """Return the table from a list of dicts, one per note."""
    values = [columns[name].tolist() for name in SCHEMA.names[1:]]
    rows = [
        {"song_hash": songs[song], "beat": b, "time_s": t, "x": x, "y": y, "color": c, "cut_direction": d}
        for song, b, t, x, y, c, d in zip(columns["song"].tolist(), *values, strict=True)
    ]
    return pa.Table.from_pylist(rows, SCHEMA)


def by_song(columns: Columns) -> Iterator[tuple[str, pa.Table]]:
    """Yield each song's own table, as the notes stage writes it: with a dictionary of one name."""
    songs = names(columns)
    bounds = np.searchsorted(columns["song"], np.arange(len(songs) + 1))
    for number, name in enumerate(songs):
        own = {key: column[bounds[number] : bounds[number + 1]] for key, column in columns.items()}
        yield name, from_columns(own | {"song": np.zeros(len(own["song"]), np.int32)}, pa.array([name]))


def compare_building(columns: Columns, repeats: int) -> None:
    """A table from columns against one from a list of dicts."""
    songs = names(columns)
    encoded = pa.array(songs)
    assert from_columns(columns, encoded).num_rows == from_dicts(columns, songs).num_rows
    arms = {"list of dicts": lambda: from_dicts(columns, songs), "columns": lambda: from_columns(columns, encoded)}
    gate(
        29,
        "rows as a list of dicts / from columns",
        compare("build the table", arms, repeats)["list of dicts"],
        at_least=3,
    )


def compare_writing(folder: Path, uploads: list[tuple[str, pa.Table]], repeats: int) -> None:
    """Row groups of at least 16,384 rows against one per song and one file per song."""
    out, each = folder / "written", folder / "each"
    out.mkdir()
    each.mkdir()
    whole = pa.concat_tables([table for _, table in uploads]).combine_chunks()
    columns = {name: whole[name].to_pylist() for name in SCHEMA.names}
    arms = {
        "a list of dicts, pandas, one file": lambda: write_records(columns, out / "records.parquet"),
        "a file per song": lambda: [pq.write_table(t, each / f"{i}.parquet") for i, (_, t) in enumerate(uploads)],
        "a row group per song": lambda: write_part(out, "notes", SCHEMA, uploads, "upload"),
        "whole songs, 16,384 rows": lambda: write_part(out, "notes", SCHEMA, uploads),
    }
    slower = compare("write the file", arms, repeats)
    gate(29, "written / the list of dicts through pandas", 1 / slower["a list of dicts, pandas, one file"], at_most=0.2)


def write_records(columns: Columns, path: Path) -> None:
    """Write as a script does: a list of dicts, one per note, a data frame, a file."""
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    pd.DataFrame(rows).to_parquet(path)


def compare_reading(folder: Path, uploads: list[tuple[str, pa.Table]], repeats: int) -> None:
    """Group the whole table by song, and find one song."""
    part = Part("manifest/m/ab/part", folder / "manifest/m/ab/part")
    part.directory.mkdir(parents=True)
    write_part(part.directory, "notes", SCHEMA, uploads)
    write_listing(folder, {"notes_0000": part})
    path = part.directory / "notes.parquet"
    grouped = Tables(folder, folder).grouped("notes", SCHEMA.names)
    looped = loop_rows(path)
    assert {name: len(rows) for name, rows in looped.items()} == dict(
        zip(grouped.uploads, np.diff(grouped.offsets).tolist(), strict=True)
    )
    arms = {
        "to_pylist and a loop over dicts": lambda: loop_dicts(path),
        "to_pydict and a loop over rows": lambda: loop_rows(path),
        "groupby and to_dict('records')": lambda: group_records(path),
        "columns and offsets": lambda: Tables(folder, folder).grouped("notes", SCHEMA.names),
    }
    slower = compare("load and group by song", arms, repeats)
    gate(29, "loaded and grouped / a loop over dicts", 1 / slower["to_pylist and a loop over dicts"], at_most=0.05)
    gate(29, "a loop over to_pydict / ours", slower["to_pydict and a loop over rows"], at_least=5)
    gate(29, "groupby and to_dict / ours", slower["groupby and to_dict('records')"], at_least=5)
    compare_lookup(folder, path, uploads, repeats)


def compare_lookup(folder: Path, path: Path, uploads: list[tuple[str, pa.Table]], repeats: int) -> None:
    """Read one song out of the file."""
    tables = Tables(folder, folder)
    wanted = [name for name, rows in uploads if rows.num_rows][:: max(1, len(uploads) // 10)]
    found = pq.read_table(path, filters=pc.field("song_hash") == wanted[0])
    assert tables.of_upload("notes", wanted[0]).num_rows == found.num_rows
    arms = {
        "read all and filter": lambda: [filtered(path, name) for name in wanted],
        "read_table(filters=)": lambda: [pq.read_table(path, filters=pc.field("song_hash") == name) for name in wanted],
        "index and one row group": lambda: [tables.of_upload("notes", name) for name in wanted],
    }
    slower = compare(f"find one song ({len(wanted)} times)", arms, repeats)
    gate(29, "one song looked up / read all and filter", 1 / slower["read all and filter"], at_most=0.1)


def loop_dicts(path: Path) -> dict[str, list[dict[str, Any]]]:
    """Group by a loop over a list of dicts."""
    grouped: dict[str, list[dict[str, Any]]] = {}
    for row in pq.read_table(path).to_pylist():
        grouped.setdefault(row["song_hash"], []).append(row)
    return grouped


def loop_rows(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Group by a loop over Python rows."""
    columns = pq.read_table(path).to_pydict()
    grouped: dict[str, list[tuple[Any, ...]]] = {}
    for row in zip(*(columns[name] for name in SCHEMA.names), strict=True):
        grouped.setdefault(row[0], []).append(row)
    return grouped


def group_records(path: Path) -> dict[str, list[dict[str, Any]]]:
    """Group by pandas, each song a list of dicts."""
    frame: pd.DataFrame = pq.read_table(path).to_pandas()
    return {str(name): rows.to_dict("records") for name, rows in frame.groupby("song_hash", observed=True)}


def filtered(path: Path, name: str) -> pa.Table:
    """Read the whole file and keep one song."""
    whole = pq.read_table(path)
    return whole.filter(pc.equal(whole["song_hash"].cast(pa.string()), name))


def compare_planning(members: int) -> None:
    """How long it takes to assign many uploads to files; there is nothing to compare it with."""
    weighted = [Weighted(f"song {i}", f"{i:064x}", 4_000 + i % 999) for i in range(members)]
    started = time.perf_counter()
    groups = assign(weighted, 5_000_000, 10_000_000)
    print(f"assign {members} uploads to {len(groups)} files: {time.perf_counter() - started:.2f} s")


def compare(what: str, arms: Mapping[str, Callable[[], object]], repeats: int) -> Mapping[str, float]:
    """Print the median time of each arm, and return each other arm's over the last one's, which is ours."""
    taken = in_turns(arms, repeats)
    show(what, taken)
    *others, ours = arms
    return {other: ratio(taken[other], taken[ours]) for other in others}


if __name__ == "__main__":
    main()
