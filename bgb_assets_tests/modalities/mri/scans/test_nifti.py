import nibabel
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgb_assets.modalities.mri.scans import qc
from bgb_assets.modalities.mri.scans.flags import BadScan
from bgb_assets.modalities.mri.scans.limits import Limits
from bgb_assets.modalities.mri.scans.nifti import ORIENTATIONS, Reading, read_header
from bgb_assets_tests.fixtures import shared_data
from bgb_assets_tests.modalities.mri.nifti_files import (
    AFFINE,
    DATATYPE,
    DIM,
    ODD_FORMS,
    PIXDIM,
    QFORM_CODE,
    QUATERN,
    SFORM_CODE,
    SLOPE,
    VOX_OFFSET,
    nifti,
    of_nibabel,
    packed,
    patched,
    put,
    voxels,
)

NAN, INF = float("nan"), float("inf")


def code_of(data, *args):
    with pytest.raises(BadScan) as refused:
        read_header(data, *args)
    return refused.value.code


def held_against_nibabel(path):
    header, peer = read_header(path), nibabel.load(path)
    np.testing.assert_array_equal(header.affine, peer.affine)
    assert header.orientation == "".join(nibabel.aff2axcodes(peer.affine))
    assert (header.slope, header.inter) == (peer.dataobj.slope, peer.dataobj.inter)
    assert header.vox_offset == peer.dataobj.offset
    assert header.dtype == peer.dataobj.dtype
    assert header.shape == peer.shape
    np.testing.assert_allclose(header.zooms_mm, peer.header.get_zooms()[:3], rtol=1e-6)
    return header


@pytest.mark.parametrize("name", [*ODD_FORMS, "resampled_anat_moved.nii"])
def test_odd_forms_are_read_as_nibabel_does(name):
    held_against_nibabel(of_nibabel(name))


def test_real_scans_are_read_as_nibabel_does():
    paths = sorted(shared_data("mri").rglob("*.nii.gz"))
    assert len(paths) == 70
    found = {path: held_against_nibabel(path).orientation for path in paths}
    assert {orientation: list(found.values()).count(orientation) for orientation in set(found.values())} == {
        "RAS": 60,
        "LAS": 6,
        "LPS": 2,
        "LIA": 2,
    }


def test_an_oblique_scan_says_its_angle():
    header = read_header(shared_data("mri") / "open_ms" / "raw" / "patient20" / "study2_FLAIR.nii.gz")
    assert header.obliquity_deg == pytest.approx(13.637, abs=1e-3)
    assert header.as_json()["zooms_mm"] == pytest.approx([0.8984, 0.8984, 2.9985], abs=1e-4)
    assert header.as_json()["dtype"] == "uint16"


def test_the_bytes_of_a_file_do_as_well_as_its_path(tmp_path):
    for data in (nifti(), packed(nifti()), nifti(version=2), nifti(voxels(dtype=">i2"), endianness=">")):
        from_bytes, from_path = read_header(data), read_header(put(tmp_path / "a.nii", data))
        assert from_bytes.as_json() == from_path.as_json()
        assert from_bytes.affine.tolist() == AFFINE.tolist()
        assert from_bytes.file_bytes == from_bytes.vox_offset + 5 * 6 * 7 * 2


@pytest.mark.parametrize("slope", [0.0, NAN, INF, -INF])
def test_a_slope_that_says_nothing_is_one(slope):
    header = read_header(patched(nifti(), SLOPE, "<2f", slope, 7.0))
    assert (header.slope, header.inter) == (1.0, 0.0)


def test_a_slope_and_an_intercept_are_read_from_the_bytes():
    header = read_header(patched(nifti(), SLOPE, "<2f", 0.5, -3.0))
    assert (header.slope, header.inter) == (0.5, -3.0)
    assert code_of(patched(nifti(), SLOPE, "<2f", 0.5, NAN)) == "non_finite"


def test_trailing_axes_of_one_are_no_axes():
    assert read_header(nifti(voxels((5, 6, 7, 1, 1)))).shape == (5, 6, 7)
    assert read_header(nifti(voxels((5, 6)))).shape == (5, 6, 1)
    several = read_header(nifti(voxels((5, 6, 7, 1, 3))))
    assert (several.shape, several.volumes, several.volume_bytes) == ((5, 6, 7, 1, 3), 3, 420)


def test_the_sform_wins_then_the_qform_then_what_is_stated():
    rotated = nibabel.affines.from_matvec(np.diag([1.0, 2.0, 3.0]), [5, 6, 7])
    both = nifti(qform_code=1)
    assert read_header(both).affine.tolist() == AFFINE.tolist()
    qform_only = patched(nifti(affine=rotated, qform_code=1), SFORM_CODE, "<h", 0)
    np.testing.assert_allclose(read_header(qform_only).affine, rotated)
    neither = patched(nifti(affine=rotated), SFORM_CODE, "<h", 0)
    header = read_header(neither)
    assert not header.oriented
    np.testing.assert_array_equal(header.affine, nibabel.Nifti1Image.from_bytes(neither).affine)


@pytest.mark.parametrize("orientation", ["RAS", "LPS", "AIR", "SPL"])
def test_a_stated_orientation_is_used_where_there_is_no_other(orientation):
    neither = patched(nifti(), SFORM_CODE, "<h", 0)
    header = read_header(neither, Reading(orientation=orientation))
    assert (header.oriented, header.assumed, header.orientation) == (True, orientation, orientation)
    np.testing.assert_allclose(header.affine @ [2, 2.5, 3, 1], [0, 0, 0, 1], atol=1e-12)
    assert header.zooms_mm == (2.0, 1.5, 3.0)
    known = read_header(nifti(), Reading(orientation=orientation))
    assert (known.assumed, known.orientation) == (None, "LAS")


def test_there_are_48_orientations():
    assert len(ORIENTATIONS) == 48
    assert {"RAS", "LAS", "LIA", "PIR"} <= ORIENTATIONS
    assert not {"RAR", "RLA", "ras", "RA"} & ORIENTATIONS


def test_quaternions_that_make_no_rotation_leave_an_affine_that_cannot_be_used():
    data = patched(patched(nifti(qform_code=1), SFORM_CODE, "<h", 0), QUATERN, "<3f", 1.0, 1.0, 1.0)
    assert np.isnan(read_header(data).affine).all()


def test_equal_affines_have_equal_bytes_whatever_the_sign_of_zero():
    minus = AFFINE.copy()
    minus[0, 1] = -0.0
    assert read_header(nifti(affine=minus)).affine.tobytes() == read_header(nifti()).affine.tobytes()


def test_what_is_no_nifti_is_refused():
    assert code_of(b"") == "empty_file"
    assert code_of(b"GIF89a" + bytes(600)) == "not_nifti"
    assert code_of(nifti()[:344] + bytes(4)) == "not_nifti"  # ANALYZE has the same size and no magic
    assert code_of(patched(nifti(), DIM, "<h", 0)) == "not_nifti"
    assert code_of(patched(nifti(), DIM, "<8h", 3, 5, -6, 7, 1, 1, 1, 1)) == "not_nifti"
    assert code_of(patched(nifti(), VOX_OFFSET, "<f", 100.0)) == "not_nifti"
    assert code_of(nifti()[:200]) == "data_short"
    assert code_of(packed(nifti())[:60]) == "gzip_truncated"
    assert code_of(packed(b"")[:10] + b"\xff" * 200) == "gzip_crc"


def test_a_header_without_its_image_is_refused():
    assert code_of(of_nibabel("nifti1.hdr")) == "header_only"


def test_no_offset_stands_for_the_least():
    assert read_header(patched(nifti(), VOX_OFFSET, "<f", 0.0)).vox_offset == 352


@pytest.mark.parametrize("datatype", [0, 1, 32, 128, 1536, 1792, 2048, 2304, 9999])
def test_voxels_that_are_no_numbers_of_use_are_refused(datatype):
    assert code_of(patched(nifti(), DATATYPE, "<h", datatype)) == "bad_dtype"


@pytest.mark.parametrize(("datatype", "name"), [(2, "uint8"), (256, "int8"), (512, "uint16"), (64, "float64")])
def test_numbers_of_every_size_are_taken(datatype, name):
    assert read_header(patched(nifti(), DATATYPE, "<h", datatype)).as_json()["dtype"] == name


def test_a_header_that_claims_too_much_is_refused_before_anything_is_allocated():
    assert code_of(patched(nifti(), DIM, "<8h", 3, 32767, 32767, 32767, 1, 1, 1, 1)) == "too_large"
    assert code_of(patched(nifti(), DIM, "<8h", 4, 1024, 1024, 1024, 3, 1, 1, 1)) == "too_large"
    assert code_of(patched(nifti(), DIM, "<8h", 3, 1025, 1, 1, 1, 1, 1, 1)) == "too_large"
    assert code_of(packed(patched(nifti(), VOX_OFFSET, "<f", 1e9))) == "too_large"
    assert code_of(nifti(), Reading(), Limits(max_axis=6)) == "too_large"
    assert code_of(nifti(), Reading(), Limits(max_inflated_bytes=700)) == "too_large"


def test_sizes_that_are_wrong_are_left_to_be_judged():
    header = read_header(patched(nifti(), PIXDIM + 4, "<3f", 1.0, 0.0, 1.0))
    assert header.pixdim_mm == (1.0, 0.0, 1.0)
    bad_qform = patched(nifti(qform_code=1), PIXDIM + 4, "<3f", 1.0, -2.0, 1.0)
    assert read_header(bad_qform).pixdim_mm == (1.0, -2.0, 1.0)
    assert read_header(patched(bad_qform, QFORM_CODE, "<h", 0)).qform is None


@given(
    version=st.sampled_from([1, 2]),
    damage=st.lists(st.tuples(st.integers(0, 539), st.binary(min_size=1, max_size=8)), max_size=6),
    length=st.integers(0, 600),
)
def test_whatever_the_bytes_a_header_is_read_and_judged_or_refused(version, damage, length):
    data = bytearray(nifti(version=version, qform_code=1))
    for place, content in damage:
        data[place : place + len(content)] = content
    try:
        header = read_header(bytes(data[: 600 if length > 500 else length]))
    except BadScan:
        return
    if not any(flag.level == "reject" for flag in qc.header_flags(header)):
        said = header.as_json()
        assert set(said["orientation"]) <= set("RLAPSI")
        assert np.isfinite(said["affine"]).all()
        assert 0 <= said["obliquity_deg"] <= 90
