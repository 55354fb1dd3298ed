"""The columns of the note table of one scan, and its Parquet file.

Entries hold neither the name of the upload nor the digests of the files as delivered: the same volumes may come in
other files, under another compression. The manifest joins both.

Belongs here: the schema, a row to a file. Does not belong here: what the row says (`notes`).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.json as pj
import pyarrow.parquet as pq

SCANS = pa.schema(
    {
        "subject_id": pa.string(),
        "session_id": pa.string(),
        "modality": pa.string(),
        "acquisition": pa.string(),
        "pair_method": pa.string(),
        "image_volume_digest": pa.string(),
        "mask_volume_digest": pa.string(),
        "native_shape": pa.list_(pa.int32()),
        "voxel_size_mm": pa.list_(pa.float32()),
        "orientation": pa.string(),
        "obliquity_deg": pa.float32(),
        "image_dtype": pa.string(),
        "intensity_min": pa.float32(),
        "intensity_max": pa.float32(),
        "intensity_p50_head": pa.float32(),
        "lesion_voxels_native": pa.int64(),
        "lesion_volume_mm3": pa.float64(),
        "lesion_components": pa.int32(),
        "largest_component_mm3": pa.float64(),
        "lesion_centroid_mm": pa.list_(pa.float32()),
        "lesion_bbox_ijk": pa.list_(pa.int32()),
        "lesion_left_fraction": pa.float32(),
        "volume_bin": pa.int8(),
        "qc_flags": pa.list_(pa.string()),
        "participant": pa.map_(pa.string(), pa.string()),
    }
)
"""Axes of `native_shape`, `voxel_size_mm` and `lesion_bbox_ijk` are those of the arrays as stored, the first two of the
image where there is one; `lesion_centroid_mm` is in the world (right, anterior, superior). `lesion_bbox_ijk` is the
first and last voxel, inclusive: i, i, j, j, k, k. All about the mask is null where there is none, so is the image's."""

_PAIRS = pa.list_(pa.struct({"key": pa.string(), "value": pa.string()}))
"""What a JSON reader makes of a map."""

TABLES: Mapping[str, pa.Schema] = {"scans": SCANS}


def write_scan(row: Mapping[str, Any], out: Path) -> None:
    """Write `scans.parquet`: one row, one row group, zstd.

    The row passes through JSON, as `pyarrow.array` would import pandas into every worker to ask whether it was given a
    series. Shortest-repr decimals come back as the same numbers.

    Args:
        row: Every column of `SCANS` in JSON types; `participant` as a mapping.
        out: The directory.
    """
    pairs = [{"key": key, "value": value} for key, value in sorted(row["participant"].items())]
    content = orjson.dumps({**row, "participant": pairs})
    place = SCANS.get_field_index("participant")
    readable = SCANS.set(place, pa.field("participant", _PAIRS))
    table = pj.read_json(
        pa.BufferReader(content),
        read_options=pj.ReadOptions(use_threads=False, block_size=len(content) + 1),
        parse_options=pj.ParseOptions(explicit_schema=readable, unexpected_field_behavior="error"),
    ).select(SCANS.names)
    column = table.column("participant").combine_chunks()
    participant = pa.MapArray.from_arrays(column.offsets, *column.values.flatten())
    pq.write_table(table.set_column(place, SCANS.field(place), participant), out / "scans.parquet", compression="zstd")
