"""Files on the grid of a scan: its geometry and nothing else of its header."""

import gzip

import nibabel
import numpy as np
import pytest

from bgb_assets.modalities.mri.scans.nifti import read_header
from bgb_assets.modalities.mri.segmentation.nifti_file import like_scan
from bgb_assets_tests.modalities.mri.nifti_files import DESCRIP, SLOPE, nifti, of_nibabel, packed, patched, put, voxels


def written(path, array, tmp_path):
    made = put(tmp_path / "made.nii.gz", like_scan(path, read_header(path), array, "made"))
    return nibabel.load(made)


def test_the_name_of_a_patient_and_a_scaling_do_not_come_along(tmp_path):
    content = patched(patched(nifti(), DESCRIP, "20s", b"Jane Doe"), SLOPE, "<2f", 0.5, 3.0)
    scan = put(tmp_path / "scan.nii.gz", packed(content))
    array = np.ones((5, 6, 7), np.uint8)
    made = written(scan, array, tmp_path)
    assert bytes(made.header["descrip"]).rstrip(b"\0") == b"made"
    assert (made.dataobj.slope, made.dataobj.inter) == (1, 0)
    np.testing.assert_array_equal(np.asarray(made.dataobj), array)


@pytest.mark.parametrize("name", ["anatomical.nii", "example_nifti2.nii.gz", "example4d.nii.gz"])
def test_real_headers_of_every_kind(name, tmp_path):
    scan = of_nibabel(name)
    header, source = read_header(scan), nibabel.load(scan)
    array = np.random.default_rng(0).random(header.shape[:3], np.float32)
    made = written(scan, array, tmp_path)
    assert type(made) is type(source)
    assert made.shape == source.shape[:3]
    np.testing.assert_array_equal(made.affine, source.affine)
    for field in ("qform_code", "sform_code", "xyzt_units"):
        assert made.header[field] == source.header[field]
    np.testing.assert_array_equal(np.asarray(made.dataobj), array)
    assert made.header.endianness == "<"


def test_neither_time_nor_name_stands_in_the_stream(tmp_path):
    scan = put(tmp_path / "scan.nii", nifti())
    content = like_scan(scan, read_header(scan), voxels((5, 6, 7), "u1"), "made")
    assert content[3:8] == bytes(5)
    assert len(gzip.decompress(content)) == 352 + 5 * 6 * 7
