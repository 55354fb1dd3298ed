"""Audits of manifests and shards that hold for every modality: what is said, held against what lies on the disk.

Each is `audit(directory, root) -> list of problems`, named by a stage and shown as an asset check. Belongs here:
modality-blind audits. Does not belong here: running and remembering them (`engine.audit`).
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bgb_assets.storage.digests import sha256_file
from bgb_assets.storage.manifest import count_rows, read_counts, read_rows
from bgb_assets.storage.shards import read_index
from bgb_assets.storage.splits import leaks
from bgb_assets.storage.table_reader import Tables

NAMED = 10


def counts(directory: Path, root: Path) -> list[str]:
    """Hold the counts in `manifest.json` against the rows, and the tables' listing against their files."""
    said = read_counts(directory)
    found = count_rows(read_rows(directory), tuple(said["classes"]))
    problems = [
        f"{name}: says {said[name]!r}, the rows have {found[name]!r}" for name in found if said[name] != found[name]
    ]
    with Tables(directory, root) as tables:
        for name in tables.names:
            listed = sum(rows for table, rows in zip(*_listed(tables), strict=True) if table == name)
            held = sum(pq.ParquetFile(path).metadata.num_rows for path in tables.files(name))
            if listed != held:
                problems.append(f"table {name}: {listed} rows are listed, the files have {held}")
    return problems


def schemas(directory: Path, root: Path, expected: Mapping[str, pa.Schema]) -> list[str]:
    """Return the table files whose columns, order or types are not the declared ones."""
    problems = []
    with Tables(directory, root) as tables:
        for name in tables.names:
            for path in tables.files(name):
                held = pq.read_schema(path)
                if not held.equals(expected[name], check_metadata=False):
                    problems.append(
                        f"{name} ({path.parent.name[:12]}): columns {held.names!r} differ from the declared"
                    )
    return problems


def leakage(directory: Path, root: Path) -> list[str]:
    """Return the groups of which included rows lie in more than one split."""
    del root
    rows = read_rows(directory, ["group", "split", "included"])
    used = rows.filter(rows.column("included"))
    groups, splits = (used.column(name).to_pylist() for name in ("group", "split"))
    found = leaks(map(str, groups), map(int, splits))
    return [f"group {group} is in splits {splits}" for group, splits in list(found.items())[:NAMED]]


def shards(directory: Path, root: Path) -> list[str]:
    """Hold every array of every shard, and those beside the index, against their digests."""
    index, problems = read_index(directory), []
    places = [(root / shard.location, shard.location, shard.arrays) for shard in index.shards]
    for folder, location, arrays in (*places, (directory, "index", index.arrays)):
        for name, array in arrays.items():
            path = folder / array.file
            if not path.is_file():
                problems.append(f"{location}/{array.file} is missing")
            elif sha256_file(path) != array.digest:
                problems.append(f"{location}/{array.file}: bytes differ from the index ({name})")
    return problems


def value_range(directory: Path, root: Path, array: str, lowest: int, highest: int) -> list[str]:
    """Return the shards of which an array has values outside a range (both ends belong to it)."""
    problems = []
    for shard in read_index(directory).shards:
        values = np.load(root / shard.location / shard.arrays[array].file, mmap_mode="r")
        if values.size and not (lowest <= int(values.min()) and int(values.max()) <= highest):
            problems.append(
                f"{shard.location}: {array} has values {int(values.min())} to {int(values.max())}, "
                f"{lowest} to {highest} are allowed"
            )
    return problems


def _listed(tables: Tables) -> tuple[list[str], list[int]]:
    columns = (tables.index.column(name).to_pylist() for name in ("table", "rows"))
    names, rows = columns
    return [str(name) for name in names], [int(count or 0) for count in rows]
