"""Stage manifest: every scan with its subject, whether it trains, and in which folds; from notes and `volume.json`.

Folds come from the dealer and from what was pinned: a subject that was dealt once stays where it is. Opens no voxel.

Belongs here: the stage's functions and its files. Does not belong here: which scans train (`cohort.scans`), the rows
(`cohort.rows`), the notes in a few files (`cohort.note_files`). Next in the flow: `tokens`.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bgb_assets.modalities.contract import FanIn, PartPlan, StageResult
from bgb_assets.modalities.mri.cohort.note_files import plan_tables, read_notes, write_table
from bgb_assets.modalities.mri.cohort.rows import count_voxels, deal_subjects, make_rows, rows_of_folds
from bgb_assets.modalities.mri.cohort.scans import (
    DUPLICATE_CONTENT,
    WHERE,
    Judged,
    grid_of,
    judge,
    read_scan,
    same_images,
)
from bgb_assets.modalities.mri.manifest_params import ManifestParams
from bgb_assets.storage.digests import sha256_json
from bgb_assets.storage.manifest import write_manifest
from bgb_assets.storage.nested_splits import NestedDeal
from bgb_assets.storage.split_files import FOLDER, SplitFile, name_in_use, read_pinned, write_split
from bgb_assets.storage.tables import write_listing

CLASSES = ("status", "stratum", "acquisition", "volume_bin")


def plan(fan_in: FanIn, params: ManifestParams) -> Mapping[str, PartPlan]:
    """Name the files of the table and the scans in each."""
    return plan_tables(fan_in.members, params)


def run_part(name: str, fan_in: FanIn, params: ManifestParams, out: Path) -> StageResult:
    """Write one file with the rows of its members, and its index."""
    return write_table(name, fan_in.members, out, params.rows_per_group)


def run(fan_in: FanIn, params: ManifestParams, out: Path) -> StageResult:
    """Write the rows, the split by names, exact counts and the listing of the tables.

    Raises:
        ContractError: Notes and features do not fit together.
        ConfigError: Strata cannot be dealt as asked, or a pinned split was dealt with other params.
    """
    listing = write_listing(out, fan_in.parts)
    notes = read_notes(out, fan_in.root)
    scans = [read_scan(member, notes[member.key]) for member in fan_in.members]
    judged = judge(scans, params.cohort)
    pinned = read_pinned(fan_in.pins, params.split)
    deal, split = deal_subjects(name_in_use(fan_in.pins), judged, params.split, pinned)
    rows = make_rows(judged, deal, params.split.outer)
    file = f"{FOLDER}/{split.name}.json"
    write_split(out / file, split)
    manifest = write_manifest(
        out,
        rows,
        where=WHERE,
        schema=rows_of_folds(params.split.outer),
        params=params,
        classes=CLASSES,
        notes={
            "grid": grid_of(judged),
            "voxels": count_voxels(judged, deal),
            "split": _split_notes(split, file, deal, pinned),
        },
    )
    tables = [[one["part"], one["digest"]] for files in listing["tables"].values() for one in files]
    return StageResult(
        facets={"rows": manifest["digests"]["rows"], "split": split.digest, "tables": sha256_json(tables)},
        metadata={name: manifest[name] for name in ("rows", "included", "excluded", "reasons", "voxels", "split")},
        warnings=tuple(_warnings(judged, manifest, params)),
    )


def _split_notes(split: SplitFile, file: str, deal: NestedDeal, pinned: SplitFile | None) -> dict[str, Any]:
    known = pinned.groups if pinned else {}
    return {
        "name": split.name,
        "file": file,
        "digest": split.digest,
        "outer": deal.outer,
        "done": list(deal.notes),
        "unpinned": sum(subject not in known for subject in deal.folds),
    }


def _warnings(judged: Sequence[Judged], manifest: Mapping[str, Any], params: ManifestParams) -> Iterator[str]:
    reasons = {one.scan.key: one.reason for one in judged}
    for keys in same_images([one.scan for one in judged]):
        shared = reasons[keys[0]] == DUPLICATE_CONTENT
        said = "under several subjects: none of them trains" if shared else "of one subject: each of them counts"
        yield f"scans {', '.join(map(repr, keys))} hold the same image {said}"
    yield from manifest["split"]["done"]
    for fold, counts in enumerate(manifest["voxels"]["outer_folds"]):
        if not counts["lesion_voxels"]:
            yield f"outer fold {fold} tests {counts['scans']} scans, none with a lesion voxel"
    if manifest["split"]["unpinned"]:
        yield (
            f"{manifest['split']['unpinned']} subjects are not pinned to their folds: more scans may move them; "
            "`bgb splits mri` pins them"
        )
    expected = params.cohort.expected_scans
    if expected is not None and expected != manifest["included"]:
        yield f"{manifest['included']} scans train, {expected} are expected"
