"""Made-up scans: the same bytes for a seed, the truth that is told, every form readable by other hands."""

import dataclasses
import gzip

import nibabel
import numpy as np
import pytest

from bgb_assets.modalities.mri import raw
from bgb_assets.modalities.mri.lesions.bins import volume_bin
from bgb_assets.modalities.mri.lesions.components import measure_lesion
from bgb_assets.modalities.mri.scans.nifti import read_header
from bgb_assets.modalities.mri.scans.volumes import volume_digest
from bgb_assets.modalities.mri.synth import KINDS, PLAIN, SAMPLES, synth, synthesise, write_samples
from bgb_assets.modalities.mri.synthetic.forms import Form
from bgb_assets.runtime.errors import UsageError
from bgb_assets_tests.fixtures import REPOSITORY

TRACKED = REPOSITORY / "data" / "samples" / "mri"
MAX_SAMPLES_BYTES = 2_000_000


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    out = tmp_path_factory.mktemp("synth")
    return out, synth(out, len(KINDS), 1)


def files_below(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_equal_seeds_give_equal_bytes_and_a_shorter_run_its_beginning(made, tmp_path):
    out, truth = made
    shorter = synth(tmp_path, 4, 1)
    assert shorter["scans"] == truth["scans"][:4]
    again = files_below(tmp_path)
    assert len(again) == 3 * 4
    assert again == {name: content for name, content in files_below(out).items() if name in again}


def test_other_seeds_differ(made, tmp_path):
    other = synth(tmp_path, 1, 2)["scans"][0]
    first = made[1]["scans"][0]
    assert other["key"] != first["key"]
    assert other["lesion_voxels"] != first["lesion_voxels"]


def test_what_is_told_of_a_scan_is_so(made):
    out, truth = made
    for one in truth["scans"]:
        image = nibabel.load(out / one["image"])
        assert "".join(nibabel.aff2axcodes(image.affine)) == one["orientation"]
        assert b"synthetic" in bytes(image.header["descrip"])
        assert np.asarray(image.dataobj).min() > -1
        if one["mask"] is None:
            continue
        mask = nibabel.load(out / one["mask"])
        np.testing.assert_array_equal(mask.affine, image.affine)
        lesion = measure_lesion(np.asarray(mask.dataobj) > 0, mask.affine)
        assert lesion.voxels == one["lesion_voxels"]
        assert lesion.volume_mm3 == pytest.approx(one["lesion_volume_mm3"], rel=1e-5)
        assert (lesion.left_fraction > 0.5) == (one["side"] == "left")
        values = np.asarray(image.dataobj, np.float64)
        inside = np.asarray(mask.dataobj) > 0
        assert values[inside].mean() > 1.5 * np.median(values[values > 100]), "bright, as in a T2w image"


def test_lesions_of_all_bins_in_two_acquisitions(tmp_path):
    scans = synthesise(tmp_path, 8, 5)["scans"]
    assert sorted(volume_bin(one["lesion_volume_mm3"]) for one in scans) == [1, 1, 2, 2, 3, 3, 4, 4]
    assert {one["image"].split("acq-")[1].split("_")[0] for one in scans} == {form.acquisition for form in PLAIN}


def test_uploads_are_found_with_their_masks(made):
    out, truth = made
    found = {one.path: one.files for one in raw.discover(out)}
    assert sorted(found) == [one["key"] for one in truth["scans"]]
    for one in truth["scans"]:
        assert (one["mask"] in found[one["key"]]) == (one["mask"] is not None)


def test_the_forms_are_what_they_say(made):
    out, truth = made
    headers = [read_header(out / one["image"]) for one in truth["scans"]]
    assert [header.version for header in headers] == [form.version for form in KINDS]
    assert [header.dtype.byteorder == ">" for header in headers] == [form.big_endian for form in KINDS]
    assert [header.slope for header in headers] == [form.slope or 1.0 for form in KINDS]
    assert [header.obliquity_deg > 5 for header in headers] == [form.tilt_deg != (0, 0, 0) for form in KINDS]
    masks = [nibabel.load(out / one["mask"]) for one in truth["scans"] if one["mask"]]
    largest = {round(float(np.asarray(mask.dataobj).max()), 4) for mask in masks}
    assert sorted(largest) == [0.0171, 1.0, 255.0]


def test_a_scan_is_the_same_head_in_any_form(tmp_path):
    """The head is a function of the world: another orientation is the same volume turned, but for its noise."""
    bright = {}
    for orientation in ("RAS", "LPI"):
        form = Form(orientation=orientation)
        one = synthesise(tmp_path / orientation, 1, 3, (form,))["scans"][0]
        bright[orientation] = nibabel.as_closest_canonical(nibabel.load(tmp_path / orientation / one["mask"]))
    np.testing.assert_allclose(bright["RAS"].affine, bright["LPI"].affine, atol=1e-5)
    np.testing.assert_array_equal(*(np.asarray(image.dataobj) for image in bright.values()))


def test_the_tracked_samples_are_what_the_seed_gives(tmp_path):
    write_samples(tmp_path)
    tracked = {name: content for name, content in files_below(TRACKED).items() if name != "README.md"}
    again = files_below(tmp_path)
    assert tracked.keys() == again.keys()
    for name in again:
        if name.endswith(".json"):
            assert again[name] == tracked[name]
            continue
        first, second = (
            np.asarray(nibabel.load(folder / name).dataobj.get_unscaled(), int) for folder in (TRACKED, tmp_path)
        )
        # Another machine's sine may round the last bit otherwise.
        assert np.count_nonzero(first != second) <= 1e-4 * first.size
        assert gzip.decompress(again[name])[:348] == gzip.decompress(tracked[name])[:348]


def test_the_samples_stay_small_and_differ_in_form():
    assert sum(len(content) for content in files_below(TRACKED).values()) < MAX_SAMPLES_BYTES
    images = sorted(TRACKED.glob("sub-*/**/*.nii.gz"))
    assert len(images) == len(SAMPLES) == len({volume_digest(path) for path in images})
    headers = [read_header(path) for path in images]
    assert {header.orientation for header in headers} == {"RAS", "LAS", "PSR"}
    assert sum(header.obliquity_deg > 5 for header in headers) == 1
    assert sum(header.slope != 1 for header in headers) == 1
    assert len(list(TRACKED.glob("derivatives/**/*_mask.nii.gz"))) == len(SAMPLES) - 1


def test_less_than_nothing_is_refused(tmp_path):
    with pytest.raises(UsageError, match="got -1 subjects; expected 0 or more"):
        synthesise(tmp_path, -1, 0)
    assert synth(tmp_path, 0, 0) == {"seed": 0, "scans": []}


def test_every_kind_says_something_of_its_own():
    assert len({dataclasses.astuple(form) for form in KINDS}) == len(KINDS)
