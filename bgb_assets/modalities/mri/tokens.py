"""Stage tokens: the scans that train, as an index of their features; images and masks are mapped where they lie.

Reads the manifest alone. Belongs here: the stage and its columns. Does not belong here: the format (`storage.shards`),
reading a scan (`learning.data`, next in the flow).
"""

import io
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from bgb_assets.modalities.contract import FanIn, StageResult
from bgb_assets.storage.manifest import read_counts, read_rows
from bgb_assets.storage.shards import NO_SHARD, SAMPLE_FIELDS, Source, write_index

IMAGE_TYPES = {"f16": "<f2", "u16": "<u2"}
MASK_TYPE = "|u1"
_VOXELS_PER_BYTE = 8
_FOLD_COLUMNS = "inner_fold_"


def run(fan_in: FanIn, params: None, out: Path) -> StageResult:
    """Write `index.json` and `samples.parquet`: one sample per scan that trains, two sources each; opens no array."""
    del params
    directory = fan_in.inputs["manifest"]
    rows, manifest = read_rows(directory), read_counts(directory)
    training = rows.filter(rows.column("included"))
    grid, split = manifest["grid"], manifest["split"]
    digest = write_index(
        out,
        shards=(),
        samples=_samples(training, grid),
        sources=list(_sources(training, grid)),
        upstream={"grid": grid, "split": {name: split[name] for name in ("name", "digest", "outer")}},
    )
    return StageResult(
        facets={"tokens": digest},
        metadata={"samples": training.num_rows, "scans": rows.num_rows, "voxels": manifest["voxels"]["all"]},
        warnings=() if training.num_rows else (_nothing(rows, manifest),),
    )


def samples_schema(outer: int) -> pa.Schema:
    """Return the columns of the samples for a number of outer folds.

    `source` and `mask_source` count the sources: image and mask of the scan; `offset_bytes` and `mask_offset_bytes` are
    where their numbers begin in the file. `features_digest` is that of both files and what describes them. A network
    sees `image_lo + image_step * stored`. Folds as in the manifest's rows.
    """
    own = {
        "source": pa.int32(),
        "mask_source": pa.int32(),
        "offset_bytes": pa.int32(),
        "mask_offset_bytes": pa.int32(),
        "features_digest": pa.string(),
        "image_lo": pa.float64(),
        "image_step": pa.float64(),
        "lesion_voxels": pa.int64(),
        "volume_bin": pa.int8(),
        "acquisition": pa.string(),
        "outer_fold": pa.int8(),
        **{f"{_FOLD_COLUMNS}{fold}": pa.int8() for fold in range(outer)},
    }
    return pa.schema([*SAMPLE_FIELDS, *(pa.field(name, kind) for name, kind in own.items())])


def _samples(training: pa.Table, grid: Mapping[str, Any]) -> pa.Table:
    count = training.num_rows
    schema = samples_schema(sum(name.startswith(_FOLD_COLUMNS) for name in training.column_names))
    image_at, mask_at = (header_bytes(*array) for array in _arrays(grid)) if grid else (0, 0)
    made: dict[str, Any] = {
        "sample": training.column("row_id"),
        "shard": [NO_SHARD] * count,
        "offset": [0] * count,
        "length": training.column("total_voxels"),
        "source": range(0, 2 * count, 2),
        "mask_source": range(1, 2 * count, 2),
        "offset_bytes": [image_at] * count,
        "mask_offset_bytes": [mask_at] * count,
    }
    held = {name: training.column(name) for name in schema.names if name not in made}
    return pa.table([_column((made | held)[field.name], field) for field in schema], schema=schema)


def _sources(training: pa.Table, grid: Mapping[str, Any]) -> Iterator[Source]:
    columns = (training.column(name).to_pylist() for name in ("upload", "image", "mask"))
    for upload, *paths in zip(*columns, strict=True):
        for path, (dtype, shape) in zip(paths, _arrays(grid), strict=True):
            location, _, file = path.rpartition("/")
            yield Source(upload, location, file, dtype, shape)


def _arrays(grid: Mapping[str, Any]) -> tuple[tuple[str, tuple[int, ...]], tuple[str, tuple[int, ...]]]:
    """Return type and shape of the image and of the mask."""
    shape = tuple(grid["shape"])
    return (IMAGE_TYPES[grid["store"]], shape), (MASK_TYPE, (math.ceil(math.prod(shape) / _VOXELS_PER_BYTE),))


def header_bytes(dtype: str, shape: tuple[int, ...]) -> int:
    """Return where the numbers begin in a `.npy` file of this type and shape, in C order."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": dtype, "fortran_order": False, "shape": shape})
    return header.tell()


def _column(values: Any, field: "pa.Field[Any]") -> Any:
    return values.cast(field.type) if isinstance(values, pa.ChunkedArray) else pa.array(values, field.type)


def _nothing(rows: pa.Table, manifest: Mapping[str, Any]) -> str:
    cohort = manifest["params"]["cohort"]
    return f"of {rows.num_rows} scans none trains under {cohort!r}: {manifest['reasons']!r}"
