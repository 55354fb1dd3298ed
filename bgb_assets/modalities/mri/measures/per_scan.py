"""`per_scan.parquet`: one row per prediction, with all that is needed to compare it with another model's.

Belongs here: the table, its file, and what makes two of them comparable. Does not belong here: the figures (`scan`),
what they say together (`aggregates`, next in the flow).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from bgb_assets.modalities.mri.measures.scan import SCORER_VERSION, ScanFigures
from bgb_assets.runtime.errors import UsageError

PER_SCAN_FILE = "per_scan.parquet"
FIGURES = ("lesion_dice", "macro_dice", "avd", "mcc", "lesion_f1", "count_difference", "hd95_mm")
"""The figures that are summed up; the counts beside them are not averages of anything."""

_SAME = ("variant", "grid", "scorer_version", "split_digest")
PER_SCAN = pa.schema(
    {
        "upload": pa.string(),
        "subject": pa.string(),
        "acquisition": pa.string(),
        "volume_bin": pa.int8(),
        "outer_fold": pa.int8(),
        "restart": pa.int32(),
        **{name: pa.int64() for name in ("tp", "fp", "fn", "tn")},
        **{name: pa.int64() if name == "count_difference" else pa.float64() for name in FIGURES},
        **{name: pa.string() for name in _SAME},
    }
)


@dataclass(frozen=True)
class ScoredScan:
    """One prediction of one scan.

    Attributes:
        upload: Key of the scan.
        subject: What a resample must not tear apart.
        restart: Seed of the run; a run is an outer fold and a restart.
    """

    upload: str
    subject: str
    acquisition: str | None
    volume_bin: int | None
    outer_fold: int
    restart: int
    figures: ScanFigures


@dataclass(frozen=True)
class Evaluation:
    """The predictions of one variant, over outer folds and restarts.

    Attributes:
        variant: Name of the model variant.
        grid: On which grid voxels were counted: `native` or `conformed`.
        split_digest: Digest of the split file that said which scans a run tests.
        scans: In the order of upload, outer fold, restart.
        scorer_version: Of the figures' definitions.
    """

    variant: str
    grid: str
    split_digest: str
    scans: tuple[ScoredScan, ...]
    scorer_version: str = SCORER_VERSION


def make_evaluation(variant: str, grid: str, split_digest: str, scans: Sequence[ScoredScan]) -> Evaluation:
    """Return the predictions in order.

    Raises:
        UsageError: A run predicts a scan twice, or a scan is tested in two outer folds: then it was trained on.
    """
    ordered = sorted(scans, key=lambda one: (one.upload, one.outer_fold, one.restart))
    runs = Counter((one.upload, one.restart, one.outer_fold) for one in ordered)
    if twice := [key for key, count in runs.items() if count > 1]:
        upload, restart, fold = twice[0]
        raise UsageError(f"{variant}: {upload!r} is there {runs[twice[0]]} times in fold {fold}, restart {restart}")
    folds: dict[str, int] = {}
    for one in ordered:
        if folds.setdefault(one.upload, one.outer_fold) != one.outer_fold:
            raise UsageError(
                f"{variant}: {one.upload!r} is tested in outer folds {folds[one.upload]} and {one.outer_fold}; "
                "put results of one split together, not of two"
            )
    return Evaluation(variant, grid, split_digest, tuple(ordered))


def write_per_scan(out: Path, evaluation: Evaluation) -> None:
    """Write `per_scan.parquet`."""
    same = {name: getattr(evaluation, name) for name in _SAME}
    rows = [_row(one) | same for one in evaluation.scans]
    options: dict[str, Any] = {"compression": "zstd", "version": "2.6"}
    pq.write_table(pa.Table.from_pylist(rows, PER_SCAN), out / PER_SCAN_FILE, **options)


def read_per_scan(path: Path) -> Evaluation:
    """Read `per_scan.parquet`.

    Raises:
        UsageError: It is not there, of other columns, empty, or of more than one variant, grid, scorer or split.
    """
    if not path.is_file():
        raise UsageError(f"no {path}; run the evaluation first")
    with pq.ParquetFile(path) as file:
        table = file.read(use_threads=False)
    if table.schema.names != PER_SCAN.names:
        raise UsageError(f"{path}: columns are {table.schema.names!r}, expected {PER_SCAN.names!r}; evaluate again")
    rows = table.to_pylist()
    same = {tuple(row[name] for name in _SAME) for row in rows}
    if len(same) != 1:
        raise UsageError(f"{path}: expected rows of one variant, grid, scorer and split, got {sorted(same)!r}")
    variant, grid, scorer_version, split_digest = next(iter(same))
    return Evaluation(variant, grid, split_digest, tuple(map(_scored, rows)), scorer_version)


def require_comparable(first: Evaluation, second: Evaluation) -> None:
    """Check that two evaluations scored the same scans in the same way.

    Raises:
        UsageError: Names what differs.
    """
    for name in ("grid", "scorer_version", "split_digest"):
        one, other = getattr(first, name), getattr(second, name)
        if one != other:
            raise UsageError(
                f"{first.variant} and {second.variant} cannot be compared: {name} {one!r} and {other!r}; "
                "evaluate both in one way"
            )
    uploads = [{one.upload for one in evaluation.scans} for evaluation in (first, second)]
    if only := sorted(uploads[0] ^ uploads[1]):
        raise UsageError(
            f"{first.variant} and {second.variant} cannot be compared: {len(only)} scans were scored for one of them "
            f"only, first {only[0]!r}; evaluate both on the same scans"
        )


def _row(one: ScoredScan) -> dict[str, Any]:
    row = asdict(one)
    figures: dict[str, Any] = row.pop("figures")
    return row | figures


def _scored(row: dict[str, Any]) -> ScoredScan:
    figures = ScanFigures(**{field.name: row[field.name] for field in fields(ScanFigures)})
    own = {field.name: row[field.name] for field in fields(ScoredScan) if field.name != "figures"}
    return ScoredScan(figures=figures, **own)
