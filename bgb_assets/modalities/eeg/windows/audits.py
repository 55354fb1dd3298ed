"""Audits of the manifest: windows held against features, seizures in each split, recordings a person should look at.

Each is `audit(directory, root) -> list of problems`, shown as an asset check. Belongs here: what only this modality
knows. Does not belong here: counts, schemas and leaks in general (`storage.audits`).
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from bgb_assets.modalities.eeg.windows.corpus import SEGMENTS_FILE, WINDOWS_FILE
from bgb_assets.modalities.eeg.windows.note_files import compacted_schemas
from bgb_assets.storage import audits
from bgb_assets.storage.columns import as_numpy
from bgb_assets.storage.manifest import read_counts, read_rows
from bgb_assets.storage.splits import SPLIT_CODES

MOST_DISAGREEMENT_S = 1.0
MOST_FLAT_SHARE = 0.2
MOST_CLIPPED_SHARE = 0.01
_NAMED = 10
_BYTES = 2


def audit_schema(directory: Path, root: Path) -> list[str]:
    """Return the compacted tables that do not hold the declared columns."""
    return audits.schemas(directory, root, compacted_schemas())


def audit_lengths(directory: Path, root: Path) -> list[str]:
    """Hold each recording's windows against its segments and its signal file's size; reads no signal."""
    rows, manifest = read_rows(directory), read_counts(directory)
    expected = _expected_windows(directory, manifest["window_samples"], manifest["stride_samples"], rows.num_rows)
    with pq.ParquetFile(directory / WINDOWS_FILE) as file:
        recording = as_numpy(file.read(["recording"], use_threads=False).column("recording"))
    held = np.bincount(recording.astype(np.int64), minlength=rows.num_rows)
    problems = [
        f"{rows.column('row_id')[int(row)]}: {held[row]} windows, its segments make {expected[row]}"
        for row in np.flatnonzero(held != expected)
    ]
    return [*problems, *_wrong_sizes(rows, root, len(manifest["channels"]))][:_NAMED]


def audit_seizures(directory: Path, root: Path) -> list[str]:
    """Return the splits without a window that holds a seizure."""
    del root
    counts = read_counts(directory)["windows"]
    return [
        f"split {name}: no window of {counts[name]['windows']} holds a seizure"
        for name in SPLIT_CODES
        if not counts[name]["positive_samples"]
    ]


def audit_disagreement(directory: Path, root: Path) -> list[str]:
    """Return the recordings of which two annotations differ by more than a second."""
    del root
    return _above(read_rows(directory), "disagreement_s", MOST_DISAGREEMENT_S, "s between two annotations")


def audit_quality(directory: Path, root: Path) -> list[str]:
    """Return the recordings that are clipped or flat for much of their length."""
    del root
    rows = read_rows(directory)
    clipped = _above(rows, "clipped_share", MOST_CLIPPED_SHARE, "of the samples are clipped")
    return [*clipped, *_above(rows, "flat_share", MOST_FLAT_SHARE, "of the samples are flat")]


def _expected_windows(directory: Path, size: int, stride: int, recordings: int) -> NDArray[np.int64]:
    with pq.ParquetFile(directory / SEGMENTS_FILE) as file:
        segments = file.read(use_threads=False)
    recording, samples = (as_numpy(segments.column(name)).astype(np.int64) for name in ("recording", "samples"))
    counts = np.where(samples > 0, np.maximum(0, samples - size) // stride + 1, 0)
    return np.bincount(recording, counts, minlength=recordings).astype(np.int64)


def _wrong_sizes(rows: pa.Table, root: Path, channels: int) -> Iterator[str]:
    columns = (rows.column(name).to_pylist() for name in ("row_id", "features", "samples"))
    for key, place, samples in zip(*columns, strict=True):
        path = root / place
        found = path.stat().st_size if path.is_file() else None
        if found != samples * channels * _BYTES:
            yield f"{key}: {place} has {found} bytes, expected {samples * channels * _BYTES}"


def _above(rows: pa.Table, name: str, most: float, what: str) -> list[str]:
    pairs = list(zip(rows.column("row_id").to_pylist(), rows.column(name).to_pylist(), strict=True))
    found = [(key, value) for key, value in pairs if value is not None and value > most]
    problems = [f"{key}: {value:.3g} {what}" for key, value in found[:_NAMED]]
    if len(found) > _NAMED:
        problems.append(f"{len(found)} of {len(pairs)} recordings in all")
    return problems
