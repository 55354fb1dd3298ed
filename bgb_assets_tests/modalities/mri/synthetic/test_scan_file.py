"""Made-up files: numbers as given, scaled as said, the same bytes at any time."""

import nibabel
import numpy as np
import pytest

from bgb_assets.modalities.mri.synthetic.forms import Form, grid_of
from bgb_assets.modalities.mri.synthetic.scan_file import image_bytes, mask_bytes
from bgb_assets_tests.modalities.mri.nifti_files import put


@pytest.mark.parametrize("form", [Form(), Form(slope=0.25, inter=-20.0), Form(version=2), Form(big_endian=True)])
def test_intensities_come_back(form, tmp_path):
    _, affine = grid_of(form)
    values = np.random.default_rng(0).uniform(0, 900, (5, 6, 7))
    content = image_bytes(values, affine, form)
    image = nibabel.load(put(tmp_path / "a.nii.gz", content))
    np.testing.assert_allclose(np.asarray(image.dataobj), values, atol=0.51 * (form.slope or 1.0))
    np.testing.assert_allclose(image.affine, affine, atol=1e-5)
    assert (int(image.header["qform_code"]), int(image.header["sform_code"])) == (1, 1)
    assert content == image_bytes(values, affine, form)
    assert content[3:8] == bytes(5), "no name, no time"


def test_a_mask_is_stored_as_said(tmp_path):
    lesion = np.random.default_rng(0).random((5, 6, 7)) > 0.5
    form = Form(mask_value=255, mask_slope=1 / 255)
    mask = nibabel.load(put(tmp_path / "a.nii.gz", mask_bytes(lesion, np.eye(4), form)))
    assert set(np.unique(mask.dataobj.get_unscaled())) == {0, 255}
    np.testing.assert_allclose(np.asarray(mask.dataobj), lesion, atol=1e-6)
