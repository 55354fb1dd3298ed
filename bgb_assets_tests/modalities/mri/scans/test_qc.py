import numpy as np
import pytest

from bgb_assets.modalities.mri.scans import qc
from bgb_assets.modalities.mri.scans.nifti import Reading, read_header
from bgb_assets_tests.fixtures import shared_data
from bgb_assets_tests.modalities.mri.nifti_files import (
    AFFINE,
    ODD_FORMS,
    PIXDIM,
    SFORM_CODE,
    SROW,
    nifti,
    of_nibabel,
    patched,
    patient,
    voxels,
)

NAN = float("nan")
SROW_X_OF_2 = 400
"""Offset in a NIfTI-2 header."""


def found(data, reading=Reading()):
    return {flag.code: flag for flag in qc.header_flags(read_header(data, reading), reading)}


def test_real_scans_have_headers_without_fault():
    odd = {}
    for path in sorted(shared_data("mri").rglob("*.nii.gz")):
        if flags := found(path):
            odd[path.parent.name] = {code: flag.value for code, flag in flags.items()}
    assert list(odd) == ["patient20"]
    assert odd["patient20"] == {"oblique": pytest.approx(13.637, abs=1e-3)}


def test_a_voxel_size_must_be_positive():
    for size in (0.0, -1.0, NAN, float("inf")):
        flags = found(patched(nifti(), PIXDIM + 4, "<3f", 1.0, size, 1.0))
        assert list(flags) == ["bad_voxel_size"]
    assert flags["bad_voxel_size"].message == "voxel size must be positive, got (1.0, inf, 1.0) mm in pixdim"


@pytest.mark.parametrize("row", [(0.0, 0.0, 0.0, 5.0), (NAN, 0.0, 0.0, 0.0), (0.0, 1.5, 0.0, 0.0)])
def test_an_affine_must_be_finite_and_lose_no_axis(row):
    assert list(found(patched(nifti(), SROW, "<4f", *row))) == ["bad_affine"]


def test_left_and_right_must_be_known_or_stated():
    data = patched(nifti(), SFORM_CODE, "<h", 0)
    assert [flag.level for flag in found(data).values()] == ["reject"]
    stated = found(data, Reading(orientation="LPS"))
    assert {code: flag.level for code, flag in stated.items()} == {"no_orientation": "warn"}
    assert "allowed by assume_orientation = LPS" in stated["no_orientation"].message


def test_one_volume_is_expected_or_chosen():
    data = nifti(voxels((5, 6, 7, 20)))
    assert found(data)["not_3d"].level == "reject"
    assert found(data, Reading(volume=19))["not_3d"].level == "warn"
    assert found(data, Reading(volume=20))["not_3d"].level == "reject"
    assert found(nifti(), Reading(volume=0)) == found(nifti(voxels((5, 6, 7, 1)))) == {}
    assert found(nifti(), Reading(volume=1))["not_3d"].level == "reject"
    assert [name for name in ODD_FORMS if "not_3d" in found(of_nibabel(name))] == [*ODD_FORMS[1:]]


def test_a_qform_far_from_the_sform_is_told():
    apart = patched(nifti(qform_code=1), SROW, "<4f", -2.0, 0.0, 0.0, 42.0)
    assert found(apart)["qform_sform"].value == pytest.approx(2.0)
    near = patched(nifti(qform_code=1), SROW, "<4f", -2.0, 0.0, 0.0, 40.9)
    assert found(near) == {}


def test_a_scan_turned_by_more_than_a_degree_is_told():
    for degrees, codes in ((0.9, []), (1.1, ["oblique"])):
        turn = np.deg2rad(degrees)
        affine = AFFINE.copy()
        affine[:2, :2] = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
        assert list(found(nifti(affine=affine))) == codes


def grid(image, mask):
    return qc.grid_flags(read_header(image), read_header(mask))


def test_real_masks_lie_on_the_grids_of_their_heads():
    for number in ("07", "19"):
        assert grid(patient(number, "T2"), patient(number, "GOLD")) == []


def test_a_real_mask_of_another_shape_is_on_another_grid():
    folder = shared_data("mri") / "open_ms" / "raw" / "patient20"
    (flag,) = grid(folder / "study2_FLAIR.nii.gz", folder / "gt.nii.gz")
    assert flag.as_json() == {
        "code": "mask_grid",
        "message": "its shape is (280, 304, 65), the image's (256, 256, 44)",
        "value": None,
        "level": "reject",
    }


def test_a_real_label_map_of_equal_shape_is_on_another_grid():
    folder = shared_data("mri") / "brainchop"
    (flag,) = grid(folder / "t1_crop.nii.gz", folder / "labels.nii.gz")
    assert flag.code == "mask_grid"
    assert flag.value == pytest.approx(17.37, abs=0.005)


def test_a_hundredth_of_a_millimetre_is_the_limit():
    for shift_mm, n_flags in ((0.009, 0), (0.011, 1)):
        affine = AFFINE.copy()
        affine[1, 3] += shift_mm
        assert len(grid(nifti(), nifti(affine=affine))) == n_flags


def test_a_file_much_smaller_than_others_of_its_kind_is_told():
    sizes = {f"scan{i}": ("T2w", 4_000_000 + i) for i in range(9)} | {"tiny": ("T2w", 22_900), "mask": ("mask", 21_200)}
    flags = qc.size_flags(sizes)
    assert list(flags) == ["tiny"]
    assert flags["tiny"].message == "22900 bytes, the median of T2w is 4000004"


def test_axes_of_any_length_are_taken_and_axes_that_fall_together_are_not():
    assert found(nifti(affine=np.diag([0.05, 0.05, 20.0, 1.0]))) == {}
    parallel = [[1.0, 1.0, 0, 0], [0, 0.005, 0, 0], [0, 0, 1.0, 0], [0, 0, 0, 1]]
    assert list(found(nifti(affine=parallel))) == ["bad_affine"]
    huge = patched(nifti(version=2), SROW_X_OF_2, "<4d", 1e200, 0.0, 0.0, 0.0)
    assert list(found(huge)) == ["bad_affine"]
