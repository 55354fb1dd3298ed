"""What a network is given here is what stage features stored for training, voxel for voxel."""

import dataclasses

import numpy as np
import pytest

from bgb_assets.modalities.mri import features
from bgb_assets.modalities.mri.conform.params import ConformParams
from bgb_assets.modalities.mri.conform.stored import IMAGE_FILE, normalised_image, read_volume
from bgb_assets.modalities.mri.scans.flags import BadScan
from bgb_assets.modalities.mri.segmentation.conforming import conform_scan, read_scan
from bgb_assets.runtime.errors import UsageError
from bgb_assets_tests.modalities.mri.cached_scans import cached, head, oblique
from bgb_assets_tests.modalities.mri.nifti_files import nifti, packed, put

PARAMS = [
    ConformParams(),
    ConformParams(shape=(96, 100, 104), zoom_mm=2.0, store="u16"),
    ConformParams(shape=(64, 64, 64), zoom_mm=4.0, normalise="p99"),
    ConformParams(shape=(64, 64, 64), zoom_mm=4.0, normalise="zscore", interpolation="nearest"),
]


@pytest.mark.parametrize("params", PARAMS, ids=["as it is", "u16", "p99", "zscore"])
@pytest.mark.parametrize("kind", ["LAS", "oblique"])
def test_it_is_what_training_saw(params, kind, tmp_path):
    path = head("patient07")[0] if kind == "LAS" else oblique()[0]
    out = tmp_path / "out"
    out.mkdir()
    features.run({"cache": cached(tmp_path / "cache", path)}, params, out)
    volume = read_volume(out)
    conformed = conform_scan(read_scan(path), params)
    np.testing.assert_array_equal(conformed.image, normalised_image(np.load(out / IMAGE_FILE), volume))
    np.testing.assert_array_equal(conformed.grid.affine, volume["affine"])
    assert conformed.image.dtype == np.float32
    told = [flag.code for flag in (*read_scan(path).flags, *conformed.flags) if flag.code not in ("oblique",)]
    assert told == [flag["code"] for flag in volume["flags"]]


def test_a_scan_is_judged_before_it_is_used(tmp_path):
    with pytest.raises(UsageError, match="no such file"):
        read_scan(tmp_path)
    whole = nifti(np.full((4, 5, 6), np.nan, np.float32))
    with pytest.raises(BadScan, match=r"^non_finite: image: 120 voxels are not finite"):
        read_scan(put(tmp_path / "a.nii.gz", packed(whole)))
    with pytest.raises(BadScan, match=r"^data_short: b\.nii: .* the header promises"):
        read_scan(put(tmp_path / "b.nii", nifti()[:-10]))


def test_volumes_are_told_apart_by_their_content_alone(tmp_path):
    first, second = (
        read_scan(put(tmp_path / name, content)).opened
        for name, content in (("a.nii", nifti()), ("b.nii.gz", packed(nifti(), 1)))
    )
    assert first.digest == second.digest
    assert dataclasses.asdict(first.scaling) == {"slope": 1.0, "inter": 0.0}
