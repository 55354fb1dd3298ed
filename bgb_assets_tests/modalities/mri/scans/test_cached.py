import json

import numpy as np

from bgb_assets.modalities.mri.scans.cached import cached_file, limits_of, open_cached
from bgb_assets.modalities.mri.scans.limits import LIMITS
from bgb_assets_tests.modalities.mri.nifti_files import nifti, packed, put, voxels


def write(tmp_path, data, reading):
    put(tmp_path / "image.nii.gz", packed(data))
    said = {"file": "image.nii.gz", "sha256": "", "volume_digest": "", "reading": reading}
    put(tmp_path / "cache.json", json.dumps({"image": said, "mask": None}).encode())
    return said


def test_a_file_is_read_as_it_was_said_to_be(tmp_path):
    array = voxels((5, 6, 7, 3))
    said = write(tmp_path, nifti(array, sform_code=0), {"volume": 1, "orientation": "RPS"})
    volume = open_cached(tmp_path, "image")
    np.testing.assert_array_equal(volume.voxels, array[..., 1])
    assert volume.header.orientation == "RPS"
    assert cached_file(tmp_path, "image") == said
    assert open_cached(tmp_path, "mask") is cached_file(tmp_path, "mask") is None


def test_limits_are_those_of_the_project_or_just_enough(tmp_path):
    assert limits_of(put(tmp_path / "a.nii", nifti())) == LIMITS
    assert limits_of(put(tmp_path / "b.nii", nifti(voxels((1500, 1, 1))))).max_axis == 1500
