import numpy as np
import pytest

from bgb_assets.modalities.mri.conform.opened import open_role
from bgb_assets.modalities.mri.scans.flags import BadScan
from bgb_assets_tests.modalities.mri.cached_scans import cached, write_volume


def test_numbers_are_as_stored_and_values_are_scaled(tmp_path):
    numbers = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    path = write_volume(tmp_path / "i.nii.gz", numbers, np.diag([2.0, 1.0, 1.0, 1.0]))
    opened = open_role(cached(tmp_path / "cache", path), "image")
    assert np.array_equal(opened.stored, numbers)
    assert (opened.shape, opened.affine[0, 0], opened.scaling.is_identity) == ((2, 3, 4), 2.0, True)
    assert len(opened.digest) == 64
    assert np.count_nonzero(opened.non_zero) == np.count_nonzero(opened.lesion) == 23


def test_zero_is_a_value_not_a_number(tmp_path):
    path = write_volume(tmp_path / "m.nii", np.int16([0, 2, 4]).reshape(3, 1, 1), slope=0.5, inter=-1.0)
    opened = open_role(cached(tmp_path / "cache", mask=path), "mask")
    assert opened.non_zero.ravel().tolist() == [True, False, True]
    assert opened.lesion.ravel().tolist() == [False, False, True]
    assert opened.scaling.values(opened.stored).ravel().tolist() == [-1.0, 0.0, 1.0]


def test_what_a_scan_lacks_is_none(tmp_path):
    folder = cached(tmp_path / "cache", write_volume(tmp_path / "i.nii", np.ones((2, 2, 2), np.uint8)))
    assert open_role(folder, "mask") is None


def test_damage_is_said_with_the_role(tmp_path):
    path = write_volume(tmp_path / "i.nii", np.ones((9, 9, 9), np.uint8))
    folder = cached(tmp_path / "cache", path)
    (folder / "image.nii").write_bytes(path.read_bytes()[:-5])
    with pytest.raises(BadScan, match="data_short: image: "):
        open_role(folder, "image")
