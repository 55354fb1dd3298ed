"""Samples: what is stored, bit for bit; patches and augmentation as pure functions of seed, epoch, upload and k."""

import dataclasses
import pickle

import numpy as np
import pytest
import torch

from bgb_assets.loading.mapped import ShardStore
from bgb_assets.loading.order import Order, SampleIndex
from bgb_assets.loading.randomness import Draw
from bgb_assets.modalities.mri.learning.data import (
    RepeatedDraw,
    ScanReader,
    network_input,
    shuffled,
    stack,
    unpacked,
)
from bgb_assets.modalities.mri.learning.variants import LIGHT, Augmentation, Patches
from bgb_assets_tests.modalities.mri.learning.made_scans import made_scan, made_store

PATCHES = Patches(size=6, per_scan=3, foreground_share=0.33)
STILL = Augmentation(flip=0.0, gain=(1.0, 1.0), shift=(0.0, 0.0), noise_sd=0.0)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return made_store(tmp_path_factory.mktemp("scans"), [0, 1, 2])


def reader(store, **fields):
    return ScanReader(store, store.column("mask_source").astype(np.int64), **fields)


def read(store, row=0, draw=None, **fields):
    """Return what the network and the loss are given of one sample."""
    return network_input(stack([reader(store, **fields)(row, draw or Draw(0, 0, row))]))


def test_a_whole_volume_is_what_is_stored(store):
    for row in range(3):
        image, lesion = read(store, row)
        expected = made_scan(row)
        assert (image.dtype, image.shape) == (torch.float32, (1, 1, 12, 12, 12))
        np.testing.assert_array_equal(image[0, 0].numpy(), expected[0].astype(np.float32))
        np.testing.assert_array_equal(lesion[0].numpy(), expected[1])


def test_a_sample_moves_two_bytes_and_one_bit_a_voxel(store):
    sample = reader(store)(0, Draw(0, 0, 0))
    assert sample["image"].nbytes + sample["mask"].nbytes == 12**3 * 2 + 12**3 // 8
    assert not sample["image"].flags.owndata, "mapped, not read"


def test_masks_of_any_length_are_unpacked_first_voxel_in_the_high_bit():
    random = np.random.default_rng(0)
    for shape in ((1, 1, 1), (3, 5, 7), (2, 4, 8), (9, 1, 1)):
        masks = random.random((2, *shape)) < 0.5
        bits = np.stack([np.packbits(mask) for mask in masks])
        found = unpacked(torch.from_numpy(bits), shape)
        assert found.dtype == torch.bool
        np.testing.assert_array_equal(found.numpy(), masks)


def test_whole_numbers_are_scaled_on_the_device(tmp_path):
    store = made_store(tmp_path, [0], image_lo=[-0.25], image_step=[0.5])
    image, _ = read(store)
    np.testing.assert_allclose(image[0, 0].numpy(), made_scan(0)[0].astype(np.float32) * 0.5 - 0.25)


def test_a_patch_is_cut_from_image_and_mask_alike(store):
    volume, mask = made_scan(1)
    windows = np.lib.stride_tricks.sliding_window_view(volume.astype(np.float32), (6, 6, 6))
    for copy in range(10):
        image, lesion = read(store, 1, Draw(5, 2, 1, copy), patches=PATCHES)
        places = np.argwhere((windows == image[0, 0].numpy()).all((3, 4, 5)))
        assert len(places) == 1
        inside = tuple(slice(low, low + 6) for low in places[0].tolist())
        np.testing.assert_array_equal(lesion[0].numpy(), mask[inside])


def test_patch_and_augmentation_depend_on_seed_epoch_upload_and_k_alone(store, tmp_path):
    fields = {"patches": PATCHES, "augmentation": LIGHT}
    draws = [Draw(seed, epoch, 1, copy) for seed in (0, 1) for epoch in (0, 1) for copy in (0, 1)]
    images = [read(store, 1, draw, **fields)[0] for draw in draws]
    assert len({image.numpy().tobytes() for image in images}) == len(draws)
    # The same upload on another row of another index, in another process.
    grown = made_store(tmp_path, [0, 1, 2], numbers=[9, 0, 1])
    again = pickle.loads(pickle.dumps(reader(grown, **fields)))
    for draw, image in zip(draws, images, strict=True):
        moved = dataclasses.replace(draw, row=2)
        assert torch.equal(network_input(stack([again(2, moved)]))[0], image)


def test_light_flips_left_and_right_of_both_and_changes_intensities(store):
    flipped = dataclasses.replace(STILL, flip=1.0)
    image, lesion = read(store, 0)
    mirrored, mask = read(store, 0, augmentation=flipped)
    assert torch.equal(mirrored, image.flip(2))
    assert torch.equal(mask, lesion.flip(1))
    still, mask = read(store, 0, augmentation=STILL)
    assert torch.equal(still, image)
    assert torch.equal(mask, lesion)
    brighter, _ = read(store, 0, augmentation=dataclasses.replace(STILL, gain=(2.0, 2.0), shift=(0.5, 0.5)))
    torch.testing.assert_close(brighter, 2 * image + 0.5)
    noise = read(store, 0, augmentation=dataclasses.replace(STILL, noise_sd=0.1))[0] - image
    assert 0 < float(noise.std()) < 0.1
    assert abs(float(noise.mean())) < 0.01


def test_about_half_of_the_light_samples_are_flipped(store):
    light = reader(store, augmentation=LIGHT)
    flips = [int(light(0, Draw(0, epoch, 0))["flip"]) for epoch in range(200)]
    assert 70 < sum(flips) < 130


def test_each_volume_of_a_batch_has_its_own_changes(store):
    light = reader(store, augmentation=LIGHT)
    samples = [light(row, Draw(3, 1, row)) for row in range(3)]
    together = network_input(stack(samples))
    for number, sample in enumerate(samples):
        alone = network_input(stack([sample]))
        assert torch.equal(together[0][number], alone[0][0])
        assert torch.equal(together[1][number], alone[1][0])


def test_an_epoch_of_patches_asks_for_each_scan_so_often():
    index = SampleIndex(np.array([1, 4, 6]), np.ones(9, np.int64), np.ones(9))
    order = Order(index, batch=2, seed=0, pool_batches=1, draw=RepeatedDraw(4))
    tickets = [ticket for position in range(6) for ticket in order.global_batch(order.position(position))]
    assert {(ticket.row, ticket.copy) for ticket in tickets} == {(row, k) for row in (1, 4, 6) for k in range(4)}
    assert order.position(6) == (1, 0)


def test_shuffled_masks_change_places_among_their_rows_only():
    masks = np.arange(100) * 2 + 1
    rows = np.arange(10, 60)
    dealt = shuffled(masks, rows, seed=42)
    assert sorted(dealt[rows].tolist()) == masks[rows].tolist()
    assert (dealt[rows] != masks[rows]).all()
    assert (dealt[rows] != shuffled(masks, rows, seed=43)[rows]).any()
    left = np.setdiff1d(np.arange(100), rows)
    np.testing.assert_array_equal(dealt[left], masks[left])
    np.testing.assert_array_equal(dealt, shuffled(masks, rows, seed=42))


def test_a_store_knows_its_uploads_and_pickles_without_arrays(store):
    own = reader(store)
    assert [own.upload(row) for row in range(3)] == [f"sub-M{row:04d}_ses-1" for row in range(3)]
    own(0, Draw(0, 0, 0))
    assert len(pickle.dumps(own)) < 2_000
    assert isinstance(pickle.loads(pickle.dumps(own)).store, ShardStore)
