"""The events and seizures of all recordings in a few files, for stage manifest.

The other notes, one row per recording or segment, stand in the manifest's own tables (`corpus`).
Belongs here: which recordings share a table file, and writing one. Does not belong here: the file format
(`storage.tables`), what the columns mean (`notes`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from bgb_assets.modalities.contract import Member, PartPlan, StageResult
from bgb_assets.modalities.eeg.annotations.schemas import TABLES
from bgb_assets.modalities.eeg.manifest_params import ManifestParams
from bgb_assets.runtime.errors import ContractError
from bgb_assets.storage.compaction import Weighted
from bgb_assets.storage.table_reader import Tables
from bgb_assets.storage.tables import plan_parts, table_of, write_part

EVENTS, INTERVALS = "events", "intervals"
_ENDS = ("start_sample", "stop_sample")


def plan_tables(members: Sequence[Member], params: ManifestParams) -> Mapping[str, PartPlan]:
    """Name the table files and the recordings in each."""
    weighted: dict[str, list[Weighted]] = {}
    for member in members:
        content = member.entries["notes"].facets["notes"]
        for table in (EVENTS, INTERVALS):
            path = _path(member, table)
            if path.is_file():
                weighted.setdefault(table, []).append(Weighted(member.key, content, path.stat().st_size))
    return {
        name: PartPlan(
            facets={"members": group.digest},
            params={"table": table_of(name), "rows_per_group": params.rows_per_group},
            members=group.keys,
        )
        for name, group in plan_parts(weighted, params.file_bytes).items()
    }


def write_table(name: str, members: Sequence[Member], out: Path, rows_per_group: int) -> StageResult:
    """Write one table file: the rows of its members, each with the recording it belongs to."""
    table = table_of(name)
    schema = compacted_schemas()[table]
    rows = ((member.key, _rows(member, table, schema)) for member in members)
    return StageResult(metadata=asdict(write_part(out, table, schema, rows, rows_per_group)))


def compacted_schemas() -> dict[str, pa.Schema]:
    """Return the schemas of the compacted tables: those of the entries, with `recording` before them."""
    named = pa.field("recording", pa.string())
    return {table: pa.schema([named, *TABLES[table]]) for table in (EVENTS, INTERVALS)}


def read_intervals(directory: Path, root: Path) -> dict[str, NDArray[np.int64]]:
    """Return upload -> its seizures in samples, (k, 2), from the table files that a manifest lists.

    Recordings without seizures are left out.
    """
    with Tables(directory, root) as tables:
        if INTERVALS not in tables.names:
            return {}
        grouped = tables.grouped(INTERVALS, list(_ENDS))
    pairs = np.stack([np.asarray(grouped.columns[name]) for name in _ENDS], axis=1).astype(np.int64)
    bounds = grouped.offsets.tolist()
    return {key: pairs[bounds[i] : bounds[i + 1]] for i, key in enumerate(grouped.uploads)}


def _rows(member: Member, table: str, schema: pa.Schema) -> pa.Table:
    path = _path(member, table)
    # From memory: a small file opened by pyarrow itself takes half as long again.
    with pq.ParquetFile(pa.BufferReader(path.read_bytes()), pre_buffer=False) as file:
        held = file.read(use_threads=False)
    if not held.schema.equals(TABLES[table], check_metadata=False):
        raise ContractError(f"eeg/notes {member.key!r}: {path.name} has columns {held.schema.names!r} of other types")
    return pa.Table.from_arrays([pa.repeat(member.key, held.num_rows), *held.columns], schema=schema)


def _path(member: Member, table: str) -> Path:
    return member.entries["notes"].directory / f"{table}.parquet"
