"""The manifest's files: `rows.parquet`, one row per sample, included or not, and `manifest.json`, exact counts.

Belongs here: the columns every modality has, what must hold between them, counting, reading and writing.
Does not belong here: which samples are left out and why (a modality's `manifest`), how splits are dealt (`splits`).
Next in the flow: a modality's `tokens` reads the rows.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from bgb_assets.runtime.errors import ContractError, UsageError
from bgb_assets.storage.atomic import write_json
from bgb_assets.storage.columns import as_numpy, content_digest
from bgb_assets.storage.digests import as_plain
from bgb_assets.storage.splits import NONE, SPLIT_NAMES, TEST, TRAIN, VAL, require_no_leak

ROWS_FILE = "rows.parquet"
MANIFEST_FILE = "manifest.json"
MANIFEST_VERSION = 1
SPLIT_CONFLICT = "split_conflict"
"""Reason of a row whose group is in another split than its own pin or source allows."""

_NAMES = ("train", "val", "test")
_BASE: dict[str, pa.DataType] = {
    "row_id": pa.string(),
    "upload": pa.string(),
    "group": pa.string(),
    "split": pa.int8(),
    "fold": pa.int8(),
    "included": pa.bool_(),
    "reason": pa.string(),
    "weight": pa.float32(),
    "entry": pa.string(),
}


def rows_schema(extra: Mapping[str, pa.DataType]) -> pa.Schema:
    """Return the columns of `rows.parquet`: those every modality has, then its own.

    `row_id` is unique and does not depend on other uploads; `group` is what a split must not tear apart; `split` is
    0 train, 1 val, 2 test, -1 none; `fold` is -1 where there are no folds; `reason` is empty where `included`;
    `weight` is the sampling weight; `entry` is the store-relative directory that the row points to.
    """
    return pa.schema(dict(_BASE) | dict(extra))


def check_rows(rows: pa.Table, schema: pa.Schema, where: str) -> None:
    """Check that rows have the schema and keep its promises.

    Args:
        rows: The rows.
        schema: From `rows_schema`.
        where: Names the stage in messages: `beatmap/manifest`.

    Raises:
        ContractError: Says which promise is broken, for which row; a split leak names the groups.
    """
    if not rows.schema.equals(schema):
        raise ContractError(f"{where}: columns are {rows.schema.names!r}, expected {schema.names!r} with their types")
    names = _values(rows, "row_id")
    split, fold, weight, included = (_numbers(rows, name) for name in ("split", "fold", "weight", "included"))
    unexplained = np.array([reason == "" for reason in _values(rows, "reason")], np.bool_)
    broken: dict[str, npt.NDArray[np.bool_]] = {
        "is there twice": _repeated(names),
        "is left out without a reason or included with one": included != unexplained,
        "has no split": included & (split == NONE),
        "has an unknown split": (split < NONE) | (split > TEST),
        "has a fold below -1": fold < -1,
        "has a weight that is negative or not finite": ~np.isfinite(weight) | (weight < 0),
    }
    for problem, wrong in broken.items():
        if wrong.any():
            raise ContractError(f"{where}: row {names[int(np.argmax(wrong))]!r} {problem}; {wrong.sum()} such rows")
    require_no_leak(where, _values(rows, "group"), split.tolist())


def count_rows(rows: pa.Table, classes: Sequence[str] = ()) -> dict[str, Any]:
    """Return exact counts of rows by inclusion, reason and split, and by the values of the columns in `classes`.

    A class counts its rows, the included ones, and those by split; null is the class `""`.
    """
    included, splits, reasons, groups = (_values(rows, name) for name in ("included", "split", "reason", "group"))
    used = [(split, group) for split, group, one in zip(splits, groups, included, strict=True) if one]
    return {
        "rows": len(included),
        "included": sum(included),
        "excluded": len(included) - sum(included),
        "uploads": len(set(_values(rows, "upload"))),
        "reasons": dict(sorted(Counter(reason for reason in reasons if reason).items())),
        "splits": {SPLIT_NAMES[code]: _split_counts(code, used) for code in (TRAIN, VAL, TEST)},
        "classes": {name: _class_counts(_values(rows, name), included, splits) for name in classes},
    }


def write_manifest(
    out: Path,
    rows: pa.Table,
    *,
    where: str,
    schema: pa.Schema,
    params: Any,
    classes: Sequence[str] = (),
    notes: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Check the rows and write `rows.parquet` and `manifest.json`; no rows make a valid, empty manifest.

    Args:
        out: The stage's output directory.
        rows: See `rows_schema`.
        where: Names the stage in messages.
        schema: From `rows_schema`.
        params: The stage's params, written down.
        classes: Columns whose values are counted.
        notes: Further JSON values for `manifest.json`, such as what a merge of groups moved.

    Returns:
        The content of `manifest.json`; `digests.rows` is the digest of the rows' content.

    Raises:
        ContractError: From `check_rows`.
    """
    check_rows(rows, schema, where)
    manifest = {
        "version": MANIFEST_VERSION,
        **count_rows(rows, classes),
        **(notes or {}),
        "params": as_plain(params),
        "digests": {"rows": content_digest(rows)},
    }
    pq.write_table(rows, out / ROWS_FILE, compression="zstd", version="2.6", row_group_size=max(1, rows.num_rows))
    write_json(out / MANIFEST_FILE, manifest)
    return manifest


def read_rows(directory: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """Return the rows of a manifest.

    Raises:
        UsageError: The directory holds no manifest, or there is no such column.
    """
    path = directory / ROWS_FILE
    if not path.is_file():
        raise UsageError(f"no {ROWS_FILE} in {directory}; name the directory of a manifest")
    with pq.ParquetFile(path) as file:
        if unknown := [name for name in columns or () if name not in file.schema_arrow.names]:
            raise UsageError(f"{path}: no columns {unknown!r}; there are {file.schema_arrow.names!r}")
        rows: pa.Table = file.read(columns=None if columns is None else list(columns), use_threads=False)
    return rows


def read_counts(directory: Path) -> dict[str, Any]:
    """Return the content of `manifest.json`."""
    counts: dict[str, Any] = json.loads((directory / MANIFEST_FILE).read_bytes())
    return counts


def splits_of_groups(directory: Path) -> dict[str, int]:
    """Return group -> split code of a manifest, for the groups with a row that has one."""
    rows = read_rows(directory, ["group", "split"])
    pairs = zip(_values(rows, "group"), _values(rows, "split"), strict=True)
    return {group: split for group, split in pairs if split != NONE}


def _values(rows: pa.Table, name: str) -> list[Any]:
    values: list[Any] = rows.column(name).to_pylist()
    return values


def _numbers(rows: pa.Table, name: str) -> Any:
    return as_numpy(rows.column(name))


def _repeated(names: Sequence[str]) -> npt.NDArray[np.bool_]:
    counts = Counter(names)
    return np.array([counts[name] > 1 for name in names], np.bool_)


def _split_counts(code: int, used: Iterable[tuple[int, str]]) -> dict[str, int]:
    groups = [group for split, group in used if split == code]
    return {"rows": len(groups), "groups": len(set(groups))}


def _class_counts(values: Sequence[Any], included: Sequence[bool], splits: Sequence[int]) -> dict[str, dict[str, int]]:
    counts: Counter[tuple[str, str]] = Counter()
    for value, used, split in zip(values, included, splits, strict=True):
        name = "" if value is None else str(value)
        counts[name, "rows"] += 1
        if used:
            counts[name, "included"] += 1
            counts[name, SPLIT_NAMES[split]] += 1
    names = sorted({name for name, _ in counts})
    return {name: {kind: counts[name, kind] for kind in ("rows", "included", *_NAMES)} for name in names}
