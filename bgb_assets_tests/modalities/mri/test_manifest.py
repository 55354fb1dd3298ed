import dataclasses
import json
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from bgb_assets.modalities.mri.cohort.audits import audit_bins, audit_folds
from bgb_assets.modalities.mri.manifest_params import CohortParams, ManifestParams
from bgb_assets.modalities.mri.splits.strata import STRATA
from bgb_assets.runtime.errors import ConfigError, ContractError
from bgb_assets.storage.audits import counts, leakage
from bgb_assets.storage.manifest import read_counts, read_rows
from bgb_assets.storage.nested_splits import NestedSplitParams
from bgb_assets.storage.split_files import pin_split, read_split, start_new
from bgb_assets.storage.table_reader import Tables
from bgb_assets_tests.modalities.mri.cohort_case import PARAMS, Cohort

MM3 = (10_000.0, 50_000.0, 100_000.0, 200_000.0)


def thirty(root: Path, first: int = 0) -> Cohort:
    """Return 30 subjects, every fourth with two visits, and one scan of each kind that does not train."""
    cohort = Cohort(root)
    grow(cohort, range(first, first + 30))
    cohort.add("N1", volume_mm3=None)
    cohort.add("O1", image=None, acquisition=None)
    cohort.add("T1", acquisition="turbo_spin_echo")
    cohort.add("F1", modality="FLAIR")
    cohort.add("S000", "3", volume_mm3=None)
    return cohort


def grow(cohort: Cohort, numbers: range) -> None:
    for number in numbers:
        volume_mm3, acquisition = MM3[number % 4] + number, ("space_2x", "space_no_accel")[number // 4 % 2]
        cohort.add(f"S{number:03d}", volume_mm3=volume_mm3, acquisition=acquisition)
        if number % 4 == 0:
            cohort.add(f"S{number:03d}", "2", volume_mm3=MM3[1] + number, acquisition=acquisition)


def rows_of(directory: Path) -> dict[str, dict]:
    return {row["row_id"]: row for row in read_rows(directory).to_pylist()}


def folds_of(directory: Path) -> dict[str, tuple[int, ...]]:
    names = ("outer_fold", "inner_fold_0", "inner_fold_1", "inner_fold_2")
    return {row["group"]: tuple(row[name] for name in names) for row in rows_of(directory).values() if row["included"]}


def test_every_scan_has_a_row_and_only_pairs_of_the_cohort_train(tmp_path: Path) -> None:
    cohort = thirty(tmp_path)
    directory, result = cohort.manifest()
    rows, manifest = rows_of(directory), read_counts(directory)
    assert list(rows) == sorted(cohort.members)
    assert manifest["included"] == 38
    said = {key: (row["status"], row["reason"]) for key, row in rows.items() if not row["included"]}
    assert said == {
        "sub-N1_ses-1": ("no_mask", "no_mask"),
        "sub-O1_ses-1": ("mask_only", "mask_only"),
        "sub-T1_ses-1": ("trainable", "excluded_acquisition"),
        "sub-F1_ses-1": ("trainable", "other_modality"),
        "sub-S000_ses-3": ("no_mask", "no_mask"),
    }
    assert (rows["sub-O1_ses-1"]["image"], rows["sub-N1_ses-1"]["mask"]) == (None, None)
    assert {row["status"] for row in rows.values() if row["included"]} == {"trainable"}
    for row in rows.values():
        if row["included"]:
            assert (tmp_path / row["image"]).is_file()
            assert (tmp_path / row["mask"]).is_file()
    assert rows["sub-S000_ses-3"]["outer_fold"] == rows["sub-S000_ses-1"]["outer_fold"]
    assert result.metadata["included"] == 38


def test_no_subject_is_on_two_sides_and_folds_balance(tmp_path: Path) -> None:
    directory, _ = thirty(tmp_path).manifest()
    rows = rows_of(directory)
    by_subject: dict[str, set[tuple]] = {}
    for row in rows.values():
        if row["included"]:
            folds = tuple(row[name] for name in ("fold", "split", "outer_fold", "inner_fold_0", "inner_fold_1"))
            by_subject.setdefault(row["group"], set()).add(folds)
    assert len(by_subject) == 30
    assert all(len(found) == 1 for found in by_subject.values())
    assert sorted(Counter(next(iter(found))[2] for found in by_subject.values()).values()) == [10, 10, 10]
    for row in rows.values():
        assert [row[f"inner_fold_{fold}"] == -1 for fold in range(3)] == [
            row["outer_fold"] in (-1, fold) for fold in range(3)
        ]
        expected = {0: 2, -1: -1}.get(row["outer_fold"], 1 if row["inner_fold_0"] == 0 else 0)
        assert row["split"] == expected
    assert leakage(directory, tmp_path) == counts(directory, tmp_path) == audit_folds(directory, tmp_path) == []


def test_a_subject_is_dealt_by_its_largest_lesion(tmp_path: Path) -> None:
    rows = rows_of(thirty(tmp_path).manifest()[0])
    assert rows["sub-S000_ses-1"]["volume_bin"] == 1
    assert rows["sub-S000_ses-2"]["volume_bin"] == 2
    assert rows["sub-S000_ses-1"]["stratum"] == rows["sub-S000_ses-2"]["stratum"] == "volume_bin=2 acquisition=space_2x"


def test_voxels_are_counted_exactly(tmp_path: Path) -> None:
    directory, _ = thirty(tmp_path).manifest()
    rows, voxels = rows_of(directory), read_counts(directory)["voxels"]
    for fold, found in enumerate(voxels["outer_folds"]):
        chosen = [row for row in rows.values() if row["included"] and row["outer_fold"] == fold]
        assert found["scans"] == len(chosen)
        assert found["subjects"] == 10
        assert found["lesion_voxels"] == sum(row["lesion_voxels"] for row in chosen) > 0
        assert found["total_voxels"] == len(chosen) * 576
    whole = voxels["all"]
    assert whole["lesion_share"] == sum(fold["lesion_voxels"] for fold in voxels["outer_folds"]) / (38 * 576)


def test_pinned_subjects_stay_and_unpinned_ones_are_told(tmp_path: Path) -> None:
    cohort = thirty(tmp_path)
    directory, result = cohort.manifest()
    before = folds_of(directory)
    told = "30 subjects are not pinned to their folds: more scans may move them; `bgb splits mri` pins them"
    assert told in result.warnings
    assert pin_split(directory / "splits/default.json", tmp_path / "pins/mri", tmp_path / "lock")
    again, result = cohort.manifest()
    assert folds_of(again) == before
    assert result.warnings == ()
    for count in (1, 10):
        grow(cohort, range(100 * count, 101 * count))
        directory, result = cohort.manifest()
        after = folds_of(directory)
        assert {subject: after[subject] for subject in before} == before
        assert len(after) == {1: 31, 10: 41}[count]
        assert any("not pinned" in warning for warning in result.warnings)
    for key in list(cohort.members)[:10]:
        del cohort.members[key]
    directory, _ = cohort.manifest()
    assert all(before[subject] == folds for subject, folds in folds_of(directory).items() if subject in before)
    split = read_split(directory / "splits/default.json")
    assert {subject: (one.folds.outer, *one.folds.inner) for subject, one in split.groups.items()} | before == {
        subject: (one.folds.outer, *one.folds.inner) for subject, one in split.groups.items()
    }


def test_new_split_is_dealt_afresh_under_its_name(tmp_path: Path) -> None:
    cohort, pins = thirty(tmp_path), tmp_path / "pins/mri"
    few = thirty(tmp_path / "few", 15)
    pin_split(few.manifest()[0] / "splits/default.json", pins, tmp_path / "lock")
    pinned = folds_of(cohort.manifest()[0])
    start_new(pins, "second")
    directory, result = cohort.manifest()
    assert read_counts(directory)["split"]["name"] == "second"
    assert read_split(directory / "splits/second.json").digest == result.facets["split"]
    assert folds_of(directory) != pinned
    assert folds_of(directory) == folds_of(thirty(tmp_path / "fresh").manifest()[0])


def test_another_seed_than_the_pinned_one_is_refused(tmp_path: Path) -> None:
    cohort = thirty(tmp_path)
    pin_split(cohort.manifest()[0] / "splits/default.json", tmp_path / "pins/mri", tmp_path / "lock")
    params = dataclasses.replace(PARAMS, split=NestedSplitParams(seed=7, strata=STRATA))
    with pytest.raises(ConfigError, match=r"was dealt with seed 42, not 7; set that in the configuration"):
        cohort.manifest(params)


def test_one_image_under_two_subjects_trains_under_none(tmp_path: Path) -> None:
    cohort = thirty(tmp_path)
    cohort.add("S001", "9", image="same")
    cohort.add("X001", image="same")
    cohort.add("S002", "9", image="twice", volume_mm3=MM3[2])
    cohort.add("S002", "8", image="twice", volume_mm3=MM3[2])
    directory, result = cohort.manifest()
    rows = rows_of(directory)
    for key in ("sub-S001_ses-9", "sub-X001_ses-1"):
        assert (rows[key]["status"], rows[key]["reason"], rows[key]["outer_fold"]) == (
            "quarantined",
            "duplicate_content",
            -1,
        )
    assert rows["sub-S001_ses-1"]["included"]
    assert rows["sub-S002_ses-9"]["included"]
    assert rows["sub-S002_ses-8"]["included"]
    said = " ".join(result.warnings)
    assert "'sub-S001_ses-9', 'sub-X001_ses-1' hold the same image under several subjects: none of them trains" in said
    assert "'sub-S002_ses-8', 'sub-S002_ses-9' hold the same image of one subject: each of them counts" in said
    assert "X001" not in read_split(directory / "splits/default.json").groups


def test_order_of_uploads_does_not_count_and_the_place_neither(tmp_path: Path) -> None:
    one, two = thirty(tmp_path / "one"), thirty(tmp_path / "two")
    two.members = dict(reversed(two.members.items()))
    first, second = one.manifest(), two.manifest()
    assert first[1].facets == second[1].facets
    for name in ("rows.parquet", "manifest.json", "splits/default.json"):
        assert (first[0] / name).read_bytes() == (second[0] / name).read_bytes()


def test_what_changed_changes_the_manifest(tmp_path: Path) -> None:
    facets = thirty(tmp_path / "one").manifest()[1].facets
    other = thirty(tmp_path / "two")
    other.add("S003", volume_mm3=MM3[3] + 4)
    changed = other.manifest()[1].facets
    assert changed["rows"] != facets["rows"]
    assert changed["split"] == facets["split"], "its bin is the same"
    other.add("S003", volume_mm3=1.0)
    assert other.manifest()[1].facets["split"] != facets["split"]


def test_cohort_is_a_choice(tmp_path: Path) -> None:
    cohort = thirty(tmp_path)
    directory, result = cohort.manifest(ManifestParams(CohortParams(excluded_acquisitions=(), expected_scans=223)))
    assert rows_of(directory)["sub-T1_ses-1"]["included"]
    assert "39 scans train, 223 are expected" in result.warnings
    flair, result = cohort.manifest(ManifestParams(CohortParams(modality="FLAIR")))
    assert [key for key, row in rows_of(flair).items() if row["included"]] == ["sub-F1_ses-1"]
    assert any("outer fold 1 tests 0 scans, none with a lesion voxel" in warning for warning in result.warnings)


def test_rare_strata_are_handled_and_told(tmp_path: Path) -> None:
    cohort = thirty(tmp_path)
    cohort.add("R1", volume_mm3=MM3[0], acquisition="other")
    directory, result = cohort.manifest()
    told = "stratum 'volume_bin=1 acquisition=other' has 1 groups, 3 folds need 3"
    assert f"{told}: dealt with 'volume_bin=2 acquisition=space_2x'" in result.warnings
    assert read_counts(directory)["split"]["done"] == [one for one in result.warnings if one.startswith("stratum")]
    strict = dataclasses.replace(PARAMS, split=NestedSplitParams(strata=STRATA, rare="strict"))
    with pytest.raises(ConfigError, match="'volume_bin=1 acquisition=other' has 1"):
        cohort.manifest(strict)


def test_features_of_two_kinds_are_refused(tmp_path: Path) -> None:
    cohort = thirty(tmp_path)
    cohort.add("U1", store="u16")
    with pytest.raises(ConfigError, match="one store, 'sub-S000_ses-1' has 'f16' and 'sub-U1_ses-1' 'u16'"):
        cohort.manifest()


def test_notes_of_another_volume_than_the_features_are_refused(tmp_path: Path) -> None:
    cohort = thirty(tmp_path)
    key = "sub-S000_ses-1"
    other = Cohort(tmp_path / "other")
    other.add("S000", volume_mm3=7.0)
    entries = {**cohort.members[key].entries, "notes": other.members[key].entries["notes"]}
    cohort.members[key] = dataclasses.replace(cohort.members[key], entries=entries)
    with pytest.raises(ContractError, match="mri/manifest 'sub-S000_ses-1': notes know mask "):
        cohort.manifest()


def test_nothing_is_a_valid_cohort(tmp_path: Path) -> None:
    directory, result = Cohort(tmp_path).manifest()
    assert result.metadata["rows"] == 0
    assert read_counts(directory)["voxels"]["all"]["lesion_share"] is None
    assert audit_bins(directory, tmp_path) == audit_folds(directory, tmp_path) == []


def test_table_names_the_upload_and_one_more_rewrites_one_file(tmp_path: Path) -> None:
    cohort = thirty(tmp_path)
    directory, _ = cohort.manifest()
    with Tables(directory, tmp_path) as tables:
        assert tables.names == ("scans",)
        table = tables.read("scans")
        assert table.column_names[:3] == ["upload_id", "subject_id", "session_id"]
        assert sorted(table.column("upload_id").to_pylist()) == sorted(cohort.members)
        (row,) = tables.of_upload("scans", "sub-S007_ses-1").to_pylist()
        assert (row["subject_id"], row["lesion_volume_mm3"]) == ("S007", MM3[3] + 7)
    cohort.manifest()
    assert cohort.parts_made == []
    cohort.add("Z1")
    cohort.manifest()
    assert len(cohort.parts_made) == 1


def test_params_are_checked() -> None:
    with pytest.raises(ConfigError, match="strata must be of"):
        ManifestParams(split=NestedSplitParams(strata=("sex",)))
    with pytest.raises(ConfigError, match="each once"):
        ManifestParams(split=NestedSplitParams(strata=("acquisition", "acquisition")))
    with pytest.raises(ConfigError, match="at most 127 folds"):
        ManifestParams(split=NestedSplitParams(outer=200))


def test_split_file_lists_visits_by_name(tmp_path: Path) -> None:
    directory, _ = thirty(tmp_path).manifest()
    groups = json.loads((directory / "splits/default.json").read_bytes())["groups"]
    assert groups["S000"]["members"] == ["1", "2"], "the visit without a mask was not dealt"
    assert "N1" not in groups
    assert pq.read_schema(directory / "rows.parquet").field("outer_fold").type == "int8"
