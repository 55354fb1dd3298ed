"""Probabilities by one network and several, within a bound on memory, of the head alone."""

import numpy as np
import pytest
import torch

from bgb_assets.modalities.mri.learning.engines import full
from bgb_assets.modalities.mri.segmentation.inference import head_box, lesion_probability
from bgb_assets.runtime.errors import TrainingError
from bgb_assets_tests.modalities.mri.segmentation.models import random_network


@pytest.fixture
def image():
    made = np.zeros((24, 26, 28), np.float32)
    made[8:16, 9:18, 10:20] = np.random.default_rng(0).random((8, 9, 10))
    return made


def test_it_is_the_softmax_of_the_logits(image):
    network = random_network(1)
    found, engine = lesion_probability([network], image, device="cpu")
    expected = torch.softmax(full(network, torch.from_numpy(image)[None, None]), dim=1)[0, 1]
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-6)
    assert found.dtype == np.float32
    assert engine.as_json() == {"name": "full", "slices_or_windows": 1, "device": "cpu", "fast_crop": False}


def test_the_head_is_what_differs_from_the_corner(image):
    assert head_box(image, 0) == (slice(8, 16), slice(9, 18), slice(10, 20))
    assert head_box(image, 9) == (slice(0, 24), slice(0, 26), slice(1, 28))
    assert head_box(np.zeros((3, 4, 5), np.float32), 1) == (slice(0, 3), slice(0, 4), slice(0, 5))


def test_a_cut_to_the_head_is_near_and_zero_outside(image):
    network = random_network(1)
    whole, _ = lesion_probability([network], image, device="cpu")
    cut, engine = lesion_probability([network], image, device="cpu", crop=True)
    assert engine.fast_crop
    assert not cut[:5].any()
    assert whole[:5].any()
    np.testing.assert_allclose(cut[8:16, 9:18, 10:20], whole[8:16, 9:18, 10:20], atol=1e-6)


def test_values_that_are_no_numbers_stop_it(image):
    network = random_network(1)
    network.head.bias.data[1] = torch.nan
    with pytest.raises(TrainingError, match="not finite; train it again"):
        lesion_probability([network], image, device="cpu")
