"""The columns of the note tables of one recording, and their Parquet files.

Entries hold no name of the recording, as two uploads of the same recording share them: the manifest adds the column
`recording` where it compacts the tables.

Belongs here: schemas, rows to files. Does not belong here: what the rows say (`notes`).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.json as pj
import pyarrow.parquet as pq

TABLES: Mapping[str, pa.Schema] = {
    "events": pa.schema(
        {
            "event": pa.int32(),
            "onset_s": pa.float64(),
            "offset_s": pa.float64(),
            "label": pa.int8(),
            "label_text": pa.string(),
            "is_seizure": pa.bool_(),
            "channels": pa.list_(pa.string()),
            "confidence": pa.float32(),
            "source": pa.string(),
            "line": pa.int32(),
        }
    ),
    "intervals": pa.schema({"start_sample": pa.int64(), "stop_sample": pa.int64()}),
    "segments": pa.schema({"start_sample": pa.int64(), "samples": pa.int64(), "onset_s": pa.float64()}),
    "recording": pa.schema(
        {
            "patient": pa.string(),
            "visit": pa.string(),
            "split": pa.string(),
            "kind": pa.string(),
            "labelled": pa.string(),
            "trusted": pa.string(),
            "duration_s": pa.float64(),
            "samples": pa.int64(),
            "seizures": pa.int32(),
            "ictal_s": pa.float64(),
            "clipped_events": pa.int32(),
            "disagreement_s": pa.float64(),
        }
    ),
}
"""`events` has every row of every source, `intervals` and `segments` are samples at 256 Hz over all segments."""


def write_tables(tables: Mapping[str, Sequence[Mapping[str, Any]]], out: Path) -> None:
    """Write `<table>.parquet` for every table with rows: one row group, zstd.

    Rows pass through JSON, as `pyarrow.array` would import pandas into every worker to ask whether it was given a
    series. Shortest-repr decimals come back as the same float64.

    Args:
        tables: Table -> its rows; `None` is null.
        out: The directory.
    """
    for name, rows in tables.items():
        if rows:
            table = _arrow_table(rows, TABLES[name])
            pq.write_table(table, out / f"{name}.parquet", compression="zstd", row_group_size=table.num_rows)


def _arrow_table(rows: Sequence[Mapping[str, Any]], schema: pa.Schema) -> pa.Table:
    content = b"\n".join(orjson.dumps(row) for row in rows)
    table = pj.read_json(
        pa.BufferReader(content),
        read_options=pj.ReadOptions(use_threads=False, block_size=len(content) + 1),
        parse_options=pj.ParseOptions(explicit_schema=schema, unexpected_field_behavior="error"),
    )
    return table.select(schema.names).combine_chunks()
