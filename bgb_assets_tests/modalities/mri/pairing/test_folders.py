import json
import random
import shutil

import pytest

from bgb_assets.modalities.contract import Found
from bgb_assets.modalities.mri.pairing import folders
from bgb_assets.modalities.mri.pairing.folders import find_scans, only_scan
from bgb_assets.modalities.mri.scans.flags import BadScan
from bgb_assets.runtime.errors import BadInput
from bgb_assets_tests.modalities.mri.nifti_files import put

ANAT = "sub-M2105/ses-964/anat"
STEM = "sub-M2105_ses-964_acq-spc3_run-{}_T2w"
IMAGES = [f"{ANAT}/{STEM.format(run)}.nii.gz" for run in (11, 6)]
MASK = f"derivatives/lesion_masks/{ANAT}/{STEM.format(11)}_desc-lesion_mask.nii.gz"
SIDECAR = MASK.replace(".nii.gz", ".json")
HEADER = "image,mask,subject_id,session_id,acquisition\n"


def touch(root, *names, text=""):
    for name in names:
        put(root / name, text.encode())
    return root


def found(root):
    return {one.path: one.files for one in find_scans(root)}


def test_a_bids_tree_gives_one_upload_a_visit(tmp_path):
    touch(tmp_path, *IMAGES, MASK, SIDECAR, "participants.tsv", "dataset_description.json")
    touch(tmp_path, f"{ANAT}/{STEM.format(11)}.json", f"{ANAT}/sub-M2105_ses-964_run-5_T1w.nii.gz")
    touch(tmp_path, "sub-M2105/ses-964/func/sub-M2105_ses-964_task-rest_bold.nii.gz")
    touch(tmp_path, "sub-M2001/ses-1/anat/sub-M2001_ses-1_FLAIR.nii.gz", ".git/annex/sub-9_T2w.nii.gz")
    assert found(tmp_path) == {
        "sub-M2001_ses-1": ("participants.tsv", "sub-M2001/ses-1/anat/sub-M2001_ses-1_FLAIR.nii.gz"),
        "sub-M2105_ses-964": tuple(sorted((*IMAGES, MASK, SIDECAR, "participants.tsv"))),
    }


def test_a_data_set_below_a_folder_is_named_with_it(tmp_path):
    touch(tmp_path, *(f"arc/{name}" for name in (*IMAGES, MASK, "participants.tsv")))
    assert found(tmp_path) == {
        "arc/sub-M2105_ses-964": tuple(sorted(f"arc/{name}" for name in (*IMAGES, MASK, "participants.tsv")))
    }


def test_loose_files_of_bids_names_and_of_others(tmp_path):
    touch(tmp_path, "sub-1_T2w.nii.gz", "sub-1_T2w_desc-lesion_mask.nii.gz", "sub-2_ses-a_T1w.nii", "all.zip")
    touch(tmp_path, "scan.nii.gz", "scan_mask.nii", "notes.txt", "half.nii.gz.part", "x.nii.gz.tmp", "deep/er/scan.nii")
    assert found(tmp_path) == {
        "all.zip": ("all.zip",),
        "deep/er/scan": ("deep/er/scan.nii",),
        "scan": ("scan.nii.gz", "scan_mask.nii"),
        "sub-1": ("sub-1_T2w.nii.gz", "sub-1_T2w_desc-lesion_mask.nii.gz"),
        "sub-2_ses-a": ("sub-2_ses-a_T1w.nii",),
    }


def test_of_several_kinds_of_image_the_masks_own_is_the_scan(tmp_path):
    kinds = [f"sub-1_{kind}.nii.gz" for kind in ("FLAIR", "T1w", "T2w")]
    touch(tmp_path, *kinds)
    assert found(tmp_path) == {"sub-1": ("sub-1_T2w.nii.gz",)}
    touch(tmp_path, "sub-1_T1w_mask.nii.gz")
    assert found(tmp_path) == {"sub-1": ("sub-1_T1w.nii.gz", "sub-1_T1w_mask.nii.gz")}


def test_the_folder_of_one_upload_is_called_as_it_is(tmp_path):
    touch(tmp_path, "sub-1_ses-2/sub-1_ses-2_T2w.nii.gz")
    assert list(find_scans(tmp_path)) == [Found("sub-1_ses-2", ("sub-1_ses-2/sub-1_ses-2_T2w.nii.gz",))]


def test_the_order_of_listing_changes_nothing(tmp_path, monkeypatch):
    touch(tmp_path, *IMAGES, MASK, SIDECAR, "b.nii", "a.nii", "c.zip")
    before = list(find_scans(tmp_path))
    real = folders.os.scandir

    class Shuffled:
        def __init__(self, path):
            self.entries = list(real(path))
            random.Random(4).shuffle(self.entries)

        def __enter__(self):
            return iter(self.entries)

        def __exit__(self, *_):
            pass

    monkeypatch.setattr(folders.os, "scandir", Shuffled)
    assert list(find_scans(tmp_path)) == before


def test_the_scan_of_an_upload_is_its_image_and_its_mask(tmp_path):
    touch(tmp_path, *IMAGES, MASK)
    put(tmp_path / SIDECAR, json.dumps({"SpatialReference": f"bids:raw:{IMAGES[0]}"}).encode())
    put(tmp_path / "participants.tsv", b"participant_id\tsex\nsub-M2105\tF\n")
    scan = only_scan(tmp_path)
    assert (scan.pair.image, scan.pair.mask, scan.pair.method, scan.pair.flags) == (
        IMAGES[0],
        MASK,
        "spatial_reference",
        (),
    )
    assert scan.facts == {
        "subject": "sub-M2105",
        "session": "ses-964",
        "modality": "T2w",
        "acquisition_label": "spc3",
        "pair_method": "spatial_reference",
        "status": "paired",
        "participant": {"sex": "F"},
        "flags": [],
    }


def test_folders_of_other_names_change_no_facts(tmp_path):
    touch(tmp_path / "a", *IMAGES, MASK)
    shutil.copytree(tmp_path / "a", tmp_path / "b" / "deeper" / "elsewhere")
    (tmp_path / "b/deeper/elsewhere/derivatives").rename(tmp_path / "b/deeper/elsewhere/masks")
    assert only_scan(tmp_path / "a").facts == only_scan(tmp_path / "b").facts


def test_one_of_both_is_enough(tmp_path):
    touch(tmp_path / "image", IMAGES[0])
    touch(tmp_path / "mask", MASK)
    touch(tmp_path / "loose", "Subject_002.nii.gz")
    facts = {name: only_scan(tmp_path / name).facts for name in ("image", "mask", "loose")}
    assert [facts[name]["status"] for name in facts] == ["no_mask", "mask_only", "no_mask"]
    assert [facts[name]["modality"] for name in facts] == ["T2w", "T2w", None]
    assert facts["loose"]["subject"] == "Subject_002"


def test_what_is_not_one_scan_is_refused(tmp_path):
    for names, message in (
        (["readme.txt"], r"got 0 \(none\)"),
        (["sub-1_T2w.nii", "sub-2_T2w.nii"], r"got 2 \(sub-1, sub-2\)"),
        ([f"{i}.nii" for i in range(9)], r"got 9 \(0, 1, 2, 3, 4, \.\.\.\)"),
    ):
        with pytest.raises(BadInput, match=message):
            only_scan(touch(tmp_path / names[0], *names))


def test_what_could_be_paired_in_two_ways_is_named(tmp_path):
    mask = "sub-M2105_ses-964_desc-lesion_mask.nii.gz"
    for name, files in {
        "runs": [*IMAGES, mask],
        "no mask": IMAGES,
        "masks": [IMAGES[0], MASK, mask],
        "another": [IMAGES[0], MASK.replace("run-11", "run-9")],
    }.items():
        with pytest.raises(BadScan) as refused:
            only_scan(touch(tmp_path / name, *files))
        assert refused.value.code == "ambiguous_pair", name


def test_a_table_beside_loose_files_says_what_they_are(tmp_path):
    touch(tmp_path, "in/T2.nii.gz", "in/gold.nii.gz", "in/Subject_002.nii.gz", "in/other.nii.gz", "sub-9_T2w.nii")
    rows = "T2.nii.gz,gold.nii.gz,p07,1,spc3\n,Subject_002.nii.gz,M2,,\n"
    put(tmp_path / "in" / "scans.csv", (HEADER + rows).encode())
    uploads = found(tmp_path)
    assert uploads == {
        "in/other": ("in/other.nii.gz",),
        "in/sub-M2": ("in/Subject_002.nii.gz", "in/scans.csv"),
        "in/sub-p07_ses-1": ("in/T2.nii.gz", "in/gold.nii.gz", "in/scans.csv"),
        "sub-9": ("sub-9_T2w.nii",),
    }
    facts = {}
    for path in ("in/sub-M2", "in/sub-p07_ses-1"):
        for name in uploads[path]:
            target = tmp_path / "views" / path / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(tmp_path / name, target)
        scan = only_scan(tmp_path / "views" / path)
        facts[path] = (scan.subject, scan.session, scan.acquisition_label, scan.pair.method, scan.pair.status)
    assert facts == {
        "in/sub-M2": ("sub-M2", None, None, "none", "mask_only"),
        "in/sub-p07_ses-1": ("sub-p07", "ses-1", "spc3", "csv", "paired"),
    }


def test_rows_of_a_table_that_cannot_be_used_are_uploads_that_say_why(tmp_path):
    rows = "../out.nii,,M1,1,\ngone.nii,m.nii,M2,1,\n"
    put(tmp_path / "scans.csv", (HEADER + rows).encode())
    touch(tmp_path, "m.nii")
    put(tmp_path / "broken.csv", (HEADER + "a.nii,,,,\n").encode())
    assert found(tmp_path) == {
        "broken": ("broken.csv",),
        "sub-M1_ses-1": ("scans.csv",),
        "sub-M2_ses-1": ("m.nii", "scans.csv"),
    }
    messages = {"broken": "no subject_id", "sub-M1_ses-1": "unsafe_path", "sub-M2_ses-1": r"gone\.nii is not there"}
    for path, files in found(tmp_path).items():
        view = tmp_path / "views" / path
        view.mkdir(parents=True)
        for name in files:
            shutil.copy(tmp_path / name, view)
        with pytest.raises(BadInput, match=messages[path]):
            only_scan(view)


def test_two_rows_for_the_same_files_are_ambiguous(tmp_path):
    put(tmp_path / "scans.csv", (HEADER + "a.nii,,M1,1,\na.nii,,M1,2,\n").encode())
    touch(tmp_path, "a.nii")
    assert list(found(tmp_path)) == ["sub-M1_ses-1", "sub-M1_ses-2"]
    with pytest.raises(BadScan, match=r"line 2: sub-M1_ses-1, line 3: sub-M1_ses-2"):
        only_scan(tmp_path)
