import json
from collections import Counter

import pyarrow.parquet as pq
import pytest

from bgb_assets.modalities.mri.pairing.names import acquisition_of, is_nifti, parse_name, without_suffix
from bgb_assets.modalities.mri.pairing.pairs import Images, pair_mask, safe_path, spatial_reference
from bgb_assets.modalities.mri.scans.flags import BadScan
from bgb_assets_tests.fixtures import shared_data

FOLDER = "sub-M2105/ses-964/anat"
RUNS = [f"{FOLDER}/sub-M2105_ses-964_acq-spc3_run-{run}_T2w.nii.gz" for run in (11, 6)]
MASK = f"derivatives/lesion_masks/{FOLDER}/sub-M2105_ses-964_acq-spc3_run-11_T2w_desc-lesion_mask.nii.gz"


def sidecar(reference):
    return json.dumps({"SpatialReference": reference}).encode()


def pair(mask, said, images):
    found = pair_mask(mask, said, Images(images))
    return found.image, found.method, [flag.code for flag in found.flags]


def test_the_cohort_pairs_by_sidecar_but_for_one():
    table = pq.read_table(
        shared_data("mri") / "ds004884" / "manifest.parquet", columns=["path", "bytes", "spatial_reference"]
    )
    listed = {row["path"]: row for row in table.to_pylist()}
    scans = [path for path in listed if is_nifti(path)]
    t2w = [path for path in scans if not path.startswith("derivatives/") and parse_name(path).modality == "T2w"]
    images = Images(t2w)
    masks = [path for path in scans if path.startswith("derivatives/")]
    pairs = [
        pair_mask(path, sidecar(listed[f"{without_suffix(path)}.json"]["spatial_reference"]), images) for path in masks
    ]
    assert Counter(found.method for found in pairs) == {"spatial_reference": 227, "stem": 1}
    assert [found.image for found in pairs if found.flags] == [
        "sub-M2272/ses-2189/anat/sub-M2272_ses-2189_acq-spc3p2_run-4_T2w.nii.gz"
    ]
    acquisitions = Counter(acquisition_of(parse_name(found.image).acquisition_label) for found in pairs)
    assert acquisitions == {"space_2x": 115, "space_no_accel": 108, "turbo_spin_echo": 5}
    chosen = [found for found in pairs if "acq-tse3" not in found.image]
    assert len(chosen) == 223
    assert sum(listed[found.image]["bytes"] for found in chosen) == 897_327_933
    assert sum(listed[found.mask]["bytes"] for found in chosen) == 5_555_589
    assert next(found.image for found in pairs if "M2105" in found.mask) == RUNS[0]
    by_stem = [pair_mask(path, None, images).image for path in masks]
    assert by_stem == [found.image for found in pairs]


@pytest.mark.parametrize("images", [RUNS, RUNS[::-1]])
def test_the_run_that_the_mask_names_is_taken_whatever_the_order(images):
    assert pair(MASK, None, images) == (RUNS[0], "stem", ["pair_by_stem"])
    assert pair(MASK, sidecar(f"bids:raw:{RUNS[0]}"), images) == (RUNS[0], "spatial_reference", [])


def test_the_sidecar_goes_before_the_name():
    assert pair(MASK, sidecar(f"bids:raw:{RUNS[1]}"), RUNS) == (RUNS[1], "spatial_reference", [])


@pytest.mark.parametrize(
    "said",
    [None, b"{", b"[1]", sidecar("Text"), sidecar(7), sidecar("bids:raw:sub-M2105/gone_T2w.nii.gz"), b"[" * 100_000],
)
def test_a_sidecar_that_says_nothing_of_use_leaves_the_name(said):
    assert pair(MASK, said, RUNS) == (RUNS[0], "stem", ["pair_by_stem"])


def test_files_without_their_folders_pair_too():
    flat = [path.rsplit("/", 1)[1] for path in RUNS]
    mask = MASK.rsplit("/", 1)[1]
    assert pair(mask, sidecar(f"bids:raw:{RUNS[1]}"), flat) == (flat[1], "spatial_reference", [])
    assert pair(mask, None, flat) == (flat[0], "stem", ["pair_by_stem"])


def test_a_mask_whose_name_says_less_takes_the_only_image_that_it_may_be_of():
    images = ["sub-1_ses-1_acq-spc3_run-2_T2w.nii.gz", "sub-1_ses-2_acq-spc3_run-2_T2w.nii.gz"]
    assert pair("sub-1_ses-1_desc-lesion_mask.nii.gz", None, images) == (images[0], "stem", ["pair_by_stem"])
    assert pair("sub-1_ses-1_run-3_desc-lesion_mask.nii.gz", None, images) == (None, "none", [])
    assert pair("sub-1_ses-1_space-T2w_desc-lesion_mask.nii.gz", None, images) == (images[0], "stem", ["pair_by_stem"])


def test_two_images_that_fit_as_well_are_named():
    with pytest.raises(BadScan) as refused:
        pair_mask("sub-M2105_ses-964_desc-lesion_mask.nii.gz", None, Images(RUNS))
    assert refused.value.code == "ambiguous_pair"
    assert all(path in refused.value.reason for path in RUNS)


def test_an_image_of_the_same_name_elsewhere_is_not_the_masks():
    images = ["a/sub-1_T2w.nii.gz", "b/sub-1_T2w.nii.gz"]
    assert pair("b/sub-1_T2w_mask.nii.gz", None, images)[0] == images[1]
    assert pair("derivatives/x/a/sub-1_T2w_mask.nii.gz", None, images)[0] == images[0]


def test_a_mask_alone_is_alone():
    found = pair_mask("sub-1_T2w_mask.nii.gz", None, Images([]))
    assert (found.image, found.method, found.status) == (None, "none", "mask_only")


@pytest.mark.parametrize("path", ["../x.nii", "a/../../x.nii", "/etc/x.nii", "C:/x.nii", "..\\x.nii", "a\0.nii", ""])
def test_a_path_that_leaves_the_folder_is_refused(path):
    with pytest.raises(BadScan, match="unsafe_path"):
        safe_path(path, "here")
    with pytest.raises(BadScan, match="unsafe_path"):
        spatial_reference(sidecar(f"bids:raw:{path}"))


def test_a_path_inside_is_kept():
    assert safe_path("./a//b.nii", "here") == "a/b.nii"
