import pytest

from bgb_assets.modalities.mri.pairing.csv_rows import Row, is_scan_table, read_rows
from bgb_assets.runtime.errors import BadInput

HEADER = "image,mask,subject_id,session_id,acquisition\n"


def table(tmp_path, text, name="scans.csv"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_a_table_says_which_files_are_a_scan(tmp_path):
    text = HEADER + "a.nii.gz,b.nii,M1,12,spc3\n,m.nii.gz,sub-M2,,\r\ni.nii,,M3,ses-4,\n\n,,M5,6,\n"
    assert read_rows(table(tmp_path, "\ufeff" + text)) == [
        Row(2, "a.nii.gz", "b.nii", "sub-M1", "ses-12", "spc3"),
        Row(3, None, "m.nii.gz", "sub-M2", None, None),
        Row(4, "i.nii", None, "sub-M3", "ses-4", None),
    ]


def test_columns_may_stand_in_any_order_and_some_may_be_missing(tmp_path):
    (row,) = read_rows(table(tmp_path, 'subject_id, mask ,note,image\n7,"m, 1.nii",x,sub/i.nii\n'))
    assert (row.name, row.image, row.mask, row.acquisition) == ("sub-7", "sub/i.nii", "m, 1.nii", None)


def test_only_a_file_with_these_columns_is_a_table(tmp_path):
    assert is_scan_table(table(tmp_path, HEADER))
    assert not is_scan_table(table(tmp_path, "image;mask;subject_id\n"))
    assert not is_scan_table(table(tmp_path, "image,subject_id\n"))
    assert not is_scan_table(table(tmp_path, b"\xff\xfe" + HEADER.encode("utf-16-le")))
    assert not is_scan_table(tmp_path / "absent.csv")


@pytest.mark.parametrize("path", ["../a.nii", "/etc/a.nii", "x/../../a.nii"])
def test_a_path_out_of_the_folder_is_remembered_and_not_followed(tmp_path, path):
    (row,) = read_rows(table(tmp_path, f"{HEADER}{path},m.nii,M1,1,\n"))
    assert (row.image, row.mask, row.files, row.flag.code, row.flag.value) == (None, None, (), "unsafe_path", path)
    assert "scans.csv, line 2" in row.flag.message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEADER + "a.nii,,,1,\n", "line 2: no subject_id"),
        (HEADER.encode() + b"\xff.nii,,1,1,\n", "not UTF-8"),
        (HEADER + f'"{"x" * 200_000}",,1,1,\n', "field larger"),
    ],
)
def test_a_table_that_cannot_be_read_is_refused(tmp_path, text, message):
    with pytest.raises(BadInput, match=message):
        read_rows(table(tmp_path, text))
