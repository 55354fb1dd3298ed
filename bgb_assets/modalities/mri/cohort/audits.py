"""Audits of the manifest: what trains against what was expected, folds, bins, and the files that training maps.

Each is `audit(directory, root) -> list of problems`, shown as an asset check. Belongs here: what only this modality
knows. Does not belong here: counts, schemas and leaks in general (`storage.audits`).
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from bgb_assets.modalities.mri.cohort.note_files import compacted_schemas, read_notes
from bgb_assets.modalities.mri.cohort.scans import DUPLICATE_CONTENT
from bgb_assets.modalities.mri.conform.stored import IMAGE_FILE, MASK_FILE, VOLUME_FILE
from bgb_assets.runtime.errors import ConfigError
from bgb_assets.storage import audits
from bgb_assets.storage.digests import sha256_file
from bgb_assets.storage.manifest import read_counts, read_rows
from bgb_assets.storage.nested_splits import Folds
from bgb_assets.storage.split_files import read_split
from bgb_assets.storage.splits import NONE

MOST_QUARANTINED = 0.05
"""Share of scans that the manifest may leave out as rejected."""
_NAMED = 10


def audit_schema(directory: Path, root: Path) -> list[str]:
    """Return the compacted tables that do not hold the declared columns."""
    return audits.schemas(directory, root, compacted_schemas())


def audit_expected(directory: Path, root: Path) -> list[str]:
    """Hold the number of scans that train against the expected one, and name what is left out."""
    del root
    counts = read_counts(directory)
    expected = counts["params"]["cohort"]["expected_scans"]
    if expected is None or expected == counts["included"]:
        return []
    return [f"{counts['included']} scans train, {expected} are expected; left out: {counts['reasons']!r}"]


def audit_duplicates(directory: Path, root: Path) -> list[str]:
    """Return the scans whose image is there under two subjects, and say if they are too many."""
    del root
    rows = read_rows(directory, ["row_id", "reason", "image_volume_digest"]).to_pylist()
    same: defaultdict[str, list[str]] = defaultdict(list)
    for row in rows:
        if row["reason"] == DUPLICATE_CONTENT:
            same[row["image_volume_digest"]].append(row["row_id"])
    problems = [f"{', '.join(keys)}: one image under several subjects ({DUPLICATE_CONTENT})" for keys in same.values()]
    count = sum(len(keys) for keys in same.values())
    if count > MOST_QUARANTINED * len(rows):
        problems.append(f"{count} of {len(rows)} scans are rejected, {MOST_QUARANTINED:.0%} are allowed")
    return problems[-_NAMED:]


def audit_folds(directory: Path, root: Path) -> list[str]:
    """Hold the folds of every row against the split file, and each subject to one side of every fold."""
    del root
    said = read_counts(directory)["split"]
    try:
        split = read_split(directory / said["file"])
    except ConfigError as error:
        return [str(error)]
    problems = [] if split.digest == said["digest"] else [f"{said['file']}: is not the split of the manifest"]
    return [*problems, *_wrong_folds(read_rows(directory).to_pylist(), split.folds)][:_NAMED]


def audit_bins(directory: Path, root: Path) -> list[str]:
    """Hold the bins against the volumes: bin 0 holds no lesion, and a larger one is never in a lower bin."""
    notes = read_notes(directory, root)
    measured = sorted(
        (row["lesion_volume_mm3"], row["volume_bin"], key)
        for key, row in notes.items()
        if row["lesion_volume_mm3"] is not None
    )
    problems = [
        f"{key}: bin {number} for {volume:.6g} mm3"
        for volume, number, key in measured
        if (number == 0) != (volume == 0)
    ]
    for (_, lower, first), (_, higher, second) in pairwise(measured):
        if higher < lower:
            problems.append(f"{second}: in bin {higher}, but {first}, which is not larger, in bin {lower}")
    return problems[:_NAMED]


def audit_files(directory: Path, root: Path) -> list[str]:
    """Hold the features that train against their digests: reads every byte of them."""
    rows = read_rows(directory, ["row_id", "included", "entry", "features_digest"]).to_pylist()
    problems = []
    for row in rows:
        if row["included"] and (problem := _differs(root / row["entry"], row["features_digest"])):
            problems.append(f"{row['row_id']}: {row['entry']} {problem}")
    return problems[:_NAMED]


def _wrong_folds(rows: Sequence[Mapping[str, Any]], dealt: Mapping[str, Folds]) -> Iterator[str]:
    """Yield the rows whose folds are not those of their subject; those without any must not train."""
    for row in rows:
        folds = dealt.get(row["group"])
        inner = tuple(row[name] for name in row if name.startswith("inner_fold_"))
        held = (row["outer_fold"], *inner)
        if held == (NONE,) * len(held) and not row["included"]:
            continue
        if folds is None:
            yield f"{row['row_id']}: subject {row['group']} is in no split"
        elif held != (expected := (folds.outer, *folds.inner, *(NONE,) * (len(inner) - len(folds.inner)))):
            yield f"{row['row_id']}: folds {held!r}, its subject {row['group']} has {expected!r}"


def _differs(directory: Path, expected: str) -> str | None:
    """Return how the features in a directory differ from their digest, made as stage features makes it."""
    content = hashlib.sha256()
    for name in (IMAGE_FILE, MASK_FILE):
        if not (directory / name).is_file():
            return f"has no {name}"
        content.update(sha256_file(directory / name).encode())
    content.update((directory / VOLUME_FILE).read_bytes())
    return None if content.hexdigest() == expected else f"has digest {content.hexdigest()[:12]}, not {expected[:12]}"
