import gzip

import numpy as np
import pytest

from bgb_assets.modalities.mri.scans.flags import BadScan
from bgb_assets.modalities.mri.scans.limits import Limits
from bgb_assets.modalities.mri.scans.nifti import read_header
from bgb_assets.modalities.mri.scans.wholeness import check_digest, check_whole
from bgb_assets.runtime import monitoring
from bgb_assets_tests.fixtures import shared_data
from bgb_assets_tests.modalities.mri.nifti_files import nifti, packed, patched, put, voxels


def checked(path, **limits):
    """Return the codes, and how often the file was inflated."""
    with monitoring.counting() as counts:
        try:
            codes = [flag.code for flag in check_whole(path, read_header(path), Limits(**limits))]
        except BadScan as error:
            codes = [error.code]
    return codes, counts["inflations"]


def test_real_scans_are_whole_without_being_inflated():
    for path in sorted(shared_data("mri").rglob("*.nii.gz")):
        assert checked(path) == ([], 0), path


def test_plain_files_are_whole_by_their_size(tmp_path):
    assert checked(put(tmp_path / "a.nii", nifti())) == ([], 0)
    assert checked(put(tmp_path / "a.nii", nifti() + b"more")) == ([], 0)
    assert checked(put(tmp_path / "a.nii", nifti()[:-1])) == (["data_short"], 0)
    assert checked(put(tmp_path / "a.nii", nifti()[:352])) == (["header_only"], 0)


def test_an_end_that_does_not_fit_is_looked_into(tmp_path):
    data = nifti(voxels((40, 50, 60)))
    two = packed(data[:1000]) + packed(data[1000:])
    assert checked(put(tmp_path / "a", two)) == ([], 1)
    assert checked(put(tmp_path / "a", packed(data + b"more"))) == ([], 1)
    assert checked(put(tmp_path / "a", packed(data) + bytes(512))) == (["gzip_trailing"], 1)
    assert checked(put(tmp_path / "a", packed(data[:-1]))) == (["data_short"], 1)
    assert checked(put(tmp_path / "a", packed(data[:352]))) == (["header_only"], 1)
    assert checked(put(tmp_path / "a", packed(data)[:-9])) == (["gzip_truncated"], 1)
    assert checked(put(tmp_path / "a", two[:-9])) == (["gzip_truncated"], 1)


def test_a_header_that_promises_more_than_the_stream_holds_is_found_out(tmp_path):
    more = patched(nifti(), 40, "<8h", 3, 5, 6, 8, 1, 1, 1, 1)
    assert checked(put(tmp_path / "a", packed(more))) == (["data_short"], 1)


def test_a_bomb_behind_a_small_header_is_stopped(tmp_path):
    path = put(tmp_path / "a", gzip.compress(nifti() + bytes(50 << 20)))
    assert checked(path, max_inflated_bytes=8 << 20) == (["too_large"], 1)


def test_the_length_is_taken_modulo_what_four_bytes_hold(tmp_path):
    path = put(tmp_path / "a", packed(nifti()))
    header = read_header(path)
    object.__setattr__(header, "vox_offset", header.vox_offset + (1 << 32))
    with monitoring.counting() as counts:
        assert check_whole(path, header) == ()
    assert counts["inflations"] == 0


def test_bytes_that_the_source_did_not_state_are_refused():
    check_digest("ab" * 32, None)
    check_digest("ab" * 32, "AB" * 32)
    with pytest.raises(BadScan, match=f"digest_mismatch: SHA-256 is {'ab' * 32}, the source states {'cd' * 32}"):
        check_digest("ab" * 32, "cd" * 32)


def test_volumes_of_no_voxels_do_not_exist(tmp_path):
    assert checked(put(tmp_path / "a", packed(nifti(np.zeros((1, 1, 1), "<u1"))))) == ([], 0)
