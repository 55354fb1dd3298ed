"""The notes of all recordings in a few files, for stage manifest.

Belongs here: which recordings share a table file, and writing one. Does not belong here: the file format
(`storage.tables`), what the columns mean (`notes`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from bgb_assets.modalities.contract import Member, PartPlan, StageResult
from bgb_assets.modalities.eeg.manifest_params import ManifestParams
from bgb_assets.storage.compaction import Weighted
from bgb_assets.storage.table_reader import Tables
from bgb_assets.storage.tables import conform, plan_parts, table_of, write_part

INTERVALS = "intervals"
_ENDS = ("start_sample", "stop_sample")


def plan_tables(members: Sequence[Member], params: ManifestParams) -> Mapping[str, PartPlan]:
    """Name the table files and the recordings in each; recordings with equal notes are written once."""
    others = stands_for(members)
    weighted: dict[str, list[Weighted]] = {}
    for member in members:
        if member.key not in others:
            for table, path in _tables(member):
                weighted.setdefault(table, []).append(Weighted(member.key, _content(member), path.stat().st_size))
    return {
        name: PartPlan(
            facets={"members": group.digest},
            params={"table": table_of(name), "rows_per_group": params.rows_per_group},
            members=group.keys,
        )
        for name, group in plan_parts(weighted, params.file_bytes).items()
    }


def write_table(name: str, members: Sequence[Member], out: Path, rows_per_group: int) -> StageResult:
    """Write one table file with the rows of its members."""
    table = table_of(name)
    schema = _schema(members[0], table)
    rows = ((member.key, _rows(member, table, schema)) for member in members)
    return StageResult(metadata=asdict(write_part(out, table, schema, rows, rows_per_group)))


def stands_for(members: Sequence[Member]) -> dict[str, str]:
    """Return upload -> the first upload with equal notes, for every upload but those first ones."""
    first: dict[str, str] = {}
    found = {member.key: first.setdefault(_content(member), member.key) for member in members}
    return {key: other for key, other in found.items() if key != other}


def read_intervals(directory: Path, root: Path, members: Sequence[Member]) -> dict[str, NDArray[np.int64]]:
    """Return upload -> its seizures in samples, (k, 2), from the table files that a manifest lists.

    Recordings without seizures are left out.
    """
    with Tables(directory, root) as tables:
        if INTERVALS not in tables.names:
            return {}
        grouped = tables.grouped(INTERVALS, list(_ENDS))
    starts, stops = (np.asarray(grouped.columns[name]) for name in _ENDS)
    pairs = np.stack([starts, stops], axis=1).astype(np.int64)
    bounds = grouped.offsets.tolist()
    held = {key: pairs[bounds[i] : bounds[i + 1]] for i, key in enumerate(grouped.uploads)}
    others = stands_for(members)
    keys = [(member.key, others.get(member.key, member.key)) for member in members]
    return {key: held[other] for key, other in keys if other in held}


def _content(member: Member) -> str:
    return member.entries["notes"].facets["notes"]


def _tables(member: Member) -> Iterator[tuple[str, Path]]:
    return ((path.stem, path) for path in sorted(member.entries["notes"].directory.glob("*.parquet")))


def _schema(member: Member, table: str) -> pa.Schema:
    return pq.read_schema(member.entries["notes"].directory / f"{table}.parquet").remove_metadata()


def _rows(member: Member, table: str, schema: pa.Schema) -> pa.Table:
    with pq.ParquetFile(member.entries["notes"].directory / f"{table}.parquet") as file:
        return conform(file.read(use_threads=False), schema)
