"""From scans of every form to masks on their own grid; truth pushed through the conformed grid and back."""

import dataclasses
import json
from pathlib import Path

import nibabel
import numpy as np
import pytest
from PIL import Image

from bgb_assets.modalities.mri.conform.params import ConformParams
from bgb_assets.modalities.mri.measures.overlap import overlap
from bgb_assets.modalities.mri.pairing.folders import only_scan
from bgb_assets.modalities.mri.scans.flags import BadScan
from bgb_assets.modalities.mri.scans.nifti import Reading
from bgb_assets.modalities.mri.segmentation.conforming import conform_scan, read_scan
from bgb_assets.modalities.mri.segmentation.native import to_conformed, to_native
from bgb_assets.modalities.mri.segmentation.results import bids_path, said_of, write_all
from bgb_assets.modalities.mri.segmentation.segment import SegmentParams, segment, without_small
from bgb_assets.modalities.mri.segmentation.trained import load_models
from bgb_assets.runtime.errors import ConfigError, UsageError
from bgb_assets_tests.modalities.mri.cached_scans import head, oblique
from bgb_assets_tests.modalities.mri.nifti_files import nifti, packed, put
from bgb_assets_tests.modalities.mri.segmentation.models import SMALL, bright_voxels, random_network, write_model

OBLIQUE = np.array([[1.9, 0.3, 0.1, -40], [-0.3, 1.9, 0.2, -50], [-0.1, -0.2, 2.9, -30], [0, 0, 0, 1]])
LAS = np.diag([-2.0, 2, 2, 1])


def geometry(path: Path):
    """Return what a mask must share with its scan."""
    image = nibabel.load(path)
    codes = int(image.header["qform_code"]), int(image.header["sform_code"])
    forms = image.header.get_qform(coded=True)[0], image.header.get_sform(coded=True)[0]
    return image.shape, codes, image.affine, forms


def assert_on_the_grid_of(mask: Path, scan: Path) -> None:
    (shape, codes, affine, forms), expected = geometry(mask), geometry(scan)
    assert (shape, codes) == expected[:2]
    np.testing.assert_array_equal(affine, expected[2])
    for form, other in zip(forms, expected[3], strict=True):
        np.testing.assert_array_equal(form, other)


def bright_block(shape=(30, 36, 28)) -> np.ndarray:
    """Return a scan with noise, and a block that is four times as bright."""
    values = np.random.default_rng(0).integers(80, 120, shape).astype(np.int16)
    values[8:16, 10:20, 12:18] = 400
    return values


def small_scan(path: Path, affine=LAS, *, values=None, **header) -> Path:
    return put(path, packed(nifti(bright_block() if values is None else values, affine, **header)))


@pytest.fixture(scope="module")
def bright(tmp_path_factory):
    return load_models([write_model(tmp_path_factory.mktemp("model") / "bright", bright_voxels(0.6))])


@pytest.mark.parametrize("scan", [head("patient19")[0], oblique()[0]], ids=["LAS", "oblique"])
def test_a_mask_of_a_real_scan_lies_on_its_grid_and_is_the_same_twice(scan, tmp_path):
    models = load_models([write_model(tmp_path / "model", random_network(3))])
    folders = [tmp_path / "first", tmp_path / "second"]
    for folder in folders:
        written = write_all(segment(scan, models), folder, probabilities=True)
    for name in ("mask", "probabilities"):
        assert_on_the_grid_of(written[name], scan)
    names = sorted(path.name for path in folders[0].iterdir())
    assert len(names) == 4
    for name in names:
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes(), name
    mask, probability = (np.asarray(nibabel.load(written[name]).dataobj) for name in ("mask", "probabilities"))
    assert mask.dtype == np.uint8
    assert set(np.unique(mask)) == {0, 1}
    np.testing.assert_array_equal(mask == 1, probability > 0.5)


def test_truth_through_the_conformed_grid_and_back_is_the_truth():
    scan, mask = (read_scan(path) for path in head("patient19"))
    conformed = conform_scan(scan, ConformParams())
    there = to_conformed(mask.opened.lesion, conformed.maps)
    back = to_native(there.astype(np.float32), conformed.maps) > 0.5
    counted = overlap(back, np.asarray(mask.opened.lesion))
    assert (counted.tp, counted.lesion_dice()) == (49_769, 1.0)


def test_truth_on_an_oblique_grid_of_thick_slices_keeps_most_of_itself():
    scan = read_scan(oblique()[0])
    conformed = conform_scan(scan, ConformParams())
    truth = np.zeros(scan.opened.shape, bool)
    truth[100:140, 90:130, 12:30] = True
    there = to_conformed(truth, conformed.maps)
    assert overlap(to_native(there.astype(np.float32), conformed.maps) > 0.5, truth).lesion_dice() > 0.97


def test_what_is_bright_is_found_where_it_is(bright, tmp_path):
    scan = small_scan(tmp_path / "sub-01_T2w.nii.gz")
    found = segment(scan, bright)
    truth = bright_block() == 400
    assert overlap(found.lesion, truth).lesion_dice() > 0.9
    assert found.measured.components == 1
    np.testing.assert_allclose(found.measured.centroid_mm, (LAS @ [11.5, 14.5, 14.5, 1])[:3], atol=0.2)


@pytest.mark.parametrize("form", ["oblique", "flipped", "big-endian", "NIfTI-2", "qform only", "not compressed"])
def test_forms_of_scans(bright, tmp_path, form):
    scan = tmp_path / "sub-01_T2w.nii.gz"
    values = bright_block()
    made = {
        "oblique": lambda: small_scan(scan, OBLIQUE),
        "flipped": lambda: small_scan(scan, LAS[:, [2, 0, 1, 3]], values=values.transpose(2, 0, 1)),
        "big-endian": lambda: small_scan(scan, endianness=">", values=values.astype(">i2")),
        "NIfTI-2": lambda: small_scan(scan, version=2),
        "qform only": lambda: small_scan(scan, sform_code=0, qform_code=1),
        "not compressed": lambda: put(scan, nifti(values, LAS)),
    }[form]()
    found = segment(made, bright)
    written = write_all(found, tmp_path / "out")
    truth = np.asarray(found.scan.opened.stored) == 400
    assert overlap(found.lesion, truth).lesion_dice() > 0.85
    mask = nibabel.load(written["mask"])
    assert isinstance(mask, nibabel.Nifti2Image) == (form == "NIfTI-2")
    assert mask.shape == truth.shape
    np.testing.assert_array_equal(np.asarray(mask.dataobj) > 0, found.lesion)
    np.testing.assert_allclose(mask.affine, found.scan.opened.affine, atol=0)


def test_files_say_what_was_done(bright, tmp_path):
    scan = small_scan(tmp_path / "ds" / "sub-01" / "anat" / "sub-01_T2w.nii.gz", OBLIQUE)
    written = write_all(segment(scan, bright, SegmentParams(threshold=0.4)), tmp_path / "out")
    assert sorted(path.name for path in written.values()) == [
        "sub-01_T2w_desc-lesion_mask.json",
        "sub-01_T2w_desc-lesion_mask.nii.gz",
        "sub-01_T2w_desc-lesion_montage.png",
    ]
    said = json.loads(written["json"].read_text())
    assert said["SpatialReference"] == "bids:raw:sub-01/anat/sub-01_T2w.nii.gz"
    assert said["threshold"] == 0.4
    assert [flag["code"] for flag in said["flags"]] == ["oblique"]
    (model,) = said["models"]
    assert (model["variant"], model["outer_fold"], len(model["weights"])) == ("meshnet-5", 0, 64)
    assert said["engine"] == {"name": "full", "slices_or_windows": 1, "device": "cpu", "fast_crop": False}
    voxels = int(np.asarray(nibabel.load(written["mask"]).dataobj).sum())
    assert said["lesion"]["volume_ml"] == pytest.approx(voxels * abs(np.linalg.det(OBLIQUE[:3, :3])) / 1000)
    assert str(tmp_path) not in written["json"].read_text(), "no path of this machine"
    with Image.open(written["montage"]) as picture:
        assert picture.size[0] == 800


def test_a_written_mask_is_taken_for_the_scans_own(bright, tmp_path):
    scan = small_scan(tmp_path / "sub-01_ses-1_T2w.nii.gz")
    write_all(segment(scan, bright), tmp_path)
    pair = only_scan(tmp_path).pair
    assert (pair.image, pair.mask, pair.status) == (scan.name, "sub-01_ses-1_T2w_desc-lesion_mask.nii.gz", "paired")


def test_several_models_are_averaged(tmp_path):
    scan = small_scan(tmp_path / "a.nii.gz")
    folders = [write_model(tmp_path / str(seed), random_network(seed)) for seed in (1, 2)]
    one, other, both = (segment(scan, load_models(chosen)) for chosen in ([folders[0]], [folders[1]], folders))
    np.testing.assert_allclose(both.probability, (one.probability + other.probability) / 2, atol=1e-6)
    assert len(both.models) == 2
    assert np.abs(one.probability - other.probability).max() > 0.01


def test_engines_by_memory_give_one_result(tmp_path):
    scan = small_scan(tmp_path / "a.nii.gz")
    models = load_models([write_model(tmp_path / "model", random_network(5))])
    whole = segment(scan, models)
    # Less than the full engine takes, more than the volume and its logits alone.
    tight = segment(scan, models, max_bytes=15_000_000)
    assert (whole.engine.choice[0], tight.engine.choice[0]) == ("full", "streamed")
    np.testing.assert_allclose(whole.probability, tight.probability, atol=1e-4)
    with pytest.raises(UsageError, match="--max-memory"):
        segment(scan, models, max_bytes=1_000)


def test_small_pieces_are_left_out(bright, tmp_path):
    values = bright_block()
    values[24, 30, 22] = 400
    scan = small_scan(tmp_path / "a.nii.gz", values=values)
    models = dataclasses.replace(bright, conform=dataclasses.replace(SMALL, zoom_mm=2.0))
    every, large = segment(scan, models), segment(scan, models, SegmentParams(min_component_mm3=100.0))
    assert (every.measured.components, every.left_out) == (2, 0)
    assert (large.measured.components, large.left_out) == (1, 1)
    assert every.measured.voxels - large.measured.voxels == 1


def test_pieces_of_just_the_volume_stay():
    mask = np.zeros((5, 5, 5), bool)
    mask[0, 0, 0] = mask[1, 1, 1] = mask[4, 4, 4] = True
    kept, left_out = without_small(mask, 3.0, 6.0)
    assert (int(kept.sum()), left_out) == (2, 1), "corners touch"
    assert without_small(mask, 3.0, 6.1)[1] == 2
    assert without_small(np.zeros((2, 2, 2), bool), 3.0, 6.0) == (pytest.approx(np.zeros((2, 2, 2))), 0)


def test_the_quick_crop_looks_at_the_head_alone_and_says_so(tmp_path):
    models = load_models([write_model(tmp_path / "model", random_network(5))])
    scan = small_scan(tmp_path / "a.nii.gz")
    quick = segment(scan, models, SegmentParams(fast_crop=True))
    assert said_of(quick)["engine"]["fast_crop"]
    # Inside, further from the cut than the network reaches, nothing changes.
    whole = segment(scan, models)
    inner = (slice(5, -5),) * 3
    np.testing.assert_allclose(quick.probability[inner], whole.probability[inner], atol=1e-5)


def test_a_scan_larger_than_the_volume_has_no_lesion_outside(bright, tmp_path):
    values = np.full((30, 36, 28), 100, np.int16)
    values[:, :, 14:] = 400
    scan = small_scan(tmp_path / "a.nii.gz", np.diag([10.0, 10, 10, 1]), values=values)
    found = segment(scan, bright)
    assert found.lesion.any()
    assert not found.lesion[0].any()
    assert not found.lesion[-1].any()
    assert [flag.code for flag in found.flags] == ["crop_loss"]


def test_bad_scans_are_refused_with_their_code(bright, tmp_path):
    with pytest.raises(UsageError, match="no such file"):
        segment(tmp_path / "gone.nii.gz", bright)
    scans = {
        "no_orientation": small_scan(tmp_path / "a.nii.gz", sform_code=0),
        "constant_image": small_scan(tmp_path / "b.nii.gz", values=np.ones((4, 5, 6), np.int16)),
        "not_3d": small_scan(tmp_path / "c.nii.gz", values=np.stack([bright_block()] * 2, axis=3)),
        "not_nifti": put(tmp_path / "d.nii.gz", packed(b"x" * 400)),
        "gzip_truncated": put(tmp_path / "e.nii.gz", packed(nifti(bright_block(), LAS))[:-900]),
    }
    for code, scan in scans.items():
        with pytest.raises(BadScan) as caught:
            segment(scan, bright)
        assert caught.value.code == code
    assert segment(scans["no_orientation"], bright, reading=Reading(orientation="RAS")).lesion.any()
    chosen = segment(scans["not_3d"], bright, reading=Reading(volume=1))
    written = write_all(chosen, tmp_path / "out")
    assert nibabel.load(written["mask"]).shape == (30, 36, 28)


def test_without_a_lesion_all_is_written_too(tmp_path):
    blind = load_models([write_model(tmp_path / "model", bright_voxels(2.0))])
    found = segment(small_scan(tmp_path / "a.nii.gz"), blind)
    lesion = said_of(found)["lesion"]
    assert (lesion["volume_ml"], lesion["components"], lesion["centroid_mm"]) == (0.0, 0, None)
    assert len(write_all(found, tmp_path / "out")) == 3


@pytest.mark.parametrize("params", [{"threshold": 1.0}, {"threshold": -0.1}, {"min_component_mm3": -1.0}])
def test_params_out_of_range_are_refused(params):
    with pytest.raises(ConfigError, match="must be 0 or more"):
        SegmentParams(**params)


def test_the_reference_of_a_scan_outside_any_data_set_is_its_name():
    assert bids_path(Path("/home/x/scan.nii.gz")) == "scan.nii.gz"
    assert bids_path(Path("/x/sub-1/ses-2/anat/sub-1_T2w.nii")) == "sub-1/ses-2/anat/sub-1_T2w.nii"
    assert bids_path(Path("sub-1_T2w.nii")) == "sub-1_T2w.nii"
