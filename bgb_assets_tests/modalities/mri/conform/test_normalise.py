import numpy as np
import pytest

from bgb_assets.modalities.mri.conform.grid import conformed_grid
from bgb_assets.modalities.mri.conform.normalise import range_of
from bgb_assets.modalities.mri.conform.resample import Scaling, resample_image
from bgb_assets.modalities.mri.scans.flags import BadScan


def support_of(values, shape, scaling=Scaling()):
    array = np.asarray(values).reshape(-1, 1, 1)
    _, maps = conformed_grid(array.shape, np.eye(4), shape, 1.0)
    return resample_image(array, scaling, maps, "linear")


def test_padding_counts_and_equals_the_background_of_negative_images():
    found = range_of(support_of(np.array([-50.0, 10.0, 150.0], np.float32), (9, 1, 1)), "minmax")
    assert (found.lo, found.hi, found.centre, found.scale) == (-50.0, 150.0, -50.0, 200.0)
    assert found.normalised(np.float32([-50, 0, 150])).tolist() == [0.0, 0.25, 1.0]


def test_padding_is_the_smallest_of_an_image_above_zero():
    values = np.array([20.0, 40.0, 60.0], np.float32)
    assert range_of(support_of(values, (9, 1, 1)), "minmax").lo == 0.0
    assert range_of(support_of(values, (3, 1, 1)), "minmax").lo == 20.0, "nothing is padded"


def test_what_is_cropped_does_not_count():
    found = range_of(support_of(np.array([-900.0, 1.0, 2.0, 3.0, 900.0], np.float32), (3, 1, 1)), "minmax")
    assert (found.lo, found.hi) == (1.0, 3.0)


@pytest.mark.parametrize("slope", [2.0, -2.0])
def test_extremes_are_those_of_scaled_values(slope):
    found = range_of(support_of(np.array([1, 5, 3], np.int16), (3, 1, 1), Scaling(slope, 1.0)), "minmax")
    assert (found.lo, found.hi) == ((3.0, 11.0) if slope > 0 else (-9.0, -1.0))


def test_percentiles_are_of_the_voxels_that_are_not_zero_and_clip():
    values = np.concatenate([np.zeros(1000), np.arange(1.0, 1002.0)]).astype(np.float32)
    found = range_of(support_of(values, (3000, 1, 1)), "p99")
    assert (found.lo, found.hi) == (pytest.approx(2.0), pytest.approx(1000.0))
    assert found.normalised(np.float32([0, 2, 1000, 5000])).tolist() == [0.0, 0.0, 1.0, 1.0]


def test_z_scores_are_of_the_voxels_that_are_not_zero():
    values = np.array([0.0, 10.0, 20.0, 30.0, 0.0], np.float32)
    found = range_of(support_of(values, (9, 1, 1)), "zscore")
    assert (found.lo, found.hi) == (0.0, 30.0)
    assert (found.centre, found.scale) == (20.0, pytest.approx(np.std([10, 20, 30])))
    scores = found.normalised(values[1:4])
    assert (scores.mean(), scores.std()) == (pytest.approx(0.0, abs=1e-7), pytest.approx(1.0))


@pytest.mark.parametrize(
    ("values", "shape", "way"),
    [([7.0, 7.0], (2, 1, 1), "minmax"), ([7.0, 7.0], (9, 1, 1), "p99"), ([0.0, 0.0], (9, 1, 1), "zscore")],
)
def test_no_contrast_is_refused(values, shape, way):
    with pytest.raises(BadScan, match="constant_image"):
        range_of(support_of(np.array(values, np.float32), shape), way)
