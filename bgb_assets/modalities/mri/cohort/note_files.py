"""The notes of all scans in a few files, for stage manifest.

Belongs here: which scans share a table file, writing one, reading all. Does not belong here: the file format
(`storage.tables`), what the columns mean (`notes`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from bgb_assets.modalities.contract import Member, PartPlan, StageResult
from bgb_assets.modalities.mri.manifest_params import ManifestParams
from bgb_assets.modalities.mri.notes import TABLES
from bgb_assets.runtime.errors import ContractError
from bgb_assets.storage.compaction import Weighted
from bgb_assets.storage.table_reader import Tables
from bgb_assets.storage.tables import plan_parts, table_of, write_part

SCANS = "scans"
UPLOAD_ID = "upload_id"


def compacted_schemas() -> dict[str, pa.Schema]:
    """Return the schemas of the compacted tables: those of the entries, with the upload before them."""
    return {name: pa.schema([pa.field(UPLOAD_ID, pa.string()), *schema]) for name, schema in TABLES.items()}


def plan_tables(members: Sequence[Member], params: ManifestParams) -> Mapping[str, PartPlan]:
    """Name the table files and the scans in each."""
    weighted = [
        Weighted(member.key, member.entries["notes"].facets["notes"], _path(member).stat().st_size)
        for member in members
    ]
    return {
        name: PartPlan(
            facets={"members": group.digest},
            params={"table": table_of(name), "rows_per_group": params.rows_per_group},
            members=group.keys,
        )
        for name, group in plan_parts({SCANS: weighted} if weighted else {}, params.file_bytes).items()
    }


def write_table(name: str, members: Sequence[Member], out: Path, rows_per_group: int) -> StageResult:
    """Write one table file: the rows of its members, each with the upload it belongs to."""
    table = table_of(name)
    schema = compacted_schemas()[table]
    rows = ((member.key, _rows(member, schema)) for member in members)
    return StageResult(metadata=asdict(write_part(out, table, schema, rows, rows_per_group)))


def read_notes(directory: Path, root: Path) -> dict[str, Mapping[str, Any]]:
    """Return upload -> its row of table `scans`, from the table files that a manifest lists."""
    with Tables(directory, root) as tables:
        rows = tables.read(SCANS).to_pylist() if SCANS in tables.names else []
    return {row[UPLOAD_ID]: row for row in rows}


def _rows(member: Member, schema: pa.Schema) -> pa.Table:
    # From memory: a small file opened by pyarrow itself takes half as long again.
    with pq.ParquetFile(pa.BufferReader(_path(member).read_bytes()), pre_buffer=False) as file:
        held = file.read(use_threads=False)
    if not held.schema.equals(TABLES[SCANS], check_metadata=False) or held.num_rows != 1:
        raise ContractError(
            f"mri/notes {member.key!r}: expected one row of {TABLES[SCANS].names!r}, "
            f"got {held.num_rows} of {held.schema.names!r}"
        )
    return pa.Table.from_arrays([pa.repeat(member.key, 1), *held.columns], schema=schema)


def _path(member: Member) -> Path:
    return member.entries["notes"].directory / f"{SCANS}.parquet"
