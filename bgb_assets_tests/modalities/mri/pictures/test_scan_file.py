"""Pictures of files that no store knows: the samples of every form, a folder, what is no scan."""

import shutil

import pytest

from bgb_assets.modalities.mri.pictures.scan_file import file_pictures
from bgb_assets.modalities.mri.scans.flags import BadScan
from bgb_assets.runtime.errors import BadInput, UsageError
from bgb_assets_tests.fixtures import REPOSITORY
from bgb_assets_tests.modalities.mri.cached_scans import oblique
from bgb_assets_tests.modalities.mri.nifti_files import nifti, packed, put
from bgb_assets_tests.modalities.mri.pictures.figure_parts import texts

SAMPLES = REPOSITORY / "data" / "samples" / "mri"
BOTH = {"features-montage", "features-planes"}


def test_a_scan_is_drawn_with_the_mask_beside_it(tmp_path):
    for path in (*SAMPLES.glob("sub-S20P002/**/*.nii.gz"), *SAMPLES.glob("derivatives/**/*S20P002*mask.nii.gz")):
        shutil.copy(path, tmp_path)
    drawn = file_pictures(next(tmp_path.glob("*T2w.nii.gz")))
    assert set(drawn) == BOTH
    assert any(text.startswith("A lesion of 10") and text.endswith(" ml") for text in texts(drawn["features-montage"]))


def test_a_scan_alone_is_drawn_without():
    drawn = file_pictures(next(SAMPLES.glob("sub-S20P005/**/*.nii.gz")))
    assert set(drawn) == BOTH
    assert "No mask: slices through the head" in texts(drawn["features-montage"])


def test_a_folder_with_a_mask_on_another_grid_is_drawn(tmp_path):
    image, mask = oblique()
    shutil.copy(image, tmp_path / "sub-1_FLAIR.nii.gz")
    shutil.copy(mask, tmp_path / "sub-1_FLAIR_desc-lesion_mask.nii.gz")
    assert set(file_pictures(tmp_path)) == BOTH


def test_what_is_no_scan_is_refused(tmp_path):
    with pytest.raises(UsageError, match="no such file"):
        file_pictures(tmp_path / "gone.nii.gz")
    with pytest.raises(UsageError, match="no scan that can be read"):
        file_pictures(put(tmp_path / "a.txt", b"x"))
    with pytest.raises(BadScan, match="not_nifti"):
        file_pictures(put(tmp_path / "b" / "b.nii.gz", packed(b"x" * 400)))
    with pytest.raises(BadInput, match="one scan is expected"):
        file_pictures(put(tmp_path / "c" / "readme.txt", b"x").parent)
    with pytest.raises(BadScan, match="no_orientation"):
        file_pictures(put(tmp_path / "d" / "d.nii.gz", packed(nifti(sform_code=0))))
