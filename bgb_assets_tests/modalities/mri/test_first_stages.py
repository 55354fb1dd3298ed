"""Raw and cache driven by the engine: what is done again after a change, and what is not."""

import gzip
import os
import shutil

import nibabel
import numpy as np
import pytest

from bgb_assets.engine.explain import why_upload
from bgb_assets.modalities.contract import PER_UPLOAD_STAGES
from bgb_assets.runtime import monitoring
from bgb_assets.storage.digests import sha256_file
from bgb_assets_tests.driving import ingest, outcomes, outputs, walk
from bgb_assets_tests.fixtures import shared_data
from bgb_assets_tests.modalities.mri.first_stages import MODALITY
from bgb_assets_tests.modalities.mri.nifti_files import SLOPE, nifti, packed, patched, patient, put, voxels

HEADER = "image,mask,subject_id,session_id,acquisition\n"
ANAT = "ds/sub-19/ses-1/anat"
T2 = f"{ANAT}/sub-19_ses-1_acq-spc3p2_T2w.nii.gz"
GOLD = f"ds/derivatives/lesions/{ANAT.removeprefix('ds/')}/sub-19_ses-1_acq-spc3p2_T2w_desc-lesion_mask.nii.gz"


@pytest.fixture
def inbox(data_root):
    """Real scans in BIDS, in a table, and without a mask."""
    folder = data_root / "inbox" / "mri"
    put(folder / T2, patient("19", "T2").read_bytes())
    put(folder / GOLD, patient("19", "GOLD").read_bytes())
    names = ["Subject_091.nii.gz", "Subject_095.nii.gz"]
    for name in names:
        put(folder / "lesymap" / name, (shared_data("mri") / "lesymap" / name).read_bytes())
    rows = "".join(f",{name},{name[8:11]},,\n" for name in names)
    put(folder / "lesymap" / "scans.csv", (HEADER + rows).encode())
    put(folder / "sub-20_FLAIR.nii.gz", (shared_data("mri") / "open_ms/raw/patient20/study2_FLAIR.nii.gz").read_bytes())
    return folder


def done(chain):
    """Ingest and walk; return what was done, and check that every upload went through."""
    with monitoring.counting() as counts:
        report = ingest(chain)
        found = outcomes(walk(chain))
    assert not report.unrecognised
    assert {outcome for stages in found.values() for outcome in stages.values()} <= {"built", "hit"}
    names = [*(f"stage_calls.{stage}" for stage in PER_UPLOAD_STAGES), "inflations"]
    return {name.removeprefix("stage_calls."): counts[name] for name in names if counts[name]}


def in_place(path, change):
    """Change a file, keeping its size, its time and its name."""
    stat, data = path.stat(), path.read_bytes()
    changed = change(data)
    assert len(changed) == len(data)
    assert changed != data
    with path.open("r+b") as file:
        file.write(changed)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def test_nothing_is_done_twice(inbox, data_root, make_chain):
    assert done(make_chain(MODALITY)) == {"raw": 4, "cache": 9, "features": 4, "notes": 4, "inflations": 5}
    before = outputs(data_root, "mri")
    assert done(make_chain(MODALITY)) == {}
    for path in inbox.rglob("*.*"):
        os.utime(path)
    assert done(make_chain(MODALITY)) == {}
    (inbox / "ds").rename(inbox / "cohort")
    assert done(make_chain(MODALITY)) == {}
    moved = data_root.with_name("elsewhere")
    data_root.rename(moved)
    assert done(make_chain(MODALITY, moved)) == {}
    assert outputs(moved, "mri") == before


def test_another_compression_costs_one_inflation_and_nothing_behind_the_cache(inbox, make_chain):
    done(make_chain(MODALITY))
    voxels_of_mask = gzip.decompress((inbox / GOLD).read_bytes())
    put(inbox / GOLD, packed(voxels_of_mask, 1))
    again = {"raw": 1, "cache": 2, "inflations": 1}  # of cache the mask and the list of both
    assert done(make_chain(MODALITY)) == again
    (inbox / GOLD).unlink()
    put(inbox / GOLD.replace(".nii.gz", ".nii"), voxels_of_mask)
    assert done(make_chain(MODALITY)) == {"raw": 1, "cache": 2}
    assert done(make_chain(MODALITY)) == {}


def change_voxel(data):
    return data[:-1000] + bytes([data[-1000] ^ 1]) + data[-999:]


def change_third_row(data):
    image = nibabel.Nifti1Image.from_bytes(data)
    affine = image.affine.copy()
    affine[2, 3] += 0.001
    return nifti(np.asarray(image.dataobj), affine)


@pytest.mark.parametrize("change", [change_voxel, change_third_row, lambda data: patched(data, SLOPE, "<2f", 2.0, 0.0)])
def test_a_change_in_place_reaches_its_own_scan_and_no_other(data_root, make_chain, change):
    inbox = data_root / "inbox" / "mri"
    for number in (1, 2, 3):
        put(inbox / f"sub-{number}_T2w.nii", nifti(voxels((20, 20, 20), seed=number)))
        put(inbox / f"sub-{number}_T2w_mask.nii", nifti(voxels((20, 20, 20), "<u1", seed=-number % 7)))
    chain = make_chain(MODALITY)
    done(chain)
    before = {record.key: record for record in chain.uploads.all()}
    kept = {path: path.stat().st_ino for path in data_root.glob("cache/mri/*/*/scan.nii")}
    in_place(inbox / "sub-2_T2w_mask.nii", change)
    chain = make_chain(MODALITY)
    ingest(chain)
    stale = why_upload(chain, "cache", "sub-2")
    assert stale.state == "stale"
    assert any("mask" in line for line in stale.lines)
    assert not any("image" in line for line in stale.lines)
    assert done(make_chain(MODALITY)) == {"raw": 1, "cache": 2, "features": 1, "notes": 1}
    after = {record.key: record for record in make_chain(MODALITY).uploads.all()}
    assert {key for key in before if before[key].entries != after[key].entries} == {"sub-2"}
    assert after["sub-2"].facets["image"] == before["sub-2"].facets["image"]
    last = why_upload(make_chain(MODALITY), "features", "sub-2")
    assert any("mask_volume" in line for line in last.lines)
    assert not any("image_volume" in line for line in last.lines)
    stored = {path: path.stat().st_ino for path in data_root.glob("cache/mri/*/*/scan.nii")}
    assert (len(kept), len(stored)) == (6, 7)
    assert kept.items() <= stored.items()


def test_a_setting_for_one_scan_is_a_setting_for_one_scan(data_root, make_chain):
    inbox = data_root / "inbox" / "mri"
    put(inbox / "sub-1_T2w.nii", nifti())
    put(inbox / "sub-2_T2w.nii", nifti(voxels((5, 6, 7, 3)), sform_code=0))
    chain = make_chain(MODALITY)
    ingest(chain)
    found = outcomes(walk(chain))
    assert found["sub-2"]["raw"] == "quarantined"
    assert [rejection.reason.split(": ")[1] for rejection in chain.rejections()] == ["no_orientation"]
    put(data_root / "overrides" / "mri.yaml", b"sub-2: {raw: {assume_orientation: RAS, volume: 2}}\n")
    assert done(make_chain(MODALITY)) == {"raw": 1, "cache": 2, "features": 1, "notes": 1}
    assert done(make_chain(MODALITY)) == {}
    put(data_root / "overrides" / "mri.yaml", b"sub-2: {raw: {assume_orientation: RAS, volume: 1}}\n")
    assert done(make_chain(MODALITY)) == {"raw": 1, "cache": 2, "features": 1, "notes": 1}


def test_one_bad_scan_stops_no_other(data_root, make_chain):
    inbox = data_root / "inbox" / "mri"
    put(inbox / "sub-1_T2w.nii", nifti())
    damaged = bytearray(packed(nifti(voxels((40, 50, 60)))))
    damaged[len(damaged) // 2] ^= 4
    put(inbox / "sub-2_T2w.nii.gz", bytes(damaged))
    put(inbox / "sub-3_T2w.nii.gz", packed(nifti())[:-5])
    put(inbox / "scans.csv", (HEADER + "../secret.nii,,sub-4,,\n").encode())
    put(inbox / "sub-5_run-1_T2w.nii", nifti())
    put(inbox / "sub-5_run-2_T2w.nii", nifti(voxels(seed=1)))
    chain = make_chain(MODALITY)
    ingest(chain)
    found = outcomes(walk(chain))
    assert found["sub-1"] == dict.fromkeys(PER_UPLOAD_STAGES, "built")
    said = {rejection.key: rejection.reason.split(": ")[1] for rejection in chain.rejections()}
    assert said == {"sub-2": "gzip_crc", "sub-3": "gzip_truncated", "sub-4": "unsafe_path", "sub-5": "ambiguous_pair"}


def test_one_file_under_two_names_is_two_uploads_and_one_blob(data_root, make_chain):
    inbox = data_root / "inbox" / "mri"
    for session in (1, 2):
        shutil.copy(patient("07", "GOLD"), put(inbox / f"sub-1_ses-{session}_T2w_mask.nii.gz", b""))
    assert done(make_chain(MODALITY)) == {"raw": 2, "cache": 2, "features": 1, "notes": 2, "inflations": 1}
    assert len(list(data_root.glob("cache/mri/*/*/scan.nii.gz"))) == 1


def test_a_new_mask_brings_no_new_copy_of_the_image(inbox, data_root, make_chain):
    done(make_chain(MODALITY))
    before = {sha256_file(path) for path in data_root.glob("cache/mri/*/*/scan.nii*")}
    put(inbox / GOLD, patient("07", "GOLD").read_bytes())
    assert done(make_chain(MODALITY)) == {"raw": 1, "cache": 2, "features": 1, "notes": 1, "inflations": 1}
    after = [sha256_file(path) for path in data_root.glob("cache/mri/*/*/scan.nii*")]
    assert sorted(after) == sorted({*before, sha256_file(patient("07", "GOLD"))})
