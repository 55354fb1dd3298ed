"""The rows of the manifest: every scan with its folds, and the exact counts of what trains.

Belongs here: the columns, dealing the subjects that train, counting voxels. Does not belong here: which scans train
(`scans`), the files (`manifest`).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from bgb_assets.modalities.mri.cohort.scans import QUARANTINED, Judged, Scan
from bgb_assets.modalities.mri.conform.stored import IMAGE_FILE, MASK_FILE
from bgb_assets.modalities.mri.splits.strata import neighbour_of, sessions_of, subject_strata
from bgb_assets.storage.manifest import rows_schema
from bgb_assets.storage.nested_splits import Folds, NestedDeal, NestedSplitParams, deal_nested
from bgb_assets.storage.split_files import SplitFile, make_split
from bgb_assets.storage.splits import NONE

_FROM_NOTES = ("modality", "acquisition", "image_volume_digest", "lesion_volume_mm3", "volume_bin")
_FROM_VOLUME = ("lesion_voxels", "total_voxels")
_OWN: dict[str, pa.DataType] = {
    "session": pa.string(),
    "modality": pa.string(),
    "acquisition": pa.string(),
    "status": pa.string(),
    "stratum": pa.string(),
    "features": pa.string(),
    "features_digest": pa.string(),
    "image": pa.string(),
    "mask": pa.string(),
    "image_volume_digest": pa.string(),
    "lesion_volume_mm3": pa.float64(),
    "volume_bin": pa.int8(),
    "lesion_voxels": pa.int64(),
    "total_voxels": pa.int64(),
    "image_lo": pa.float64(),
    "image_step": pa.float64(),
}


def rows_of_folds(outer: int) -> pa.Schema:
    """Return the columns of the manifest's rows for a number of outer folds.

    `group` is the subject, `fold` and `outer_fold` the fold that tests it, `inner_fold_<k>` where it is in the training
    set of outer fold k (-1: it is tested there). `split` is the one with outer fold 0 as test and its inner fold 0 as
    validation set. `image` and `mask` are store-relative paths; a network sees `image_lo + image_step * stored`;
    voxels are counted on the conformed grid.
    """
    folds = {"outer_fold": pa.int8(), **{f"inner_fold_{fold}": pa.int8() for fold in range(outer)}}
    return rows_schema(folds | _OWN)


def deal_subjects(
    name: str, judged: Sequence[Judged], params: NestedSplitParams, pinned: SplitFile | None
) -> tuple[NestedDeal, SplitFile]:
    """Deal the subjects with at least one scan that trains.

    Raises:
        ConfigError: Rare strata where they are refused or cannot be dealt.
    """
    scans = [one.scan.candidate for one in judged if not one.reason]
    strata = subject_strata(scans, params.strata)
    neighbour = neighbour_of(scans, params.strata)
    deal = deal_nested(strata, params, neighbour, pinned.folds if pinned else None)
    return deal, make_split(name, params, deal, sessions_of(scans), pinned)


def make_rows(judged: Sequence[Judged], deal: NestedDeal, outer: int) -> pa.Table:
    """Return one row per scan, in order.

    Args:
        judged: The scans.
        deal: The subjects' folds.
        outer: Outer folds asked for: so many columns of inner folds.
    """
    schema = rows_of_folds(outer)
    rows = [_row(one, None if one.status == QUARANTINED else deal.folds.get(one.scan.subject), deal) for one in judged]
    columns = {name: [row.get(name, NONE) for row in rows] for name in schema.names}
    return pa.table({name: pa.array(columns[name], schema.field(name).type) for name in schema.names}, schema)


def count_voxels(judged: Sequence[Judged], deal: NestedDeal) -> dict[str, Any]:
    """Return scans, subjects, lesion and all voxels of what trains, over all and by the outer fold that tests it."""
    training = [one.scan for one in judged if not one.reason]
    by_fold = {
        fold: [scan for scan in training if deal.folds[scan.subject].outer == fold] for fold in range(deal.outer)
    }
    return {"all": _counts(training), "outer_folds": [_counts(scans) for scans in by_fold.values()]}


def _row(one: Judged, folds: Folds | None, deal: NestedDeal) -> Mapping[str, Any]:
    """Return one scan's columns; folds that are left out are -1."""
    scan = one.scan
    row: dict[str, Any] = {
        "row_id": scan.key,
        "upload": scan.key,
        "group": scan.subject,
        "included": not one.reason,
        "reason": one.reason,
        "weight": 1.0,
        "entry": scan.location,
        "session": scan.session,
        "status": one.status,
        "stratum": deal.strata.get(scan.subject) if folds else None,
        "features": scan.features,
        "features_digest": scan.digest,
        "image": _path(scan, "image", IMAGE_FILE),
        "mask": _path(scan, "mask", MASK_FILE),
    }
    row |= {name: scan.noted[name] for name in _FROM_NOTES} | {name: scan.volume[name] for name in _FROM_VOLUME}
    row |= _meaning(scan.volume)
    if folds:
        row |= {"split": folds.split(0), "fold": folds.outer, "outer_fold": folds.outer}
        row |= {f"inner_fold_{number}": fold for number, fold in enumerate(folds.inner)}
    return row


def _path(scan: Scan, role: str, file: str) -> str | None:
    return f"{scan.location}/{file}" if scan.volume[f"{role}_volume"] is not None else None


def _meaning(volume: Mapping[str, Any]) -> dict[str, float | None]:
    """Return what turns stored numbers into normalised values; nothing is to be done where those are stored."""
    if volume["image_volume"] is None:
        return {"image_lo": None, "image_step": None}
    if volume["step"] is None:
        return {"image_lo": 0.0, "image_step": 1.0}
    scale = volume["scale"]
    return {"image_lo": (volume["lo"] - volume["centre"]) / scale, "image_step": volume["step"] / scale}


def _counts(scans: Sequence[Scan]) -> dict[str, Any]:
    lesion, total = (sum(scan.volume[name] for scan in scans) for name in ("lesion_voxels", "total_voxels"))
    return {
        "scans": len(scans),
        "subjects": len({scan.subject for scan in scans}),
        "lesion_voxels": lesion,
        "total_voxels": total,
        "lesion_share": lesion / total if total else None,
    }
