from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from bgb_assets.modalities.mri.cohort import audits
from bgb_assets.modalities.mri.manifest_params import CohortParams, ManifestParams
from bgb_assets.storage.manifest import read_rows
from bgb_assets_tests.modalities.mri.cohort_case import Cohort
from bgb_assets_tests.modalities.mri.test_manifest import thirty

ALL = (
    *(audits.audit_schema, audits.audit_expected, audits.audit_duplicates),
    *(audits.audit_folds, audits.audit_bins, audits.audit_files),
)


def rewritten(directory: Path, row_id: str, **values: Any) -> None:
    """Change columns of one row in the manifest's file."""
    rows = read_rows(directory)
    held = rows.to_pylist()
    for row in held:
        if row["row_id"] == row_id:
            assert all(row[name] != value for name, value in values.items())
            row.update(values)
    pq.write_table(pa.Table.from_pylist(held, rows.schema), directory / "rows.parquet")


def test_sound_cohort_has_no_problem(tmp_path: Path) -> None:
    directory, _ = thirty(tmp_path).manifest()
    assert [audit(directory, tmp_path) for audit in ALL] == [[]] * len(ALL)


def test_expected_count_is_held(tmp_path: Path) -> None:
    cohort = thirty(tmp_path)
    directory, _ = cohort.manifest(ManifestParams(CohortParams(expected_scans=38)))
    assert audits.audit_expected(directory, tmp_path) == []
    directory, _ = cohort.manifest(ManifestParams(CohortParams(expected_scans=223)))
    (problem,) = audits.audit_expected(directory, tmp_path)
    assert problem.startswith("38 scans train, 223 are expected; left out: {'excluded_acquisition': 1, 'mask_only': 1,")


def test_duplicates_are_named_and_their_share_is_held(tmp_path: Path) -> None:
    cohort = thirty(tmp_path)
    cohort.add("S001", "9", image="same")
    cohort.add("X001", image="same")
    directory, _ = cohort.manifest()
    said = "sub-S001_ses-9, sub-X001_ses-1: one image under several subjects (duplicate_content)"
    assert audits.audit_duplicates(directory, tmp_path) == [said]
    cohort.add("X002", image="same")
    directory, _ = cohort.manifest()
    assert audits.audit_duplicates(directory, tmp_path)[1:] == ["3 of 46 scans are rejected, 5% are allowed"]


def test_subject_on_two_sides_is_found(tmp_path: Path) -> None:
    directory, _ = thirty(tmp_path).manifest()
    row = next(row for row in read_rows(directory).to_pylist() if row["included"])
    other = (row["outer_fold"] + 1) % 3
    rewritten(directory, row["row_id"], outer_fold=other)
    (problem,) = audits.audit_folds(directory, tmp_path)
    inner = tuple(row[f"inner_fold_{fold}"] for fold in range(3))
    assert problem.startswith(f"{row['row_id']}: folds {(other, *inner)!r}, its subject {row['group']} has ")
    rewritten(directory, row["row_id"], group="nobody", outer_fold=row["outer_fold"])
    assert audits.audit_folds(directory, tmp_path) == [f"{row['row_id']}: subject nobody is in no split"]


def test_split_file_of_another_deal_is_found(tmp_path: Path) -> None:
    directory, _ = thirty(tmp_path / "one").manifest()
    other, _ = thirty(tmp_path / "two", 7).manifest()
    path = directory / "splits/default.json"
    held = path.read_bytes()
    path.write_bytes((other / "splits/default.json").read_bytes())
    assert audits.audit_folds(directory, tmp_path)[0] == "splits/default.json: is not the split of the manifest"
    path.write_bytes(held.replace(b"volume_bin=4", b"volume_bin=3"))
    (problem,) = audits.audit_folds(directory, tmp_path)
    assert "the content has digest" in problem


def test_bins_that_do_not_follow_the_volumes_are_found(tmp_path: Path) -> None:
    cohort = Cohort(tmp_path)
    for number in range(4):
        cohort.add(f"S{number}", volume_mm3=30_000.0 * (number + 1))
    directory, _ = cohort.manifest()
    assert audits.audit_bins(directory, tmp_path) == []
    (path,) = (tmp_path / "manifest").rglob("scans.parquet")
    table = pq.read_table(path)
    rows = sorted(table.to_pylist(), key=lambda row: row["upload_id"])
    for bins, said in (
        ([0, 2, 3, 3], ["sub-S0_ses-1: bin 0 for 30000 mm3"]),
        ([3, 2, 3, 3], ["sub-S1_ses-1: in bin 2, but sub-S0_ses-1, which is not larger, in bin 3"]),
    ):
        held = [row | {"volume_bin": number} for row, number in zip(rows, bins, strict=True)]
        pq.write_table(pa.Table.from_pylist(held, table.schema), path)
        assert audits.audit_bins(directory, tmp_path) == said


def test_features_that_changed_are_found(tmp_path: Path) -> None:
    cohort = thirty(tmp_path)
    directory, _ = cohort.manifest()
    rows = [row for row in read_rows(directory).to_pylist() if row["included"]]
    path = tmp_path / rows[1]["image"]
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    (tmp_path / rows[3]["mask"]).unlink()
    changed, missing = audits.audit_files(directory, tmp_path)
    assert changed.startswith(f"{rows[1]['row_id']}: {rows[1]['entry']} has digest ")
    assert missing == f"{rows[3]['row_id']}: {rows[3]['entry']} has no mask.npy"
