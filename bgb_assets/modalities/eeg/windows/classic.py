"""The manifest in the form that trainers of per-window archives read: three lists of files and window numbers.

Belongs here: that form. Does not belong here: the manifest's own files (`manifest`).
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from bgb_assets.modalities.eeg.windows.corpus import WINDOWS_FILE
from bgb_assets.modalities.eeg.windows.windows import FULL, NO_SEIZURE, PARTIAL
from bgb_assets.runtime.errors import UsageError
from bgb_assets.storage.columns import as_numpy
from bgb_assets.storage.manifest import read_rows
from bgb_assets.storage.splits import SPLIT_CODES

LISTS = {"partial_seizure": PARTIAL, "full_seizure": FULL, "no_seizure": NO_SEIZURE}


def classic_manifest(directory: Path, split: str | None = None) -> dict[str, list[dict[str, Any]]]:
    """Return `partial_seizure`, `full_seizure` and `no_seizure`, each a list of `{"cache_file", "window_idx"}`.

    `cache_file` is the recording's signal, relative to the store root; `window_idx` counts its windows from 0.

    Args:
        directory: An entry of stage manifest.
        split: Only the windows of this split; all windows that are in one where None.

    Raises:
        UsageError: There is no manifest, or no such split.
    """
    if split is not None and split not in SPLIT_CODES:
        raise UsageError(f"split must be one of {tuple(SPLIT_CODES)!r}, got {split!r}")
    rows = read_rows(directory, ["features", "first_window"])
    files, first = rows.column("features").to_pylist(), as_numpy(rows.column("first_window"))
    with pq.ParquetFile(directory / WINDOWS_FILE) as file:
        windows = file.read(["recording", "category", "split"], use_threads=False)
    recording, category, code = (as_numpy(windows.column(name)) for name in ("recording", "category", "split"))
    wanted = code.astype(np.int64) >= 0 if split is None else code == SPLIT_CODES[split]
    numbers = np.arange(len(recording)) - first[recording]

    def listed(kind: int) -> Iterator[dict[str, Any]]:
        chosen = wanted & (category == kind)
        for one, number in zip(recording[chosen].tolist(), numbers[chosen].tolist(), strict=True):
            yield {"cache_file": files[one], "window_idx": number}

    return {name: list(listed(kind)) for name, kind in LISTS.items()}


def write_classic_manifest(directory: Path, path: Path, split: str | None = None) -> dict[str, int]:
    """Write `classic_manifest` as JSON and return how many windows each list has."""
    found = classic_manifest(directory, split)
    path.write_text(json.dumps(found), encoding="utf-8")
    return {name: len(items) for name, items in found.items()}
