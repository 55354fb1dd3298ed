import gzip
import hashlib
import json
import os
import shutil

import pytest

from bgb_assets.modalities.mri import raw
from bgb_assets.modalities.mri.scans.flags import REJECTS, BadScan
from bgb_assets.runtime import monitoring
from bgb_assets.runtime.errors import ConfigError
from bgb_assets_tests.fixtures import shared_data
from bgb_assets_tests.modalities.mri.nifti_files import (
    DATATYPE,
    DIM,
    PIXDIM,
    SLOPE,
    SROW,
    VOX_OFFSET,
    nifti,
    of_nibabel,
    packed,
    patched,
    patient,
    put,
    voxels,
)
from bgb_assets_tests.modalities.mri.uploads import IMAGE, MASK, chain, run_raw, summary_of, write_upload

GRID_APART = nifti(affine=[[-2.0, 0, 0, 40.5], [0, 1.5, 0, -30], [0, 0, 3, -20], [0, 0, 0, 1]])


def refused(tmp_path, files, **params):
    """Return the error of stage raw; nothing may be written."""
    shutil.rmtree(tmp_path / "in", ignore_errors=True)
    shutil.rmtree(tmp_path / "out", ignore_errors=True)
    with pytest.raises(BadScan) as error:
        run_raw(write_upload(tmp_path / "in", files), tmp_path / "out", **params)
    assert list((tmp_path / "out").iterdir()) == []
    return error.value


@pytest.fixture
def head(tmp_path):
    """A real head with its mask, in BIDS names."""
    return write_upload(tmp_path / "head", {IMAGE: patient("07", "T2"), MASK: patient("07", "GOLD")})


def test_a_real_scan_is_described_without_being_inflated(tmp_path, head):
    with monitoring.counting() as counts:
        result = run_raw(head, tmp_path / "raw")
    assert counts["inflations"] == 0
    blobs = {
        role: hashlib.sha256((head / name).read_bytes()).hexdigest()
        for role, name in (("image", IMAGE), ("mask", MASK))
    }
    assert {role: result.facets[role] for role in blobs} == blobs
    assert result.references == {}
    summary = summary_of(tmp_path)
    header = summary["image"].pop("header")
    assert summary["image"] == {
        "sha256": blobs["image"],
        "bytes": 4_101_885,
        "format": "nii.gz",
        "reading": {"volume": None, "orientation": None},
    }
    assert header == {
        "shape": [182, 218, 182],
        "zooms_mm": [1.0, 1.0, 1.0],
        "dtype": "float32",
        "slope": 1.0,
        "inter": 0.0,
        "affine": [[-1.0, 0.0, 0.0, 90.0], [0.0, 1.0, 0.0, -126.0], [0.0, 0.0, 1.0, -72.0], [0.0, 0.0, 0.0, 1.0]],
        "qform_code": 1,
        "sform_code": 0,
        "orientation": "LAS",
        "obliquity_deg": 0.0,
    }
    said = {name: value for name, value in summary.items() if name not in ("image", "mask", "flags")}
    assert said == {
        "subject": "sub-M1",
        "session": "ses-2",
        "modality": "T2w",
        "acquisition": "space_no_accel",
        "acquisition_label": "spc3",
        "pair_method": "stem",
        "status": "paired",
        "participant": {},
    }
    assert [flag["code"] for flag in summary["flags"]] == ["pair_by_stem"]
    assert result.metadata["qc_flags"] == ["pair_by_stem"]
    assert len(result.warnings) == 1


def test_a_mask_alone_and_an_image_alone_are_scans(tmp_path):
    lesion = shared_data("mri") / "lesymap" / "Subject_091.nii.gz"
    result = run_raw(write_upload(tmp_path / "a", {MASK: lesion}), tmp_path / "raw")
    assert (summary_of(tmp_path)["status"], summary_of(tmp_path)["image"]) == ("mask_only", None)
    assert set(result.facets) == {"mask", "facts"}
    result = run_raw(write_upload(tmp_path / "b", {IMAGE: lesion}), tmp_path / "b_out")
    assert (result.metadata["status"], set(result.facets)) == ("no_mask", {"image", "facts"})


def test_the_fingerprint_tells_image_mask_and_pairing_apart(tmp_path, head):
    before = raw.fingerprint(head)
    assert set(before) == {"image", "mask", "pairing"}

    def changed():
        after = raw.fingerprint(head)
        return {name for name in before if before[name] != after[name]}

    os.utime(head / IMAGE, (1, 1))
    assert changed() == set()
    put(head / MASK.replace(".nii.gz", ".json"), json.dumps({"SpatialReference": f"bids:raw:{IMAGE}"}).encode())
    assert changed() == {"pairing"}
    (head / MASK.replace(".nii.gz", ".json")).unlink()
    shutil.copy(patient("19", "GOLD"), head / MASK)
    assert changed() == {"mask"}


def test_where_the_files_lie_changes_neither_fingerprint_nor_outcome(tmp_path, head):
    moved = tmp_path / "moved"
    for name in (IMAGE, MASK):
        put(moved / "ds" / "derivatives" / "x" / name, (head / name).read_bytes())
    assert raw.fingerprint(moved) == raw.fingerprint(head)
    assert run_raw(moved, tmp_path / "1") == run_raw(head, tmp_path / "2")
    assert (tmp_path / "1" / "scan.json").read_bytes() == (tmp_path / "2" / "scan.json").read_bytes()


def test_memory_is_bounded_by_the_sizes_of_the_files(tmp_path, head):
    small = raw.cost_bytes(write_upload(tmp_path / "a"))
    assert 384 << 20 < small < 385 << 20
    assert small + (40 << 20) < raw.cost_bytes(head) < 1 << 29


BROKEN = {
    "empty_file": b"",
    "not_nifti": b"\x89PNG" * 200,
    "header_only": nifti()[:352],
    "data_short": nifti()[:-1],
    "gzip_truncated": packed(nifti())[:-20],
    "gzip_crc": packed(nifti())[:10] + b"\xff" * 300,
    "too_large": patched(nifti(), DIM, "<8h", 3, 32767, 32767, 32767, 1, 1, 1, 1),
    "bad_voxel_size": patched(nifti(), PIXDIM + 4, "<3f", 1.0, 0.0, 1.0),
    "bad_affine": patched(nifti(), SROW, "<4f", 0.0, 0.0, 0.0, 1.0),
    "no_orientation": nifti(sform_code=0),
    "not_3d": nifti(voxels((5, 6, 7, 20))),
    "bad_dtype": patched(nifti(), DATATYPE, "<h", 32),
    "non_finite": patched(nifti(), SLOPE, "<2f", 1.0, float("nan")),
}


@pytest.mark.parametrize("code", BROKEN)
def test_every_fault_of_a_header_or_an_end_is_refused_by_its_code(tmp_path, code):
    error = refused(tmp_path, {IMAGE: BROKEN[code]})
    assert error.code == code
    assert error.reason.startswith(f"{code}: image: ")
    assert error.remedy == REJECTS[code]
    assert refused(tmp_path, {IMAGE: nifti(), MASK: BROKEN[code]}).reason.startswith(f"{code}: mask: ")


@pytest.mark.parametrize(
    "data",
    [
        packed(patched(nifti(), VOX_OFFSET, "<f", 1e9)),
        patched(nifti(), VOX_OFFSET, "<f", 1e9),
        gzip.compress(nifti() + bytes(9 << 20)),
    ],
)
def test_headers_that_lie_and_bombs_are_refused(tmp_path, data):
    assert refused(tmp_path, {IMAGE: data}, max_inflated_bytes=4 << 20).code == "too_large"


def test_a_header_without_its_image_is_refused(tmp_path):
    assert refused(tmp_path, {IMAGE: of_nibabel("nifti1.hdr")}).code == "header_only"


def test_all_that_is_wrong_with_one_file_is_said_at_once(tmp_path):
    error = refused(tmp_path, {IMAGE: nifti(voxels((5, 6, 7, 2)), sform_code=0)})
    assert [flag.code for flag in error.flags] == ["no_orientation", "not_3d"]


def test_a_mask_on_another_grid_is_refused_unless_that_is_allowed(tmp_path):
    files = {IMAGE: nifti(), MASK: GRID_APART}
    error = refused(tmp_path, files)
    assert error.code == "mask_grid"
    assert "0.50 mm" in error.reason
    shutil.rmtree(tmp_path / "out")
    run_raw(tmp_path / "in", tmp_path / "raw", resample_mismatched=True)
    flags = {flag["code"]: flag for flag in summary_of(tmp_path)["flags"]}
    assert (flags["mask_grid"]["level"], flags["mask_grid"]["value"]) == ("warn", pytest.approx(0.5))


@pytest.mark.parametrize(
    ("image", "mask"),
    [("open_ms/raw/patient20/study2_FLAIR", "open_ms/raw/patient20/gt"), ("brainchop/t1_crop", "brainchop/labels")],
)
def test_real_masks_on_other_grids_are_refused(tmp_path, image, mask):
    folder = shared_data("mri")
    files = {IMAGE: folder / f"{image}.nii.gz", MASK: folder / f"{mask}.nii.gz"}
    assert refused(tmp_path, files).code == "mask_grid"


def test_a_stated_orientation_and_a_chosen_volume_are_recorded(tmp_path):
    upload = write_upload(tmp_path / "in", {IMAGE: nifti(voxels((5, 6, 7, 4)), sform_code=0)})
    said = {"assume_orientation": "LPS", "volume": 2}
    result = run_raw(upload, tmp_path / "raw", **said)
    summary = summary_of(tmp_path)
    assert summary["image"]["reading"] == {"volume": 2, "orientation": "LPS"}
    assert summary["image"]["header"]["orientation"] == "LPS"
    assert {flag["code"]: flag["level"] for flag in summary["flags"]} == {"no_orientation": "warn", "not_3d": "warn"}
    others = [{"assume_orientation": "RAS", "volume": 2}, {"assume_orientation": "LPS", "volume": 3}]
    facets = [run_raw(upload, tmp_path / f"raw{i}", **other).facets["image"] for i, other in enumerate(others)]
    assert len({result.facets["image"], *facets}) == 3


def test_what_is_said_of_a_file_that_says_it_itself_changes_nothing(tmp_path, head):
    plain = run_raw(head, tmp_path / "1")
    said = run_raw(head, tmp_path / "2", assume_orientation="RPI", volume=0)
    assert said == plain


def test_settings_that_mean_nothing_are_refused():
    for params, message in (({"assume_orientation": "RAR"}, "got 'RAR'"), ({"volume": -1}, "got -1")):
        with pytest.raises(ConfigError, match=message):
            raw.RawParams(**params)


def test_one_volume_in_four_axes_is_one_volume(tmp_path):
    run_raw(write_upload(tmp_path / "in", {IMAGE: nifti(voxels((5, 6, 7, 1)))}), tmp_path / "raw")
    assert summary_of(tmp_path)["image"]["header"]["shape"] == [5, 6, 7]


def test_a_file_is_what_its_bytes_are_whatever_its_name(tmp_path):
    for data, suffix in ((nifti(), "nii"), (packed(nifti()), "nii.gz")):
        for name in ("sub-M1_T2w.nii", "sub-M1_T2w.nii.gz"):
            upload = write_upload(tmp_path / "in" / suffix / name, {name: data})
            chain(upload, tmp_path / "work")
            assert summary_of(tmp_path / "work")["image"]["format"] == suffix
            assert (tmp_path / "work" / "cache" / "image" / f"scan.{suffix}").read_bytes() == data


def test_bytes_behind_the_end_of_a_stream_are_told(tmp_path):
    upload = write_upload(tmp_path / "in", {IMAGE: packed(nifti()) + bytes(77)})
    chain(upload, tmp_path)
    assert [(flag["code"], flag["value"]) for flag in summary_of(tmp_path)["flags"]] == [("gzip_trailing", 77)]


def test_what_a_source_states_is_taken_and_checked(tmp_path, head):
    sha256 = hashlib.sha256((head / MASK).read_bytes()).hexdigest()
    stated = {"pair_method": "row", "acquisition_label": "spc3p2", "participant": {"sex": "F "}, "mask_sha256": sha256}
    put(head / "facts.json", json.dumps(stated).encode())
    result = run_raw(head, tmp_path / "raw")
    summary = summary_of(tmp_path)
    assert (summary["pair_method"], summary["acquisition"], summary["participant"], summary["flags"]) == (
        "row",
        "space_2x",
        {"sex": "F"},
        [],
    )
    put(head / "facts.json", json.dumps(stated | {"participant": {"sex": "M"}}).encode())
    other = run_raw(head, tmp_path / "other")
    assert {name for name in result.facets if result.facets[name] != other.facets[name]} == {"facts"}
    put(head / "facts.json", json.dumps(stated | {"mask_sha256": "00" * 32}).encode())
    with pytest.raises(BadScan, match=f"digest_mismatch: mask: SHA-256 is {sha256}"):
        run_raw(head, tmp_path / "wrong")


def test_a_sidecar_out_of_the_folder_is_refused(tmp_path):
    sidecar = json.dumps({"SpatialReference": "bids:raw:../../other_T2w.nii.gz"}).encode()
    files = {IMAGE: nifti(), MASK: nifti(), MASK.replace(".nii.gz", ".json"): sidecar}
    assert refused(tmp_path, files).code == "unsafe_path"
    with pytest.raises(BadScan, match="unsafe_path"):
        raw.fingerprint(tmp_path / "in")
