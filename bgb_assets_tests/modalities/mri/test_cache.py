import hashlib
import shutil

import nibabel
import numpy as np
import pytest

from bgb_assets.modalities.mri.scans.cached import cached_file, open_cached
from bgb_assets.modalities.mri.scans.flags import BadScan
from bgb_assets.modalities.mri.scans.volumes import volume_digest
from bgb_assets.runtime import monitoring
from bgb_assets_tests.fixtures import shared_data
from bgb_assets_tests.modalities.mri.nifti_files import ODD_FORMS, nifti, of_nibabel, packed, patient, put, voxels
from bgb_assets_tests.modalities.mri.uploads import IMAGE, MASK, chain, listed_of, run_cache, run_raw, write_upload


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_every_real_file_is_kept_byte_for_byte_with_one_inflation(tmp_path):
    paths = sorted(shared_data("mri").rglob("*.nii.gz"))
    with monitoring.counting() as counts:
        for path in paths:
            chain(write_upload(tmp_path / path.stem, {IMAGE: path}), tmp_path / "work")
            kept = cached_file(tmp_path / "work" / "cache", "image")
            stored = tmp_path / "work" / "cache" / kept["file"]
            assert kept["sha256"] == digest(stored) == digest(path)
    assert counts["inflations"] == len(paths) == 70


@pytest.mark.parametrize("name", ODD_FORMS)
def test_odd_forms_are_kept_byte_for_byte(tmp_path, name):
    path = of_nibabel(name)
    n_volumes = nibabel.load(path).shape[3:]
    chosen = {"volume": 1} if n_volumes else {}
    chain(write_upload(tmp_path / "in", {IMAGE: path}), tmp_path, **chosen)
    (kept,) = (tmp_path / "cache" / "image").glob("scan.*")
    assert digest(kept) == digest(path)
    assert kept.name == ("scan.nii.gz" if name.endswith(".gz") else "scan.nii")
    peer = nibabel.load(path).dataobj.get_unscaled()
    expected = peer[..., 1] if n_volumes else peer
    np.testing.assert_array_equal(open_cached(tmp_path / "cache", "image").voxels, expected)
    assert open_cached(tmp_path / "cache", "mask") is None


def test_the_facets_are_the_digests_of_the_volumes(tmp_path):
    upload = write_upload(tmp_path / "in", {IMAGE: patient("19", "T2"), MASK: patient("19", "GOLD")})
    _, result = chain(upload, tmp_path)
    assert result.facets == {
        "image_volume": volume_digest(patient("19", "T2")),
        "mask_volume": volume_digest(patient("19", "GOLD")),
    }
    assert result.metadata == {"image_bytes": 4_006_276, "mask_bytes": 26_038}
    written = sorted(path.relative_to(tmp_path / "cache").as_posix() for path in (tmp_path / "cache").rglob("*.*"))
    parts = [f"{role}/{name}" for role in ("image", "mask") for name in ("scan.nii.gz", "volume.json")]
    assert written == ["cache.json", *parts]
    assert listed_of(tmp_path)["mask"] == {
        "file": "mask/scan.nii.gz",
        "sha256": digest(patient("19", "GOLD")),
        "volume_digest": result.facets["mask_volume"],
        "reading": {"volume": None, "orientation": None},
    }


def test_another_compression_is_another_blob_of_the_same_volume(tmp_path):
    data = nifti(voxels((30, 30, 30)))
    found = [
        chain(write_upload(tmp_path / str(i), {IMAGE: form}), tmp_path / "work")
        for i, form in enumerate((data, packed(data, 1), packed(data, 9)))
    ]
    assert len({raw.facets["image"] for raw, _ in found}) == 3
    assert len({cache.facets["image_volume"] for _, cache in found}) == 1


def test_files_are_found_by_what_they_hold_whatever_they_are_called(tmp_path):
    upload = write_upload(tmp_path / "in", {IMAGE: nifti(), MASK: nifti(voxels(dtype="<u1"))})
    run_raw(upload, tmp_path / "raw")
    for name in (IMAGE, MASK):
        (upload / name).rename(upload / f"renamed_{name}")
    put(upload / "deeper" / "another.nii", nifti(voxels(seed=3)))
    run_cache(upload, tmp_path / "raw", tmp_path / "cache")
    assert (tmp_path / "cache" / "image" / "scan.nii").read_bytes() == nifti()


def test_a_file_that_raw_has_not_seen_is_refused(tmp_path):
    upload = write_upload(tmp_path / "in", {IMAGE: nifti()})
    run_raw(upload, tmp_path / "raw")
    put(upload / IMAGE, nifti(voxels(seed=3)))
    with pytest.raises(BadScan, match="digest_mismatch: no file of the upload has 772 bytes"):
        run_cache(upload, tmp_path / "raw", tmp_path / "cache")


def test_damage_that_only_a_full_read_shows_is_refused_here(tmp_path):
    data = bytearray(packed(nifti(voxels((40, 50, 60)))))
    data[len(data) // 2] ^= 4
    upload = write_upload(tmp_path / "in", {IMAGE: nifti(), MASK: bytes(data)})
    with pytest.raises(BadScan, match="mask_grid"):
        run_raw(upload, tmp_path / "refused")
    run_raw(upload, tmp_path / "raw", resample_mismatched=True)
    with pytest.raises(BadScan) as refused:
        run_cache(upload, tmp_path / "raw", tmp_path / "cache")
    assert refused.value.code == "gzip_crc"
    assert refused.value.reason.startswith("gzip_crc: mask: ")


def test_a_limit_that_was_raised_for_raw_holds_on(tmp_path):
    upload = write_upload(tmp_path / "in", {IMAGE: packed(nifti(voxels((1030, 2, 2))))})
    with pytest.raises(BadScan, match="too_large"):
        run_raw(upload, tmp_path / "refused")
    chain(upload, tmp_path / "work", max_axis=2000)
    assert open_cached(tmp_path / "work" / "cache", "image").voxels.shape == (1030, 2, 2)


def test_a_copy_shares_nothing_with_its_origin(tmp_path):
    upload = write_upload(tmp_path / "in")
    chain(upload, tmp_path)
    kept = (tmp_path / "cache" / "image" / "scan.nii.gz").read_bytes()
    with (upload / IMAGE).open("r+b") as file:
        file.write(b"changed!")
    assert (tmp_path / "cache" / "image" / "scan.nii.gz").read_bytes() == kept


def test_where_files_cannot_be_cloned_they_are_copied(tmp_path, monkeypatch):
    def no_such_call(*_):
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr("os.copy_file_range", no_such_call)
    chain(write_upload(tmp_path / "in", {IMAGE: patient("07", "GOLD")}), tmp_path)
    assert digest(tmp_path / "cache" / "image" / "scan.nii.gz") == digest(patient("07", "GOLD"))


def test_equal_uploads_write_equal_bytes(tmp_path):
    upload = write_upload(tmp_path / "in", {IMAGE: packed(nifti()), MASK: packed(nifti(voxels(dtype="<u1")))})
    shutil.copytree(upload, tmp_path / "again")
    first, second = chain(upload, tmp_path / "1"), chain(tmp_path / "again", tmp_path / "2")
    assert first == second
    assert listed_of(tmp_path / "1") == listed_of(tmp_path / "2")
