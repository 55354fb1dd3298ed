import io
from pathlib import Path

import pyarrow as pa
import pytest

from bgb_assets.modalities.mri.scans.flags import BadScan
from bgb_assets.modalities.mri.sources.rows import choose, delivered_names, look_through, read_files
from bgb_assets.modalities.mri.sources.visits import SourceFile, Visit
from bgb_assets.runtime.errors import SourceError
from bgb_assets_tests.modalities.mri.sources.source_case import (
    FILE,
    SCHEMA,
    file_of,
    image_of,
    image_path,
    mask_of,
    row_of,
    write_rows,
)


class Counted(io.FileIO):
    """A file that counts the bytes read of it."""

    n_read = 0

    def read(self, size: int = -1) -> bytes:
        data = super().read(size)
        self.n_read += len(data)
        return data


def visits_of(path: Path, modality: str = "T2w", *, with_unlabelled: bool = True) -> list[Visit]:
    with path.open("rb") as handle:
        file = SourceFile(path.name, 1, "v")
        return list(look_through(handle, file, modality, with_unlabelled=with_unlabelled).visits)


def test_a_row_says_who_and_how_and_where_it_lies(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "a.parquet", [row_of("A", "1", 1), row_of("B", "2", 2)], group=1)
    first, second = visits_of(path)
    assert (first.name, first.method, first.acquisition_label) == ("sub-A_ses-1", "row", "spc3p2")
    place = {"file": "a.parquet", "version": "v", "row_group": 1, "row": 0, "image": 0}
    assert {name: second.place[name] for name in place} == place
    assert second.place["group_bytes"] > len(image_of(2)) + len(mask_of(2))
    assert first.files["image"].version != second.files["image"].version
    assert first.facts["pair_method"] == "row"


def test_row_groups_without_a_lesion_are_passed_over_unread(tmp_path: Path) -> None:
    bare = {"lesion": None}
    rows = [row_of("A", "1", 1, **bare), row_of("B", "1", 2), row_of("C", "1", 3, **bare), row_of("D", "1", 4, **bare)]
    path = write_rows(tmp_path / "a.parquet", rows, group=2)
    with path.open("rb") as handle:
        found = look_through(handle, SourceFile("a.parquet", 1, "v"), "T2w", with_unlabelled=False)
    assert [visit.name for visit in found.visits] == ["sub-A_ses-1", "sub-B_ses-1"]
    assert (found.n_rows, found.unseen) == (4, 2)
    assert len(visits_of(path)) == 4


def test_no_image_is_read_by_the_first_look_and_no_other_series_by_the_second(tmp_path: Path) -> None:
    series = [file_of(bytes(range(256)) * 4000, "x_bold.nii.gz")]
    rows = [row_of(name, "1", n, bold_rest=series, dwi=series, t1w=series) for n, name in enumerate("ABC")]
    path = write_rows(tmp_path / "a.parquet", rows)
    with Counted(path) as handle:
        look_through(handle, SourceFile("a.parquet", 1, "v"), "T2w", with_unlabelled=False)
        first = handle.n_read
        ((number, images, mask),) = read_files(handle, "a.parquet", 1, [0], "T2w")
        second = handle.n_read - first
    assert (number, images[0].data, mask and mask.data) == (0, image_of(1), mask_of(1))
    footers = 2 * 2 * 65536  # a reader asks for the last 64 KiB of a file, and opens it twice at most
    assert first < footers + 4096
    assert second < footers + 2 * (len(image_of(1)) + len(mask_of(1)))


def test_the_older_form_with_a_struct_for_the_list_is_read(tmp_path: Path) -> None:
    fields = [field if field.name != "t2w" else pa.field("t2w", FILE) for field in SCHEMA]
    row = row_of("A", "1", 1)
    path = write_rows(tmp_path / "a.parquet", [row | {"t2w": row["t2w"][0]}], schema=pa.schema(fields))
    (visit,) = visits_of(path)
    assert set(visit.files) == {"image", "mask"}
    with path.open("rb") as handle:
        ((_, images, _),) = read_files(handle, "a", 0, [0], "T2w")
    assert [image.data for image in images] == [image_of(1)]


@pytest.mark.parametrize("images", [[], None])
def test_an_empty_list_is_no_image_and_a_null_lesion_no_mask(tmp_path: Path, images: list[object] | None) -> None:
    rows = [row_of("A", "1", 1, t2w=images), row_of("B", "1", 1, lesion=None)]
    first, second = visits_of(write_rows(tmp_path / "a.parquet", rows))
    assert (set(first.files), first.has_mask, first.method) == ({"mask"}, True, "none")
    assert (set(second.files), second.has_mask, second.method) == ({"image"}, False, "none")


@pytest.mark.parametrize("turned", [False, True])
def test_of_several_runs_the_one_of_the_masks_name_is_the_scan(turned: bool) -> None:
    runs = ["sub-A_run-11_T2w.nii.gz", "sub-A_run-6_T2w.nii.gz"]
    runs = runs[::-1] if turned else runs
    mask = "sub-A_run-11_T2w_desc-lesion_mask.nii.gz"
    assert runs[choose(runs, mask)] == "sub-A_run-11_T2w.nii.gz"
    for other in ("lesion.nii.gz", None):
        with pytest.raises(BadScan) as error:
            choose(runs, other)
        assert error.value.code == "ambiguous_pair"
        assert all(run in error.value.reason for run in runs)
    assert choose(["whatever.nii"], mask) == 0


def test_rows_with_several_runs_that_no_name_tells_apart_are_flagged(tmp_path: Path) -> None:
    two = [file_of(image_of(n), None) for n in (1, 2)]
    (visit,) = visits_of(write_rows(tmp_path / "a.parquet", [row_of("A", "1", 1, t2w=two)]))
    assert [flag.code for flag in visit.flags] == ["ambiguous_pair"]


@pytest.mark.parametrize(
    ("image", "mask", "names"),
    [
        (
            "sub-A_ses-1_run-2_T2w.nii.gz",
            None,
            ("sub-A_ses-1_run-2_T2w.nii.gz", "sub-A_ses-1_run-2_T2w_desc-lesion_mask"),
        ),
        ("/x/sub-A_ses-1_T2w.nii", "sub-A_ses-1_T2w_mask.nii", ("sub-A_ses-1_T2w.nii", "sub-A_ses-1_T2w_mask.nii")),
        ("t2.nii.gz", "lesion.nii.gz", ("sub-A_ses-1_T2w.nii.gz", "sub-A_ses-1_T2w_desc-lesion_mask.nii.gz")),
        ("sub-B_ses-1_T2w.nii.gz", None, ("sub-A_ses-1_T2w.nii.gz", "sub-A_ses-1_T2w_desc-lesion_mask.nii.gz")),
        ("..\\..\\x", "../../etc/passwd", ("sub-A_ses-1_T2w.nii.gz", "sub-A_ses-1_T2w_desc-lesion_mask.nii.gz")),
    ],
)
def test_files_keep_names_that_show_what_they_are(image: str, mask: str | None, names: tuple[str, str]) -> None:
    got = delivered_names("sub-A", "ses-1", "T2w", image, mask)
    assert (got[0], got[1].removesuffix(".nii.gz")) == (names[0], names[1].removesuffix(".nii.gz"))


def test_the_column_names_the_acquisition_where_no_name_does(tmp_path: Path) -> None:
    rows = [row_of("A", "1", 1, t2w=[file_of(b"1", "x.nii")]), row_of("B", "1", 1, t2w_acquisition="turbo_spin_echo")]
    first, second = visits_of(write_rows(tmp_path / "a.parquet", rows))
    assert (first.acquisition_label, second.acquisition_label) == ("space_2x", "spc3p2")
    assert image_path("B", "1").count("acq-spc3p2") == 1


@pytest.mark.parametrize("label", ["../../x", "a/b", "a\\b", "x\0y"])
def test_a_label_that_leads_elsewhere_is_refused(tmp_path: Path, label: str) -> None:
    rows = [row_of("A", "1", 1, subject_id=label), row_of("B", "1", 1, session_id=label)]
    for visit in visits_of(write_rows(tmp_path / "a.parquet", rows)):
        assert ([flag.code for flag in visit.flags], visit.files) == (["unsafe_path"], {})


def test_what_holds_no_scans_is_told(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "a.parquet", [{"subject_id": "A"}], schema=pa.schema([("subject_id", pa.string())]))
    with pytest.raises(SourceError, match=r"no columns \['session_id', 't2w', 'lesion'\].*there are \['subject_id'\]"):
        visits_of(path)
    (tmp_path / "b.parquet").write_bytes(b"no")
    with pytest.raises(SourceError, match="not a Parquet file"):
        visits_of(tmp_path / "b.parquet")
    nobody = write_rows(tmp_path / "c.parquet", [row_of("A", "1", 1, subject_id=None)])
    with pytest.raises(SourceError, match="row 0 of row group 0 has no subject_id"):
        visits_of(nobody)
    with path.open("rb") as handle, pytest.raises(SourceError, match="no columns"):
        list(read_files(handle, "a", 0, [0], "T2w"))
