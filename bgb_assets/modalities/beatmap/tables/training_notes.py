"""Which notes the maps of the training split use how often: what a generated map's choice of notes is held against.

Belongs here: counting the notes of a manifest's included training rows. Does not belong here: finding the manifest
(the command), comparing the counts (`variety`).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from bgb_assets.modalities.beatmap.measures.variety import NOTE_CLASSES, Counts, note_histogram
from bgb_assets.runtime.errors import StoreError
from bgb_assets.storage.columns import as_codes, as_numpy
from bgb_assets.storage.manifest import ROWS_FILE
from bgb_assets.storage.splits import TRAIN
from bgb_assets.storage.table_reader import Tables

_TABLE = "notes"
_COLUMNS = ("color", "x", "y", "cut_direction", "fake")
_NAME = "beatmap_id"


def training_notes(manifest: Path, root: Path) -> Counts:
    """Return how many notes of the included training rows are of each class of `variety.note_histogram`.

    One row group is in memory at a time. A difficulty that several songs hold counts once for each of them.

    Args:
        manifest: Directory of a manifest's entry.
        root: The store root.

    Raises:
        UsageError: The directory holds no manifest.
        StoreError: A file that it lists is missing.
    """
    total = np.zeros(NOTE_CLASSES, np.int64)
    with Tables(manifest, root) as tables:
        chosen = _training_ids(manifest)
        for path in tables.files(_TABLE) if len(chosen) else ():
            total += sum(_histogram(rows, chosen) for rows in _row_groups(path))
    return total


def _row_groups(path: Path) -> Iterator[pa.Table]:
    if not path.is_file():
        raise StoreError(f"{path} is listed but missing; build the manifest again")
    with pq.ParquetFile(path, memory_map=True) as file:
        for group in range(file.num_row_groups):
            yield file.read_row_group(group, columns=[_NAME, *_COLUMNS], use_threads=False)


def _training_ids(manifest: Path) -> set[str]:
    rows = pq.read_table(manifest / ROWS_FILE, columns=["included", "split", _NAME])
    wanted = pc.and_(rows.column("included"), pc.equal(rows.column("split"), TRAIN))
    return set(rows.filter(wanted).column(_NAME).to_pylist())


def _histogram(rows: pa.Table, chosen: set[str]) -> Counts:
    names = as_codes(rows.column(_NAME))
    trains = np.array([name in chosen for name in names.values], np.bool_)
    columns: dict[str, Any] = {name: as_numpy(rows.column(name)) for name in _COLUMNS}
    kept = trains[names.codes] & ~columns["fake"]
    return note_histogram({name: column[kept] for name, column in columns.items()})
