"""Turns canonical objects and a tempo map into the columns of the note tables, one difficulty after the other.

Belongs here: which column is what, the times, and fitting whole numbers into their columns without wrapping.
Does not belong here: measures of a difficulty (`notes`) and the schemas (`schemas`). Next: `notes` writes them.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from bgb_assets.modalities.beatmap.formats.identities import canonical_json
from bgb_assets.modalities.beatmap.formats.objects import Columns, Objects, in_grid
from bgb_assets.modalities.beatmap.formats.tempo import TempoMap
from bgb_assets.modalities.beatmap.tables.arrow_columns import array_of, fitted, number_array, outside, repeated_texts
from bgb_assets.modalities.beatmap.tables.schemas import NAMES, TABLES

Names = Mapping[str, str]
Table = Mapping[str, NDArray[Any]]


@dataclass
class TableBuilder:
    """Collects the columns of each table.

    Attributes:
        pieces: Table -> the names and columns of each difficulty, in the order they were added.
        clamped: How many values did not fit into their column and were moved to its end.
    """

    pieces: dict[str, list[tuple[Names, Table]]] = field(default_factory=dict)
    clamped: int = 0

    def add(self, row: Mapping[str, Any], tables: Mapping[str, Table]) -> None:
        """Append one difficulty, its columns in the types of the schemas.

        Args:
            row: Its row of `beatmaps`, of which the names are taken.
            tables: Table -> columns, as `object_tables` returns them.
        """
        names = {name: row[name] for name in NAMES}
        for table, columns in tables.items():
            if not len(columns["beat"]):
                continue
            schema = TABLES[table]
            typed = {name: self._fitted(columns[name], schema.field(name).type) for name in schema.names[len(NAMES) :]}
            self.pieces.setdefault(table, []).append((names, typed))

    def arrow(self) -> dict[str, pa.Table]:
        """Return the tables of objects that have rows."""
        return {table: _arrow_table(table, pieces) for table, pieces in sorted(self.pieces.items())}

    def write(self, rows: Sequence[Mapping[str, Any]], out: Path) -> None:
        """Write `<table>.parquet` for every table with rows: one row group, zstd.

        Args:
            rows: The rows of `beatmaps`; what a row lacks is null.
            out: The directory.
        """
        schema = TABLES["beatmaps"]
        beatmaps = pa.Table.from_arrays(
            [array_of([row.get(field.name) for row in rows], field.type) for field in schema], schema=schema
        )
        for table, columns in {**self.arrow(), "beatmaps": beatmaps}.items():
            pq.write_table(columns, out / f"{table}.parquet", compression="zstd", row_group_size=columns.num_rows)

    def digest(self) -> str:
        """Return a SHA-256 over names, columns and their bytes, whatever file format they are written in."""
        digest = hashlib.sha256()
        for table, pieces in sorted(self.pieces.items()):
            for names, columns in pieces:
                digest.update(canonical_json([table, names, len(columns["beat"]), list(columns)]))
                for column in columns.values():
                    digest.update(column.tobytes())
        return digest.hexdigest()

    def _fitted(self, column: NDArray[Any], kind: pa.DataType) -> NDArray[Any]:
        self.clamped += int(np.count_nonzero(outside(column, kind)))
        return fitted(column, kind)


def object_tables(objects: Objects, tempo: TempoMap) -> dict[str, Table]:
    """Return the columns of all tables but `beatmaps` for one difficulty, before they are fitted."""
    return {
        "notes": _notes(objects["notes"], tempo),
        "bombs": _timed(objects["bombs"], tempo) | {"in_grid": in_grid(objects["bombs"])},
        "walls": _walls(objects["walls"], tempo),
        "arcs": _tailed(objects["arcs"], tempo),
        "chains": _tailed(objects["chains"], tempo),
        "tempo": {"beat": tempo.beats, "time_s": tempo.seconds, "bpm": tempo.bpms},
        "njs": objects["njs"],
    }


def _notes(notes: Columns, tempo: TempoMap) -> dict[str, NDArray[Any]]:
    fields = ("x", "y", "cut_direction", "angle_deg")
    clamped = np.logical_or.reduce([outside(notes[name], pa.int16()) for name in fields])
    return _timed(notes, tempo) | {
        "bpm": tempo.bpm_at(notes["beat"]),
        "in_grid": in_grid(notes),
        "clamped": clamped,
    }


def _walls(walls: Columns, tempo: TempoMap) -> dict[str, NDArray[Any]]:
    """A wall ends at the time of its last beat: its duration is in beats, whatever the tempo does meanwhile."""
    return _timed(walls, tempo) | {"end_time_s": tempo.time(walls["beat"] + walls["duration_beats"])}


def _tailed(columns: Columns, tempo: TempoMap) -> dict[str, NDArray[Any]]:
    return _timed(columns, tempo) | {"tail_time_s": tempo.time(columns["tail_beat"])}


def _timed(columns: Columns, tempo: TempoMap) -> dict[str, NDArray[Any]]:
    return {**columns, "time_s": tempo.time(columns["beat"])}


def _arrow_table(table: str, pieces: list[tuple[Names, Table]]) -> pa.Table:
    schema = TABLES[table]
    lengths = [len(columns["beat"]) for _, columns in pieces]
    arrays: list[Any] = [repeated_texts([names[name] for names, _ in pieces], lengths) for name in NAMES]
    for name in schema.names[len(NAMES) :]:
        joined = np.concatenate([columns[name] for _, columns in pieces])
        arrays.append(number_array(joined, schema.field(name).type))
    return pa.Table.from_arrays(arrays, schema=schema)
