from importlib.resources import files

import numpy as np
import pytest

from bgb_assets.modalities.mri.conform.content import content_flags, crop_flags, grid_flags
from bgb_assets.modalities.mri.conform.opened import Opened, open_role
from bgb_assets_tests.fixtures import shared_data
from bgb_assets_tests.modalities.mri.cached_scans import cached, head, oblique, strokes, write_volume

SHAPE = (4, 5, 6)


def opened(tmp_path, image=None, mask=None, **mask_scaling):
    paths = {}
    if image is not None:
        paths["image"] = write_volume(tmp_path / "i.nii", np.asarray(image))
    if mask is not None:
        paths["mask"] = write_volume(tmp_path / "m.nii", np.asarray(mask), **mask_scaling)
    folder = cached(tmp_path / "cache", **paths)
    return open_role(folder, "image"), open_role(folder, "mask")


def codes(flags):
    return [(flag.code, flag.level) for flag in flags]


def ramp(dtype=np.float32):
    return np.arange(1, 121).reshape(SHAPE).astype(dtype)


def marked(value=1, dtype=np.uint8, voxels=3):
    mask = np.zeros(120, dtype)
    mask[50 : 50 + voxels] = value
    return mask.reshape(SHAPE)


def found(tmp_path, *, allow_empty=False, **made):
    return content_flags(*opened(tmp_path, **made), allow_empty=allow_empty)


def test_a_good_pair_has_no_flag(tmp_path):
    assert found(tmp_path, image=ramp(), mask=marked()) == []


@pytest.mark.parametrize("patient", ["patient07", "patient19"])
def test_real_pairs_have_no_flag(tmp_path, patient):
    folder = cached(tmp_path / "cache", *head(patient))
    assert content_flags(open_role(folder, "image"), open_role(folder, "mask"), allow_empty=False) == []


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_the_first_voxel_that_is_not_finite_is_named(tmp_path, wrong):
    image = ramp()
    image[2, 1, 3] = image[3, 4, 5] = wrong
    (flag,) = found(tmp_path, image=image)
    assert codes([flag]) == [("non_finite", "reject")]
    assert flag.message == "image: 2 voxels are not finite, the first at [2, 1, 3]"
    assert flag.value == {"count": 2, "first": [2, 1, 3]}


def test_a_real_image_with_nan(tmp_path):
    path = files("nibabel") / "tests" / "data" / "resampled_anat_moved.nii"
    if not path.is_file():
        pytest.skip("fixtures absent: nibabel was installed without its tests")
    folder = cached(tmp_path / "cache", path)
    assert codes(content_flags(open_role(folder, "image"), None, allow_empty=False)) == [("non_finite", "reject")]


def test_an_image_of_one_value_shows_nothing(tmp_path):
    (flag,) = found(tmp_path, image=np.full(SHAPE, 7, np.int16))
    assert (flag.code, flag.message, flag.value) == ("constant_image", "image: every voxel is 7", 7)


def test_an_empty_mask_is_refused_or_told(tmp_path):
    assert codes(found(tmp_path / "a", mask=marked(0))) == [("mask_empty", "reject")]
    assert codes(found(tmp_path / "b", mask=marked(0), allow_empty=True)) == [("mask_empty", "warn")]
    assert codes(found(tmp_path / "c", mask=marked(-1, np.int16))) == [("mask_empty", "reject")], "not above 0"


def test_more_than_one_label_is_refused(tmp_path):
    mask = marked(1)
    mask[0, 0, 0] = 2
    (flag,) = found(tmp_path, mask=mask)
    assert (flag.code, flag.value) == ("mask_labels", [1.0, 2.0])
    assert flag.message == "mask: 2 values other than 0, from 1 to 2; one is expected"
    mask = marked(1, np.int8)
    mask[0, 0, 0] = -1
    assert codes(found(tmp_path / "b", mask=mask)) == [("mask_labels", "reject")]


def test_a_real_map_of_labels_is_no_mask(tmp_path):
    folder = cached(tmp_path / "cache", mask=shared_data("mri") / "brainchop" / "labels.nii.gz")
    assert codes(content_flags(None, open_role(folder, "mask"), allow_empty=False)) == [("mask_labels", "reject")]


@pytest.mark.parametrize(
    ("value", "dtype", "slope"), [(255, np.uint8, None), (0.017, np.float32, None), (255, np.int16, 6.7e-5)]
)
def test_a_mask_of_another_value_is_told_and_counted(tmp_path, value, dtype, slope):
    _, mask = opened(tmp_path, mask=marked(value, dtype), slope=slope)
    (flag,) = content_flags(None, mask, allow_empty=False)
    assert codes([flag]) == [("mask_scaled", "warn")]
    assert flag.value == pytest.approx(value * (slope or 1))
    assert np.count_nonzero(mask.lesion) == 3


def test_a_mask_with_an_offset_is_judged_by_its_values(tmp_path):
    _, mask = opened(tmp_path, mask=marked(4, np.int16) - 2, slope=0.5, inter=1.0)
    assert np.count_nonzero(mask.non_zero) == np.count_nonzero(mask.lesion) == 3


def test_a_mask_larger_than_half_the_head_is_refused(tmp_path):
    image = ramp()
    image.ravel()[:50] = 0
    (flag,) = found(tmp_path, image=image, mask=marked(voxels=36))
    assert (flag.code, flag.value) == ("mask_huge", 36)
    assert found(tmp_path / "b", image=image, mask=marked(voxels=35)) == []


def test_a_mask_beside_the_head_is_told(tmp_path):
    image = ramp()
    image.ravel()[50] = 0
    (flag,) = found(tmp_path, image=image, mask=marked(voxels=10))
    assert (flag.code, flag.level, flag.value) == ("mask_off_head", "warn", 0.1)
    assert found(tmp_path / "b", image=image, mask=marked(voxels=20)) == [], "5 % are allowed"


def test_a_mask_on_another_grid_is_found_by_shape_and_by_place(tmp_path):
    data = shared_data("mri") / "brainchop"
    for number, (image, mask, said) in enumerate(
        [(*oblique(), "its shape is"), (data / "t1_crop.nii.gz", data / "labels.nii.gz", "up to 17.37 mm")]
    ):
        folder = cached(tmp_path / str(number), image, mask)
        (flag,) = grid_flags(open_role(folder, "image"), open_role(folder, "mask"))
        assert (flag.code, flag.level) == ("mask_grid", "reject")
        assert said in flag.message


def test_without_one_of_both_there_is_no_grid_to_compare(tmp_path):
    image, mask = opened(tmp_path, image=ramp(), mask=marked())
    assert grid_flags(None, mask) == grid_flags(image, None) == grid_flags(image, mask) == []


def test_what_is_lost_of_a_lesion_is_grave_and_of_an_image_told():
    assert codes(crop_flags(1, 0.0)) == [("crop_loss", "reject")]
    assert codes(crop_flags(0, 0.002)) == [("crop_loss", "warn")]
    assert crop_flags(0, 0.001) == []


def test_all_strokes_are_masks_of_one_label(tmp_path):
    for number, path in enumerate(strokes()[:3]):
        mask = open_role(cached(tmp_path / str(number), mask=path), "mask")
        assert isinstance(mask, Opened)
        assert content_flags(None, mask, allow_empty=False) == []
