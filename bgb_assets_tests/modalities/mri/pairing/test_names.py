import pytest

from bgb_assets.modalities.mri.pairing.names import acquisition_of, is_nifti, parse_name, with_prefix, without_suffix

MASK = "derivatives/lesion_masks/sub-M2105/ses-964/anat/sub-M2105_ses-964_acq-spc3_run-11_T2w_desc-lesion_mask.nii.gz"


def test_the_name_of_a_real_mask_says_all_of_its_image():
    name = parse_name(MASK)
    assert (name.subject, name.session, name.modality, name.is_mask) == ("sub-M2105", "ses-964", "T2w", True)
    assert name.stem == "sub-M2105_ses-964_acq-spc3_run-11_T2w"
    assert name.acquisition_label == "spc3"


@pytest.mark.parametrize(
    ("path", "is_mask", "stem"),
    [
        ("sub-1_T2w_mask.nii", True, "sub-1_T2w"),
        ("sub-1_desc-lesion_mask.nii.gz", True, "sub-1"),
        ("scan_mask.nii.gz", True, "scan"),
        ("mask_of_scan.nii.gz", False, "mask_of_scan"),
        ("sub-1_T2w.nii.gz", False, "sub-1_T2w"),
    ],
)
def test_a_mask_is_one_by_the_end_of_its_name(path, is_mask, stem):
    assert (parse_name(path).is_mask, parse_name(path).stem) == (is_mask, stem)


def test_folders_say_what_the_name_does_not():
    name = parse_name("sub-07/ses-2/anat/T2.nii.gz")
    assert (name.subject, name.session, name.modality) == ("sub-07", "ses-2", None)
    assert not parse_name("some/folder/T2.nii.gz").is_bids


@pytest.mark.parametrize(
    ("label", "acquisition"),
    [
        *(("spc3p2", "space_2x"), ("spc3", "space_no_accel"), ("tse3", "turbo_spin_echo")),
        *(("spc3p2x", "spc3p2x"), ("spcir2p2", "spcir2p2"), ("SPC3", "SPC3"), (None, None), ("", None)),
    ],
)
def test_acquisitions_are_known_by_exact_match(label, acquisition):
    assert acquisition_of(label) == acquisition


def test_suffixes_are_cut_off_whole():
    assert [without_suffix(name) for name in ("a/b.nii.gz", "b.NII", "b.c.nii", "b.csv")] == ["a/b", "b", "b.c", "b"]
    assert [is_nifti(name) for name in ("b.nii.gz", "b.NII", "b.gz", "nii")] == [True, True, False, False]
    assert [with_prefix("sub", label) for label in ("M1", "sub-M1", "", None)] == ["sub-M1", "sub-M1", None, None]
