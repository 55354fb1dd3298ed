import gzip
import json
import os
import pickle
import re
from pathlib import Path

import pytest

from bgb_assets.modalities.mri import raw
from bgb_assets.modalities.mri.scans.flags import BadScan
from bgb_assets.modalities.mri.sources.parquet import ParquetRows, source
from bgb_assets.runtime.errors import SourceError, UsageError
from bgb_assets_tests.driving import opened_below
from bgb_assets_tests.modalities.mri.nifti_files import ODD_FORMS, of_nibabel, put
from bgb_assets_tests.modalities.mri.sources.source_case import (
    fetched,
    file_of,
    image_of,
    image_path,
    lines_of,
    mask_of,
    mask_path,
    names_of,
    planned,
    row_of,
    versions,
    write_rows,
)
from bgb_assets_tests.modalities.mri.uploads import run_raw, summary_of

KEY = "parquet.sub-A_ses-1"
NAME = Path(image_path("A", "1")).name
MASK_NAME = Path(mask_path(NAME)).name


def opened(folder: Path, **options: str) -> ParquetRows:
    return source(str(folder), options)


def only_fetched(tmp_path: Path, row: dict, **options: str) -> dict[str, bytes]:
    """Write one row, plan and fetch it."""
    write_rows(tmp_path / "data" / "a.parquet", [row])
    rows = opened(tmp_path / "data", **options)
    (offer,) = planned(rows, tmp_path / "work").values()
    return fetched(rows, offer, tmp_path / "work", tmp_path / "out")


def test_bytes_come_as_they_are_and_a_name_beside_them_is_never_opened(tmp_path: Path) -> None:
    put(tmp_path / "data" / NAME, b"a file of that name")
    with opened_below(tmp_path / "data") as names:
        got = only_fetched(tmp_path, row_of("A", "1", 3))
    assert got == {NAME: image_of(3), MASK_NAME: mask_of(3)}
    assert set(names) <= {"a.parquet"}
    assert not list((tmp_path / "work" / "rows").rglob("image*"))


@pytest.mark.parametrize("name", ODD_FORMS)
def test_odd_forms_come_through_byte_for_byte(tmp_path: Path, name: str) -> None:
    data = of_nibabel(name).read_bytes()
    row = row_of("A", "1", 1, t2w=[file_of(data, name)], lesion=None)
    assert list(only_fetched(tmp_path, row, allow_no_mask="true").values()) == [data]


def test_a_row_without_bytes_is_read_from_its_path(tmp_path: Path) -> None:
    put(tmp_path / "data" / "images" / NAME, image_of(5))
    row = row_of("A", "1", 1, t2w=[file_of(None, f"images/{NAME}")])
    assert only_fetched(tmp_path, row) == {NAME: image_of(5), MASK_NAME: mask_of(1)}


@pytest.mark.parametrize("path", ["../secret.nii.gz", "{root}/secret.nii.gz", "link.nii.gz"])
def test_a_path_out_of_the_folder_is_refused_and_nothing_outside_is_opened(tmp_path: Path, path: str) -> None:
    secret = put(tmp_path / "secret.nii.gz", image_of(1))
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "link.nii.gz").symlink_to(secret)
    row = row_of("A", "1", 1, t2w=[file_of(None, path.format(root=tmp_path))])
    with opened_below(tmp_path) as names, pytest.raises(BadScan) as error:
        only_fetched(tmp_path, row)
    assert error.value.code == "unsafe_path"
    assert "secret.nii.gz" not in names


def test_neither_bytes_nor_path_is_an_empty_file(tmp_path: Path) -> None:
    with pytest.raises(BadScan) as error:
        only_fetched(tmp_path, row_of("A", "1", 1, t2w=[file_of(None, None)]))
    assert error.value.code == "empty_file"


def test_a_path_that_is_not_there_is_asked_for_again(tmp_path: Path) -> None:
    with pytest.raises(SourceError):
        only_fetched(tmp_path, row_of("A", "1", 1, t2w=[file_of(None, "absent.nii.gz")]))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, ("paired", "row", "space_2x")),
        ({"lesion": None}, ("no_mask", "none", "space_2x")),
        ({"t2w": [file_of(image_of(1), "x.nii.gz")], "t2w_acquisition": None}, ("paired", "row", None)),
        ({"t2w": [file_of(image_of(1), None)], "lesion": file_of(mask_of(1), None)}, ("paired", "row", "space_2x")),
        ({"t2w": [file_of(gzip.decompress(image_of(1)), NAME)]}, ("paired", "row", "space_2x")),
    ],
)
def test_stage_raw_knows_what_came(tmp_path: Path, change: dict, expected: tuple[str, str, str | None]) -> None:
    rows = opened(write_rows(tmp_path / "data" / "a.parquet", [row_of("A", "1", 1) | change]), allow_no_mask="true")
    (offer,) = planned(rows, tmp_path / "work").values()
    fetched(rows, offer, tmp_path / "work", tmp_path / "out")
    put(tmp_path / "out" / raw.FACTS_FILE, json.dumps(offer.facts).encode())
    run_raw(tmp_path / "out", tmp_path / "raw")
    said = summary_of(tmp_path)
    assert (said["status"], said["pair_method"], said["acquisition"]) == expected
    assert (said["subject"], said["session"], said["modality"], said["flags"]) == ("sub-A", "ses-1", "T2w", [])


def test_a_row_without_an_image_is_left_out_and_said_to_be(tmp_path: Path) -> None:
    write_rows(tmp_path / "data" / "a.parquet", [row_of("A", "1", 1, t2w=[]), row_of("B", "1", 1)])
    with pytest.raises(SourceError, match=r"expected 2 scans, got 1 of 2 visits \(left out: 1 no T2w\)"):
        planned(opened(tmp_path / "data", expect="2"), tmp_path / "work")


def test_many_shards_and_groups_and_the_filter(tmp_path: Path) -> None:
    data = tmp_path / "data"
    rows = [row_of(name, "1", n) for n, name in enumerate("ABCDE")]
    rows[1]["lesion"] = None
    rows[2] |= {"t2w": [file_of(image_of(2), "x.nii.gz")], "t2w_acquisition": "turbo_spin_echo"}
    write_rows(data / "train-0.parquet", rows[:3], group=3)
    write_rows(data / "deep" / "train-1.parquet", rows[3:], group=1)
    found = opened(data, expect="3")
    offers = planned(found, tmp_path / "work")
    assert names_of(offers) == ["sub-A_ses-1", "sub-D_ses-1", "sub-E_ses-1"]
    for n, name in ((0, "A"), (3, "D"), (4, "E")):
        got = fetched(found, offers[f"parquet.sub-{name}_ses-1"], tmp_path / "work", tmp_path / "out" / name)
        assert sorted(got.values()) == sorted([image_of(n), mask_of(n)])
    assert len(planned(opened(data, include_tse="true"), tmp_path / "work")) == 4
    assert len(planned(opened(data / "train-0.parquet"), tmp_path / "work")) == 1


def test_what_was_passed_over_is_told_as_such(tmp_path: Path, caplog) -> None:
    caplog.set_level("INFO")
    rows = [row_of("A", "1", 1), row_of("B", "1", 2, lesion=None)]
    path = write_rows(tmp_path / "data" / "a.parquet", rows)
    planned(opened(tmp_path / "data"), tmp_path / "work")
    told = lines_of(caplog)
    assert f"2 visits of at least 1 subjects, 1 with a mask (by 1 row); 2 rows, {path.stat().st_size} bytes" in told
    n_bytes = int(
        re.search(r"1 selected \(of 1 space_2x\), at most the (\d+) bytes of 1 row groups \(left out", told)[1]
    )
    assert len(image_of(1)) + len(mask_of(1)) < n_bytes < path.stat().st_size


def test_the_same_plan_again_opens_no_table(tmp_path: Path) -> None:
    write_rows(tmp_path / "data" / "a.parquet", [row_of("A", "1", 1)])
    first = planned(opened(tmp_path / "data"), tmp_path / "work")
    with opened_below(tmp_path / "data") as names:
        assert planned(opened(tmp_path / "data"), tmp_path / "work", versions(first)) == first
    assert names == []


def test_a_table_that_changes_after_the_plan_is_not_read_as_the_planned_one(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "data" / "a.parquet", [row_of("A", "1", 1)])
    rows = opened(tmp_path / "data")
    (offer,) = planned(rows, tmp_path / "work").values()
    os.utime(path, (1, 1))
    with pytest.raises(SourceError, match="changed since it was looked at"):
        fetched(rows, offer, tmp_path / "work", tmp_path / "out")


def test_rows_that_cannot_be_told_apart_are_refused_with_all_named(tmp_path: Path) -> None:
    write_rows(tmp_path / "data" / "a.parquet", [row_of("A", "1", 1), row_of("A", "1", 2), row_of("B", "1", 3)])
    rows = opened(tmp_path / "data")
    offers = planned(rows, tmp_path / "work")
    with pytest.raises(BadScan, match="sub-A_ses-1 stands there 2 times"):
        fetched(rows, offers[KEY], tmp_path / "work", tmp_path / "out")
    assert names_of(offers) == ["sub-A_ses-1", "sub-B_ses-1"]


def test_it_can_be_handed_to_a_worker(tmp_path: Path) -> None:
    write_rows(tmp_path / "data" / "a.parquet", [row_of("A", "1", 1)])
    rows = opened(tmp_path / "data")
    (offer,) = planned(rows, tmp_path / "work").values()
    copy = pickle.loads(pickle.dumps(rows))
    assert copy == rows
    assert set(fetched(copy, offer, tmp_path / "work", tmp_path / "out")) == {NAME, MASK_NAME}


def test_what_is_no_table_is_told(tmp_path: Path) -> None:
    for rest in ("", str(tmp_path / "absent")):
        with pytest.raises(UsageError, match="name a Parquet file or a folder"):
            source(rest, {})
    with pytest.raises(SourceError, match=r"no \*.parquet there"):
        planned(opened(tmp_path), tmp_path / "work")
