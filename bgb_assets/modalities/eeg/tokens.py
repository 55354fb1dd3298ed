"""Stage tokens: the windows as flat arrays to be mapped, the signals indexed where they lie.

Reads the manifest alone. Belongs here: the stage and its files. Does not belong here: what a window is
(`windows.windows`), reading it (`windows.index`, next in the flow), the format (`storage.shards`).
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from bgb_assets.modalities.contract import FanIn, StageResult
from bgb_assets.modalities.eeg.windows.corpus import INTERVALS_FILE, SEGMENTS_FILE, WINDOWS_FILE
from bgb_assets.modalities.eeg.windows.index import INTERVALS, ONSETS, SEGMENTS
from bgb_assets.storage.columns import as_numpy, from_numpy
from bgb_assets.storage.manifest import read_counts, read_rows
from bgb_assets.storage.shards import NO_SHARD, OFFSETS_SUFFIX, SAMPLE_FIELDS, Source, write_arrays, write_index

ABSENT = 3
"""Channel state of an electrode that was neither measured nor filled in."""
_SAMPLES = pa.schema(
    [
        *SAMPLE_FIELDS,
        pa.field("source", pa.int32()),
        pa.field("positive_samples", pa.int32()),
        pa.field("valid_samples", pa.int32()),
        pa.field("category", pa.int8()),
    ]
)

Arrays = dict[str, NDArray[np.generic]]


def run(fan_in: FanIn, params: None, out: Path) -> StageResult:
    """Write `index.json`, `samples.parquet` and the flat arrays of `windows.index`."""
    del params
    directory = fan_in.inputs["manifest"]
    rows, manifest, windows = read_rows(directory), read_counts(directory), _read(directory / WINDOWS_FILE)
    channels = manifest["channels"]
    arrays = _window_arrays(windows) | _recording_arrays(rows, len(channels))
    arrays |= _pair_arrays(INTERVALS, _read(directory / INTERVALS_FILE), "stop_sample", rows.num_rows)
    segments = _read(directory / SEGMENTS_FILE)
    arrays |= _pair_arrays(SEGMENTS, segments, "samples", rows.num_rows) | {
        ONSETS: as_numpy(segments.column("onset_s"))
    }
    upstream = {name: manifest[name] for name in ("channels", "window_samples", "stride_samples")}
    digest = write_index(
        out,
        shards=(),
        samples=_samples(windows, rows, manifest["window_samples"]),
        sources=list(_sources(rows, len(channels))),
        upstream=upstream,
        arrays=write_arrays(out, arrays),
    )
    return StageResult(
        facets={"tokens": digest},
        metadata={"recordings": rows.num_rows, "samples": windows.num_rows, "windows": manifest["windows"]},
        warnings=() if windows.num_rows else ("the manifest has no window: there is nothing to train on",),
    )


def _read(path: Path) -> pa.Table:
    with pq.ParquetFile(path) as file:
        return file.read(use_threads=False)


def _window_arrays(windows: pa.Table) -> Arrays:
    names = {"start": "start_sample", "positives": "positive_samples", "valid": "valid_samples"}
    names |= {name: name for name in ("recording", "category", "split")}
    return {name: as_numpy(windows.column(column)) for name, column in names.items()}


def _recording_arrays(rows: pa.Table, channels: int) -> Arrays:
    states = np.array(rows.column("channel_state").to_pylist(), np.int8).reshape(rows.num_rows, channels)
    return {"scale": as_numpy(rows.column("scale")), "channel_mask": states != ABSENT}


def _pair_arrays(name: str, table: pa.Table, second: str, recordings: int) -> Arrays:
    pairs = np.stack([as_numpy(table.column(column)) for column in ("start_sample", second)], axis=1)
    counts = np.bincount(as_numpy(table.column("recording")).astype(np.int64), minlength=recordings)
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return {name: pairs, name + OFFSETS_SUFFIX: offsets}


def _sources(rows: pa.Table, channels: int) -> Iterator[Source]:
    columns = (rows.column(name).to_pylist() for name in ("upload", "features", "samples"))
    for upload, path, samples in zip(*columns, strict=True):
        location, _, file = path.rpartition("/")
        yield Source(upload, location, file, "<i2", (samples, channels))


def _samples(windows: pa.Table, rows: pa.Table, length: int) -> pa.Table:
    """Return one row per window, in columns throughout; `sample` is `<recording>@<first sample>`."""
    recording, count = windows.column("recording"), windows.num_rows
    columns: Mapping[str, Any] = {
        "sample": pc.binary_join_element_wise(
            rows.column("row_id").take(recording), windows.column("start_sample").cast(pa.string()), "@"
        ),
        "shard": from_numpy(np.full(count, NO_SHARD, np.int32)),
        "offset": windows.column("start_sample"),
        "length": from_numpy(np.full(count, length, np.int32)),
        "group": rows.column("group").take(recording),
        "split": windows.column("split"),
        "weight": rows.column("weight").take(recording),
        "source": recording,
        **{name: windows.column(name) for name in ("positive_samples", "valid_samples", "category")},
    }
    return pa.table([columns[name] for name in _SAMPLES.names], _SAMPLES)
