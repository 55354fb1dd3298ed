"""Heads to be drawn: of conformed scans, of scans as delivered, cut to what is head."""

import shutil

import numpy as np
import pytest

from bgb_assets.modalities.mri import features
from bgb_assets.modalities.mri.conform.params import ConformParams
from bgb_assets.modalities.mri.pictures.head import Head, conformed_head, native_head, open_delivered
from bgb_assets.modalities.mri.segmentation.conforming import conform_scan, read_scan
from bgb_assets_tests.modalities.mri.cached_scans import cached, head, write_volume
from bgb_assets_tests.modalities.mri.nifti_files import nifti, packed, put
from bgb_assets_tests.modalities.mri.uploads import chain, write_upload

LAS = np.diag([-2.0, 2.0, 2.0, 1.0])


def lesion(*place):
    mask = np.zeros((20, 22, 24), np.uint8)
    mask[tuple(slice(at, at + 3) for at in place)] = 1
    return mask


def scan(tmp_path, mask_affine=LAS):
    values = np.random.default_rng(0).integers(1, 99, (20, 22, 24)).astype(np.int16)
    image = write_volume(tmp_path / "i.nii", values, LAS)
    return cached(tmp_path / "cache", image, write_volume(tmp_path / "m.nii", lesion(3, 8, 9), mask_affine))


def run(cache, out, **params):
    out.mkdir()
    features.run({"cache": cache}, ConformParams(shape=(48, 48, 48), **params), out)
    return out


@pytest.mark.parametrize("store", ["f16", "u16"])
def test_before_and_after_show_one_place(tmp_path, store):
    cache = scan(tmp_path)
    after = conformed_head(run(cache, tmp_path / "out", store=store))
    before = native_head(*(open_delivered({"cache": cache}, role) for role in ("image", "mask")))
    np.testing.assert_allclose(after.centre_mm, (LAS @ [4, 9, 10, 1])[:3], atol=0.6)
    np.testing.assert_allclose(before.centre_mm, (LAS @ [4, 9, 10, 1])[:3], atol=1e-9)
    assert before.affine[0, 0] > 0, "turned to the right"
    assert before.voxel_at(before.centre_mm) == (19 - 4, 9, 10)
    assert before.spacing_mm == (2.0, 2.0, 2.0)


def test_values_below_the_background_do_not_make_it_head():
    conformed = conform_scan(read_scan(head("patient19")[0]), ConformParams())
    drawn = Head(conformed.image, conformed.grid.affine)
    extents = [part.stop - part.start for part in drawn.box]
    assert conformed.image.min() < conformed.image[0, 0, 0]
    assert all(extent < 200 for extent in extents), "padding is cut off"
    assert drawn.window[0] == conformed.image[0, 0, 0]


def test_files_are_found_where_they_lie_apart(tmp_path):
    image = "sub-M1_ses-2_T2w.nii.gz"
    chain(write_upload(tmp_path / "upload", {image: packed(nifti())}), tmp_path / "work")
    cache = tmp_path / "work" / "cache"
    whole = open_delivered({"cache": cache}, "image")
    assert open_delivered({"cache": cache}, "mask") is None
    shutil.move(cache / "image", tmp_path / "part")
    apart = open_delivered({"cache": cache, "cache/image": tmp_path / "part"}, "image")
    np.testing.assert_array_equal(apart.stored, whole.stored)
    assert open_delivered({"cache": cache}, "image") is None, "what is not at hand is left out"
    assert open_delivered({}, "image") is None


def test_a_mask_on_another_grid_is_not_drawn_on_the_scan(tmp_path):
    path = put(tmp_path / "o.nii.gz", packed(nifti(np.ones((3, 3, 3), np.uint8))))
    cache = cached(tmp_path / "c", scan(tmp_path) / "image.nii", path)
    before = native_head(*(open_delivered({"cache": cache}, role) for role in ("image", "mask")))
    assert before.truth is None


def test_a_mask_without_a_scan_has_no_head(tmp_path):
    mask = write_volume(tmp_path / "m.nii", lesion(3, 8, 9), LAS)
    assert conformed_head(run(cached(tmp_path / "cache", None, mask), tmp_path / "out")) is None


def test_a_flat_image_is_drawn_whole():
    flat = Head(np.ones((4, 5, 6), np.float32), np.eye(4))
    assert flat.box == flat.extent == (slice(0, 4), slice(0, 5), slice(0, 6))
    assert flat.window == (1.0, 2.0)
    assert flat.lesion is None
    np.testing.assert_array_equal(flat.centre_mm, (1.5, 2.0, 2.5))
